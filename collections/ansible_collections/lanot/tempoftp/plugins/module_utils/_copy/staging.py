# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data in staging: makes, clears and syncs the folder that rsync writes into."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .._host.access import remove_access_lists
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.lock import is_locked
from .._host.space import Need
from .._host.tree import Tree
from .._record.status import RUNNING_PHASES, read_status

# Seconds.
_LIMIT = 3600.0


def prepare_data(data: Path) -> None:
    """Make rsync's target. Data that is there is kept, except files that are hard links of another share.

    A delivered share is moved back here for a new generation. Other shares may have links to its files, and writing in
    place would change them in those shares too. The folder inherits no access list, so nothing in it does.
    """
    data.mkdir(mode=0o750, exist_ok=True)
    if not stat.S_ISDIR(os.lstat(data).st_mode):
        raise TempoftpError(f"{data} is not a directory: move it away")
    drop_linked_files(data)
    clear_access_lists(data)


def clear_access_lists(data: Path) -> bool:
    """Remove the access lists (setfacl) of all data; return whether there was one."""
    found = remove_access_lists(data)
    for entry in walk_entries(data):
        if not entry.is_symlink():
            found |= remove_access_lists(entry.path)
    return found


def drop_linked_files(data: Path) -> None:
    """Remove all files that have other names (hard links); the other names stay."""
    for entry in walk_entries(data):
        if not entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink > 1:
            Path(entry.path).unlink()


def clear_strangers(data: Path, wanted: str) -> None:
    """Remove all but one name."""
    strangers = [str(path) for path in data.iterdir() if path.name != wanted]
    if strangers:
        run_command(["rm", "-rf", "--one-file-system", "--", *strangers], timeout=_LIMIT)


def remove_data(data: Path) -> None:
    """Remove rsync's target."""
    run_command(["rm", "-rf", "--one-file-system", "--", str(data)], timeout=_LIMIT)


def sync_data(data: Path) -> None:
    """Write all data to the disk."""
    ended = run_command(["sync", "-f", "--", str(data)], timeout=_LIMIT)
    if ended.rc != 0:
        raise TempoftpError(f"sync failed: {ended.stderr.strip()}: check the disk", "copy_failed")


def sum_held(tree: Tree, share_id: str) -> Need:
    """Return what the other running copies still need."""
    total = Need(0, 0)
    for path in tree.staging("x").parent.iterdir():
        if path.name == share_id or not is_locked(tree.alive(path.name)):
            continue
        other = read_status(tree.status(path.name))
        if other is not None and other.phase in RUNNING_PHASES:
            total = Need(total.bytes + other.need_bytes, total.inodes + other.need_inodes)
    return total


def walk_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give every entry below *folder*, links not followed; a folder comes before its entries."""
    folders = [os.fspath(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
