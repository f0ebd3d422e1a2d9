# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``method: bind``: a local source is mounted read-only in the home. That needs no copy and no disk space.

There are two mounts. The source is mounted on ``.tempoftp/binds/<id>``, which no recipient can see, read-only and
private. That mount is then mounted on the folder in the home: a bind of a read-only mount is read-only from its first
moment, and unmounting a private one does not unmount what an operator mounted in the source. Both are transient units
of systemd, so that they are made in the host's own mount namespace. The folder below the mount is empty and only root
can enter it. After a reboot the mounts are gone, and the next execution or sweep makes them again.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Optional

from .._host.access import find_unreadable
from .._host.clock import read_now
from .._host.commands import run_command
from .._host.errors import InvalidValueError, TempoftpError
from .._host.mounts import Mount, list_mounts_below, read_mounts
from .._host.names import parse_id, parse_source
from .._host.tree import HOME_MODE, Tree
from .._record.manifest import Manifest, read_manifest
from .local import check_local_path

# Mode of the folder under a mount: only root can enter it.
FOLDER_MODE = 0o700
_OPTIONS = "bind,ro,nosuid,nodev,noexec,private"
_MOUNT = ("systemd-mount", "--quiet", "--collect", "--no-ask-password", "--fsck=no", "--type=none")
# A session whose current folder is in the mount must not prevent the unmount.
_LAZY = "--property=LazyUnmount=yes"
# Seconds.
_MOUNT_LIMIT = 15.0
_FIND_LIMIT = 3600.0
_SWEEP_LIMIT = 5.0


class SweptBinds(NamedTuple):
    """The shares that were mounted again or unmounted, and messages about those that could not be."""

    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def is_bind(manifest: Manifest) -> bool:
    """Whether the share is a mount of its source."""
    return manifest.method == "bind"


def choose_folder_mode(manifest: Manifest) -> int:
    """Return the mode of a share's own folder in the home."""
    return FOLDER_MODE if is_bind(manifest) else HOME_MODE


def check_bind_source(tree: Tree, manifest: Manifest) -> None:
    """Raise TempoftpError unless the source can be mounted.

    It must be a folder whose path contains no link, it contains no other filesystem, and the FTP server may read it.
    """
    path = _read_source(manifest)
    check_local_path(tree, str(path))
    if not os.path.lexists(path):
        raise TempoftpError(f"{path} does not exist on the FTP host: check the path", "source_not_found")
    if path.resolve() != path or not path.is_dir():
        raise InvalidValueError(f"{path} cannot be mounted: it is no folder, or reached by a link; use copy")
    inner = [point for point in list_mounts_below(path) if point != str(path)]
    if inner:
        raise InvalidValueError(f"{path} cannot be mounted: {inner[0]} is a filesystem of its own; use copy")
    unreadable = find_unreadable(path, manifest.gid, _FIND_LIMIT)
    if unreadable:
        raise TempoftpError(
            f"{path} cannot be mounted: the FTP server may not read {unreadable}: let everybody read it, or use copy",
            "source_denied",
        )


def is_bound(tree: Tree, manifest: Manifest) -> bool:
    """Whether the share is mounted in its home, read-only."""
    mount = _find_mount(tree.destination(manifest.ftpuser, manifest.id))
    return mount is not None and mount.read_only


def bind_share(tree: Tree, manifest: Manifest) -> None:
    """Make the mounts that are missing; raise TempoftpError when one of them is not as it should be."""
    hidden, seen = tree.bind(manifest.id), tree.destination(manifest.ftpuser, manifest.id)
    source = _read_source(manifest)
    tree.binds.mkdir(mode=0o700, exist_ok=True)
    hidden.mkdir(mode=FOLDER_MODE, exist_ok=True)
    wanted = _identify(source)
    if _find_mount(hidden) is None:
        _mount(source, hidden)
    if _identify(hidden) != wanted:
        # Somebody replaced it by a link or another folder between the check and the mount.
        unbind_share(tree, manifest)
        raise TempoftpError(f"{source} changed while it was mounted: it is tried again", "source_changing")
    if _find_mount(seen) is None:
        _mount(hidden, seen)
    if _identify(seen) != wanted:
        raise TempoftpError(
            f"{seen} is a mount of something else: unmount it, then try again", "destination_occupied"
        )


def unbind_share(tree: Tree, manifest: Manifest) -> None:
    """Unmount the share; raise TempoftpError when something stays mounted. Do nothing for a share that is a copy."""
    for path in (tree.destination(manifest.ftpuser, manifest.id), tree.bind(manifest.id)):
        if is_bind(manifest):
            unmount(path)
    with suppress(OSError):
        tree.bind(manifest.id).rmdir()


def unmount(path: Path) -> None:
    """Unmount everything at *path*, also while sessions use it; raise TempoftpError when something stays mounted."""
    for _layer in range(8):
        if _find_mount(path) is None:
            return
        ended = run_command(["systemd-mount", "--umount", "--quiet", "--", str(path)], _MOUNT_LIMIT)
        if ended.rc != 0:
            ended = run_command(["umount", "--lazy", "--", str(path)], _MOUNT_LIMIT)
        if ended.rc != 0:
            break
    if _find_mount(path) is not None:
        raise TempoftpError(f"{path} could not be unmounted: 'umount --lazy {path}' says why")


def sweep_binds(tree: Tree) -> SweptBinds:
    """Mount again what a reboot unmounted, and unmount what no manifest needs. The caller holds the host's lock.

    Other runs wait for that lock, so after some seconds the rest is left to the next sweep.
    """
    changed, problems, now = [], [], read_now(tree).ends
    begun = time.monotonic()
    for share_id in list_binds(tree):
        if time.monotonic() - begun > _SWEEP_LIMIT:
            problems.append("not all mounts were looked at: the next sweep goes on")
            break
        try:
            manifest = read_manifest(tree, parse_id(share_id))
            if manifest is None or not is_bind(manifest):
                unmount(tree.bind(share_id))
                tree.bind(share_id).rmdir()
                changed.append(share_id)
            elif manifest.state == "delivered" and not manifest.is_over(now) and not is_bound(tree, manifest):
                bind_share(tree, manifest)
                changed.append(share_id)
        except (TempoftpError, OSError) as error:
            problems.append(f"share {share_id}: {error}")
    return SweptBinds(tuple(changed), tuple(problems))


def list_binds(tree: Tree) -> list[str]:
    """Return the ids of the shares that are or were mounts."""
    try:
        return sorted(path.name for path in tree.binds.iterdir())
    except FileNotFoundError:
        return []


def _read_source(manifest: Manifest) -> Path:
    return Path(parse_source(manifest.source).path)


def _identify(path: Path) -> tuple[int, int]:
    try:
        facts = os.lstat(path)
    except OSError as error:
        raise TempoftpError(
            f"{path} cannot be looked at ({error.strerror}): check the path", "source_not_found"
        ) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise InvalidValueError(f"{path} cannot be mounted: it is no folder; use copy")
    return facts.st_dev, facts.st_ino


def _find_mount(path: Path) -> Optional[Mount]:
    """Return the topmost mount at *path*."""
    own = str(path.parent.resolve() / path.name)
    return next((mount for mount in reversed(read_mounts()) if mount.point == own), None)


def _mount(what: Path, where: Path) -> None:
    argv = [*_MOUNT, f"--options={_OPTIONS}", _LAZY, "--", str(what), str(where)]
    ended = run_command(argv, _MOUNT_LIMIT)
    if "already loaded" in ended.stderr and _find_mount(where) is None:
        # It was unmounted by hand a moment ago, and systemd still has its unit loaded.
        run_command(["systemctl", "stop", "--", str(where)], _MOUNT_LIMIT)
        ended = run_command(argv, _MOUNT_LIMIT)
    mount = _find_mount(where)
    if mount is None:
        reason = ended.stderr.strip() or "no mount came to stand"
        raise TempoftpError(f"{what} could not be mounted: {reason}: it is tried again", "copy_failed")
    if not mount.read_only:
        unmount(where)
        raise TempoftpError(f"{where} was not mounted read-only: see journalctl", "copy_failed")
