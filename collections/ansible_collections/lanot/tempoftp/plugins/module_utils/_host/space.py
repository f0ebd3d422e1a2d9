# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks whether a copy fits: bytes and inodes, less a reserve, less what the other running copies still need."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple, Optional

from .errors import RootMissingError, TempoftpError
from .root import STATE_DIRECTORY, check_root

# With fewer free inodes than this, the filesystem counts as full.
_FEW_INODES = 16


class Disk(NamedTuple):
    """A filesystem, in bytes and inodes. ``inodes_total`` 0: it has no fixed number of them (xfs, btrfs)."""

    bytes_total: int
    bytes_free: int
    inodes_total: int
    inodes_free: int
    block: int = 4096


class Need(NamedTuple):
    """Bytes and inodes that a copy needs, or that are reserved."""

    bytes: int
    inodes: int


def read_disk(path: Path) -> Disk:
    """Return the filesystem at *path*, with the space that is free for ordinary users."""
    facts = os.statvfs(path)
    return Disk(
        facts.f_blocks * facts.f_frsize,
        facts.f_bavail * facts.f_frsize,
        facts.f_files,
        facts.f_favail,
        facts.f_frsize,
    )


def estimate_need(bytes_left: int, entries: int, staged_bytes: int, disk: Disk) -> Need:
    """Return what a copy still needs: every entry may waste a block, and staged bytes are not needed again."""
    return Need(max(0, bytes_left - staged_bytes) + entries * disk.block, entries)


def check_space(need: Need, held: Need, reserve: Need, disk: Disk) -> Optional[TempoftpError]:
    """Return why *need* does not fit, or None. *held*: what the other running copies still need."""
    if need.bytes > disk.bytes_total - reserve.bytes:
        return TempoftpError(
            f"it needs {need.bytes} bytes, the whole disk of the FTP host has {disk.bytes_total} less a reserve of "
            f"{reserve.bytes}: ask for less or use a bigger disk",
            "too_large",
        )
    if disk.inodes_total and need.inodes > disk.inodes_total - reserve.inodes:
        return TempoftpError(
            f"it has {need.inodes} files and folders, the whole disk of the FTP host takes {disk.inodes_total} less a "
            f"reserve of {reserve.inodes}: pack them first",
            "too_large",
        )
    available = disk.bytes_free - reserve.bytes - held.bytes
    if need.bytes > available:
        return TempoftpError(
            f"it needs {need.bytes} bytes, the FTP host has {max(0, available)} available ({disk.bytes_free} free, "
            f"{reserve.bytes} in reserve, {held.bytes} for running copies): it is tried again when others have ended",
            "no_space",
        )
    available = disk.inodes_free - reserve.inodes - held.inodes
    if disk.inodes_total and need.inodes > available:
        return TempoftpError(
            f"it has {need.inodes} files and folders, on the FTP host {max(0, available)} more fit ("
            f"{disk.inodes_free} inodes free, {reserve.inodes} in reserve, {held.inodes} for "
            "running copies): it is tried again when others have ended",
            "no_inodes",
        )
    return None


def count_bytes(directory: Path) -> int:
    """Return the sizes of all files of a tree, holes included; symlinks are not followed."""
    total = 0
    folders = [os.fspath(directory)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def explain_os_error(error: OSError, what: str, root: Path) -> TempoftpError:
    """Return an error of the operating system about *what* as a classified, transient error."""
    error_class = "run_failed"
    try:
        check_root(root)
    except RootMissingError as missing:
        return missing
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # A copy sees of the root only its state folder, which is on the same filesystem.
        error_class = name_full(read_disk(root / STATE_DIRECTORY))
    return TempoftpError(f"{what}: {error}: look at the FTP host", error_class)


def name_full(disk: Disk) -> str:
    """Return the error class for a full filesystem: ``no_inodes`` or ``no_space``."""
    return "no_inodes" if disk.inodes_total and disk.inodes_free < _FEW_INODES else "no_space"


def is_full(disk: Disk) -> bool:
    """Whether the filesystem has no room even for a small file."""
    return disk.bytes_free < disk.block or bool(disk.inodes_total and disk.inodes_free < _FEW_INODES)
