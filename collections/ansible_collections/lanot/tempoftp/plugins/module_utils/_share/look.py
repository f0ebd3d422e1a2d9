# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""look → plan → apply, the first part: reads the state of one share on the host. Nothing is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from .._copy.bind import is_bind, is_bound
from .._host.clock import read_now
from .._host.errors import AccountConflictError, TempoftpError
from .._host.mounts import list_mounts_below
from .._host.times import format_time
from .._host.tree import Tree
from .._host.units import COPY_PREFIX, PURGE_PREFIX
from .._record.accounts import read_account
from .._record.manifest import Manifest, list_account_manifests, read_manifest
from .._record.status import Status, read_status
from .._record.tombstones import read_tombstone
from .desired import DesiredShare
from .evictions import read_eviction
from .homes import open_home, read_inode
from .plan import Seen
from .trash import list_due, read_kept


def look_share(
    tree: Tree, desired: DesiredShare, active: set[str], boot_id: str, trash_hours: float = 0.0
) -> Seen:
    """Return the state of a share. *active*: names of the running units. TempoftpError when a manifest is damaged."""
    now = read_now(tree)
    kept = read_kept(tree, desired.id, trash_hours)
    manifest = read_manifest(tree, desired.id)
    status = read_status(tree.status(desired.id))
    current = status is not None and manifest is not None and _belongs_to(manifest, status.generation)
    ending = manifest is not None and not manifest.live
    return Seen(
        boot_id=boot_id,
        manifest=manifest,
        tombstone=read_tombstone(tree, desired.id),
        status=status if current else None,
        stale_status=status is not None and not current,
        copying=COPY_PREFIX + desired.id in active,
        purging=PURGE_PREFIX + desired.id in active,
        destination=_read_destination(tree, manifest, status) if manifest else None,
        staged=_read_inode(tree.data(desired.id)),
        held=_read_inode(tree.held(desired.id)),
        unmounted=manifest is not None and is_bind(manifest) and not is_bound(tree, manifest),
        expired=manifest is not None and manifest.is_over(now.confirmed),
        lapsed=manifest is not None and manifest.is_over(now.ends),
        clock_problem=now.explain(),
        occupied=_is_occupied(tree, desired, manifest),
        home_problem=_check_home(tree, desired, manifest),
        mounts=tuple(_list_mounts(tree, manifest)) if manifest and ending else (),
        evicting=read_eviction(tree, desired.id) is not None,
        trash=tuple(path.name for path in list_due(tree, desired.id, trash_hours)),
        kept=None if kept is None else kept.manifest,
        kept_until=None if kept is None else format_time(kept.until),
    )


def _belongs_to(manifest: Manifest, generation: int) -> bool:
    # A deletion raises the manifest's generation. The status from before it still names the inode of our data.
    return generation == manifest.copied_for or not manifest.live


def _read_destination(tree: Tree, manifest: Manifest, status: Optional[Status]) -> Optional[int]:
    """Return the inode of the share in the home. For a share that is mounted, that of the folder below the mount."""
    if status is not None and is_bind(manifest) and is_bound(tree, manifest):
        return status.inode
    return read_inode(tree, manifest.ftpuser, manifest.id)


def _is_occupied(tree: Tree, desired: DesiredShare, manifest: Optional[Manifest]) -> bool:
    if not desired.wanted or (manifest is not None and manifest.ftpuser == desired.ftpuser):
        return False
    try:
        return read_inode(tree, desired.ftpuser, desired.id) is not None
    except TempoftpError:
        return False  # the home itself cannot be used: _check_home says why


def _check_home(tree: Tree, desired: DesiredShare, manifest: Optional[Manifest]) -> Optional[TempoftpError]:
    if not desired.wanted:
        return None
    begun = manifest is not None and manifest.ftpuser == desired.ftpuser
    try:
        with open_home(tree, desired.ftpuser):
            pass
        # Checked before anything is copied: the owner of the home could read what is delivered into it.
        if begun or desired.adopt or find_origin(tree, desired.ftpuser) == "created":
            return None
    except TempoftpError as error:
        return error
    return AccountConflictError(
        f"{tree.home(desired.ftpuser)} was there before tempoftp, and nobody has said whose account "
        f"{desired.ftpuser} is: "
        f"map it to its owner's e-mail (tempoftp account map EMAIL {desired.ftpuser}; with share.yml, adopt: true), "
        "or choose another account"
    )


def find_origin(tree: Tree, ftpuser: str) -> str:
    """Return ``created`` when tempoftp made the home, or ``adopted`` when it was there before."""
    account = read_account(tree, ftpuser)
    if account is not None:
        return account.origin
    if not os.path.lexists(tree.home(ftpuser)):
        return "created"
    return next((manifest.origin for manifest in list_account_manifests(tree, ftpuser)), "adopted")


def _list_mounts(tree: Tree, manifest: Manifest) -> list[str]:
    places = list_places(tree, manifest)
    return [mount for place in places for mount in list_mounts_below(place)]


def list_places(tree: Tree, manifest: Manifest) -> tuple[Path, ...]:
    """Return the paths that may contain data of a share, except the trash."""
    home, share_id = manifest.ftpuser, manifest.id
    return tree.destination(home, share_id), tree.held(share_id), tree.staging(share_id), tree.bind(share_id)


def _read_inode(path: Path) -> Optional[int]:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None
