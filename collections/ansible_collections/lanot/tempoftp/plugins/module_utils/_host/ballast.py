# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reserved files that are removed when the disk is full, so that shares can still be ended.

Ending a share writes a few small files before it frees any room. Without the ballast, that would be impossible on a
disk without a free block or inode.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .tree import Tree

# Enough for the tombstones of a whole run, until the first removal frees room.
BALLAST_BYTES = 1024 * 1024
BALLAST_FILES = 64
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def take_ballast(tree: Tree) -> None:
    """Make the ballast unless it is there; a disk that has no room for it gets none."""
    if _block(tree).exists():
        return
    with suppress(OSError):
        tree.ballast.mkdir(mode=0o700, exist_ok=True)
        for number in range(BALLAST_FILES):
            with suppress(FileExistsError):
                os.close(os.open(tree.ballast / str(number), _NEW, 0o600))
        # The block is written last: when it exists, the whole ballast does.
        _write_block(_block(tree))


def drop_ballast(tree: Tree) -> None:
    """Remove the ballast when the disk has almost no room left."""
    disk = os.statvfs(tree.root)
    # Not f_bfree: ext4 reserves up to 16 MiB of that for itself, also from root.
    bytes_free, inodes_free = disk.f_bavail * disk.f_frsize, disk.f_ffree if disk.f_files else BALLAST_FILES
    if bytes_free >= BALLAST_BYTES and inodes_free >= BALLAST_FILES:
        return
    with suppress(FileNotFoundError):
        for path in tree.ballast.iterdir():
            path.unlink(missing_ok=True)


def _block(tree: Tree) -> Path:
    return tree.ballast / "block"


def _write_block(path: Path) -> None:
    descriptor = os.open(path, _NEW, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
