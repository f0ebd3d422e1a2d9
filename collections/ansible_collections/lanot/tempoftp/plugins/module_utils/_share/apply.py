# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""look → plan → apply, the last part: applies one step, under the host's lock. A killed step can be run again.

The batch applies the steps that use systemd (start, stop, purge), since it starts and stops several units at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .._copy.bind import bind_share, choose_folder_mode, is_bind, unbind_share
from .._copy.staging import clear_access_lists
from .._host.access import find_unreadable
from .._host.ballast import drop_ballast, take_ballast
from .._host.clock import read_now
from .._host.commands import run_command
from .._host.errors import DestinationOccupiedError, TempoftpError
from .._host.files import sync_directory
from .._host.mounts import list_mounts_below
from .._host.safe_open import closing_descriptor, open_directory
from .._host.times import format_now
from .._host.tree import Tree, prepare_tree
from .._record.manifest import DELETED, EXPIRED, Manifest, delete_manifest, write_manifest
from .._record.status import write_status
from .._record.tombstones import Tombstone, delete_tombstone, read_tombstone, write_tombstone
from .desired import (
    DesiredShare,
    Site,
    adjust_manifest,
    build_manifest,
    choose_manager,
    refresh_manifest,
)
from .evictions import Eviction, delete_eviction, write_eviction
from .homes import create_home, open_home, remove_empty_home
from .look import find_origin, list_places
from .plan import Seen, resolve_generation
from .trash import check_no_mounts, choose_trash, read_kept, write_kept

_UMOUNT_LIMIT = 10.0
# Seconds that a look at the finished copy may take.
_LOOK_LIMIT = 5.0


def apply_enlist(tree: Tree, desired: DesiredShare, site: Site, seen: Seen) -> None:
    """Write the manifest of a new share or generation. Data of an older generation is moved back into staging."""
    prepare_tree(tree)
    take_ballast(tree)
    tree.staging(desired.id).mkdir(mode=0o700, exist_ok=True)
    same_home = seen.manifest is not None and seen.manifest.ftpuser == desired.ftpuser
    manifest = build_manifest(
        desired,
        site,
        resolve_generation(desired, seen),
        path=str(tree.destination(desired.ftpuser, desired.id)),
        origin=seen.manifest.origin if seen.manifest and same_home else find_origin(tree, desired.ftpuser),
        managed_by=choose_manager(seen.manifest, desired),
        now=format_now(),
        # Data that is in staging since an earlier boot may have lost its content in a power cut: the copier checks it.
        boot_id=seen.manifest.boot_id if seen.manifest and seen.staged is not None else seen.boot_id,
    )
    if seen.manifest is not None:
        _take_back(tree, seen.manifest, seen)
    if seen.manifest is not None and seen.manifest.generation == manifest.generation:
        # Somebody removed the data of a delivered share. Its start and end stay as they were promised.
        manifest = manifest._replace(
            ready_at=seen.manifest.ready_at,
            expires=seen.manifest.expires,
            copy_generation=seen.manifest.copied_for,
        )
    tree.status(desired.id).unlink(missing_ok=True)
    write_manifest(tree, manifest)
    delete_tombstone(tree, desired.id)


def apply_adjust(tree: Tree, desired: DesiredShare, seen: Seen) -> None:
    """Write what a later request changes of a share whose data stays as it is."""
    manifest, generation = _require_manifest(seen), resolve_generation(desired, seen)
    if generation > manifest.generation and seen.status is not None and seen.status.phase == "failed":
        # The failure belongs to the earlier request; this one tries again.
        apply_report(tree, seen)
    write_manifest(tree, adjust_manifest(manifest, desired, generation))


def apply_hide(tree: Tree, seen: Seen) -> None:
    """Rename a delivered share out of its home into the folder of blocked shares."""
    manifest = _require_manifest(seen)
    prepare_tree(tree)
    write_eviction(tree, Eviction(manifest.id, manifest.ftpuser, manifest.origin == "adopted"))
    _leave_home(tree, manifest, tree.held_folder, manifest.id)


def apply_show(tree: Tree, seen: Seen) -> None:
    """Rename a blocked share back into its home."""
    manifest = _require_manifest(seen)
    _enter_home(tree, manifest, tree.held_folder, manifest.id)
    delete_eviction(tree, manifest.id)
    apply_bind(tree, seen)


def apply_bind(tree: Tree, seen: Seen) -> None:
    """Mount the source of a share with ``method: bind`` in its home; do nothing for any other share."""
    manifest = _require_manifest(seen)
    if is_bind(manifest) and not manifest.hidden:
        bind_share(tree, manifest)


def apply_refresh(tree: Tree, desired: DesiredShare, site: Site, manifest: Manifest) -> None:
    """Before a copy starts: write the present options of the source connection into the manifest."""
    tree.staging(desired.id).mkdir(mode=0o700, exist_ok=True)
    refreshed = refresh_manifest(manifest, desired, site)
    if refreshed != manifest:
        write_manifest(tree, refreshed)


def apply_report(tree: Tree, seen: Seen) -> None:
    """Note that a failure is reported to the caller, so that the next request tries again."""
    if seen.manifest is not None and seen.status is not None:
        write_status(tree.status(seen.manifest.id), seen.status._replace(reported=True))


def apply_deliver(tree: Tree, seen: Seen) -> None:
    """Rename the finished copy into the home: a recipient sees all of it or nothing. A blocked share stays hidden."""
    manifest = _require_manifest(seen)
    with closing_descriptor(open_directory(tree.data(manifest.id))) as data:
        os.fchown(data, manifest.uid, manifest.gid)
        os.fchmod(data, choose_folder_mode(manifest))
    if not is_bind(manifest):
        _require_readable(tree.data(manifest.id), manifest)
    if manifest.hidden:
        prepare_tree(tree)
        tree.data(manifest.id).rename(tree.held(manifest.id))
        sync_directory(tree.held_folder)
        sync_directory(tree.staging(manifest.id))
    else:
        _enter_home(tree, manifest, tree.staging(manifest.id), "data")
    apply_confirm(tree, seen)


def apply_confirm(tree: Tree, seen: Seen) -> None:
    """Write that the share is delivered, and clear its staging."""
    manifest, status = _require_manifest(seen), seen.status
    if status is None:
        raise TempoftpError(f"share {manifest.id} has no status: try again")
    apply_bind(tree, seen)
    write_manifest(
        tree,
        manifest._replace(
            state="blocked" if manifest.hidden else "delivered",
            delivered_at=format_now(),
            bytes_total=status.bytes_total,
            files_total=status.files_total,
            skipped=status.skipped,
            skipped_total=status.skipped_total,
            durations=status.durations,
            facts=status.facts,
        ),
    )
    for path in (tree.status(manifest.id), tree.alive(manifest.id), tree.starts(manifest.id)):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        tree.staging(manifest.id).rmdir()


def apply_mark_absent(tree: Tree, seen: Seen, generation: int = 0) -> None:
    """Write that the share is being removed. From then on this generation cannot be delivered again."""
    drop_ballast(tree)
    manifest = _require_manifest(seen)
    write_manifest(
        tree,
        manifest._replace(
            state="absent",
            generation=max(manifest.generation, generation),
            reason=EXPIRED if seen.expired else DELETED,
        ),
    )


def apply_unmount(tree: Tree, seen: Seen) -> None:
    """Unmount what somebody mounted inside the share; raise TempoftpError when something stays mounted."""
    manifest = _require_manifest(seen)
    unbind_share(tree, manifest)
    for mount in seen.mounts:
        run_command(["umount", "--", mount], timeout=_UMOUNT_LIMIT)
    for place in list_places(tree, manifest):
        check_no_mounts(place)


def apply_move_to_trash(tree: Tree, seen: Seen, grace_seconds: float = 0.0, trash_hours: float = 0.0) -> None:
    """Rename all data of the share into the trash and write a tombstone. No recipient can reach it from then on.

    With *trash_hours*, complete data gets a note by which it can be restored.
    """
    drop_ballast(tree)
    manifest = _require_manifest(seen)
    unbind_share(tree, manifest)
    complete = manifest.delivered_at is not None and (seen.delivered or seen.held is not None)
    if trash_hours > 0 and complete and not is_bind(manifest):
        write_kept(tree, manifest, choose_trash(tree, manifest.id, manifest.generation).name)
    if seen.delivered:
        grace = grace_seconds if manifest.reason == EXPIRED else 0.0
        write_eviction(tree, Eviction(manifest.id, manifest.ftpuser, manifest.origin == "adopted", grace))
        _leave_home(tree, manifest, tree.trash, choose_trash(tree, manifest.id, manifest.generation).name)
    for place in (tree.held(manifest.id), tree.staging(manifest.id)):
        if place.exists():
            check_no_mounts(place)
            place.rename(choose_trash(tree, manifest.id, manifest.generation))
    apply_write_tombstone(tree, manifest.id, max(manifest.generation, seen.ended), manifest)
    if manifest.origin == "created":
        # The next share that is delivered to the account creates the home again.
        remove_empty_home(tree, manifest.ftpuser)
    delete_manifest(tree, manifest.id)


def apply_restore(tree: Tree, desired: DesiredShare, seen: Seen, trash_hours: float) -> None:
    """Take the data of an ended share out of the trash, as a new generation. The next step moves it into its home.

    An end that is not over stays; else the days count anew. It is run again after a kill: the data is then among the
    blocked shares already.
    """
    prepare_tree(tree)
    kept = read_kept(tree, desired.id, trash_hours)
    if kept is None:
        raise TempoftpError(f"share {desired.id}: its data was removed a moment ago: try again")
    held = tree.held(desired.id)
    if not held.exists():
        (tree.trash / kept.name).rename(held)
        sync_directory(held.parent)
        sync_directory(tree.trash)
    now = read_now(tree).ends
    generation = resolve_generation(desired, seen)
    manifest = kept.manifest._replace(
        generation=generation,
        copy_generation=generation,
        managed_by=choose_manager(kept.manifest, desired),
        lifetime_days=desired.lifetime_days,
        hidden=desired.hidden,
        state="blocked" if desired.hidden else "delivered",
        boot_id=seen.boot_id,
    )
    if manifest.is_over(now):
        manifest = manifest._replace(ready_at=None, expires=None)
    write_manifest(tree, manifest)
    delete_tombstone(tree, desired.id)
    (tree.trash / kept.note).unlink(missing_ok=True)


def apply_write_tombstone(
    tree: Tree,
    share_id: str,
    generation: int,
    manifest: Optional[Manifest] = None,
    by: Optional[str] = None,
) -> None:
    """Write a tombstone, so that a late run cannot create this generation or an older one again.

    Without a *manifest* the share ended before or was never here. Then a tombstone that exists keeps its reason, and
    *by* is who manages the generation that must not come.
    """
    drop_ballast(tree)
    prepare_tree(tree)
    before = read_tombstone(tree, share_id) if manifest is None else None
    if manifest is not None:
        tombstone = Tombstone(
            share_id, generation, format_now(), manifest.ftpuser, manifest.reason, manifest.managed_by
        )
    elif before is not None:
        tombstone = before._replace(generation=generation, managed_by=by or before.managed_by)
    else:
        tombstone = Tombstone(share_id, generation, format_now(), managed_by=by)
    write_tombstone(tree, tombstone)
    tree.counted(share_id).unlink(missing_ok=True)


def check_trash(tree: Tree, seen: Seen) -> None:
    """Raise TempoftpError when something is mounted inside the trash of the share."""
    for name in seen.trash:
        if list_mounts_below(tree.trash / name):
            check_no_mounts(tree.trash / name)


def _take_back(tree: Tree, manifest: Manifest, seen: Seen) -> None:
    """Move delivered data back into staging, where the next copy updates it."""
    if seen.delivered:
        _leave_home(tree, manifest, tree.staging(manifest.id), "data")
    if seen.held is not None:
        newer = seen.staged is not None or seen.delivered
        held = tree.held(manifest.id)
        held.rename(choose_trash(tree, manifest.id, manifest.generation) if newer else tree.data(manifest.id))


def _require_readable(data: Path, manifest: Manifest) -> None:
    """Raise TempoftpError unless the account may read all of a finished copy.

    The copier has removed every access list. So only something unusual is found here, or a list that is some moments
    old. All other runs wait for the host's lock meanwhile: of very many files not all are looked at.
    """
    if os.geteuid() != 0:
        return  # Only root can look with the rights of another user.
    name = _find_unreadable(data, manifest.gid)
    if name and clear_access_lists(data):
        name = _find_unreadable(data, manifest.gid)
    if name:
        raise TempoftpError(
            f"the FTP server may not read {name} of share {manifest.id}: look at it below {data} (ls -l, getfacl); it "
            "is tried again",
            "copy_failed",
        )


def _find_unreadable(data: Path, gid: int) -> str:
    try:
        return find_unreadable(data, gid, _LOOK_LIMIT)
    except TempoftpError as error:
        if error.error_class != "run_timeout":
            raise
        return ""


def _enter_home(tree: Tree, manifest: Manifest, folder: Path, name: str) -> None:
    """Rename *name* of one of our own folders into the home."""
    with closing_descriptor(open_directory(folder)) as source:
        with create_home(tree, manifest.ftpuser, manifest.gid, manifest.origin == "created") as home:
            _refuse_existing(home, manifest)
            os.rename(name, manifest.id, src_dir_fd=source, dst_dir_fd=home)
            os.fsync(home)
        os.fsync(source)
    sync_directory(tree.root)


def _leave_home(tree: Tree, manifest: Manifest, folder: Path, name: str) -> None:
    """Rename the share out of the home into one of our own folders, under *name*."""
    unbind_share(tree, manifest)
    check_no_mounts(tree.destination(manifest.ftpuser, manifest.id))
    with open_home(tree, manifest.ftpuser) as home:
        if home is None:
            return
        with closing_descriptor(open_directory(folder)) as target:
            os.rename(manifest.id, name, src_dir_fd=home, dst_dir_fd=target)
            os.fsync(home)
            os.fsync(target)


def _refuse_existing(home: int, manifest: Manifest) -> None:
    with suppress(FileNotFoundError):
        os.stat(manifest.id, dir_fd=home, follow_symlinks=False)
        raise DestinationOccupiedError(
            f"{manifest.path} exists and is not ours: move it away or choose another id"
        )


def _require_manifest(seen: Seen) -> Manifest:
    if seen.manifest is None:
        raise TempoftpError("the manifest went away in mid step: try again")
    return seen.manifest
