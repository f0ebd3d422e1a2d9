# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chroot homes: opened by descriptor, so that a symlink cannot lead root to another place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Optional

from .._host.access import has_access_list, remove_access_lists
from .._host.errors import AccountConflictError
from .._host.safe_open import closing_descriptor, open_directory
from .._host.tree import HOME_MODE, Tree

# The mode of a home between its mkdir and its chown. Only root can have left it in this mode.
_UNFINISHED_MODE = 0o700
_ENTER = stat.S_IRGRP | stat.S_IXGRP


@contextmanager
def open_home(tree: Tree, ftpuser: str) -> Iterator[Optional[int]]:
    """Give a descriptor of an account's home, None when there is none; AccountConflictError when it cannot be used."""
    with _open_home_directory(tree, ftpuser) as descriptor:
        if descriptor is not None:
            _check_home(tree, ftpuser, os.fstat(descriptor))
        yield descriptor


@contextmanager
def create_home(tree: Tree, ftpuser: str, gid: int, ours: bool) -> Iterator[int]:
    """Give a descriptor of an account's home; create it as ``root:group`` 0750 when it is missing.

    *ours*: tempoftp made the account. Then a home that its group cannot enter is put right.
    """
    with closing_descriptor(open_directory(tree.root)) as root, suppress(FileExistsError):
        os.mkdir(ftpuser, _UNFINISHED_MODE, dir_fd=root)
    with open_home(tree, ftpuser) as descriptor:
        if descriptor is None:
            raise AccountConflictError(f"{tree.home(ftpuser)} went away while it was made: try again")
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        closed = ours and (mode & _ENTER != _ENTER or has_access_list(descriptor))
        if mode == _UNFINISHED_MODE or closed:
            remove_access_lists(descriptor)
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, HOME_MODE)
        yield descriptor


def remove_empty_home(tree: Tree, ftpuser: str) -> None:
    """Remove a home when it is empty."""
    with suppress(OSError):
        tree.home(ftpuser).rmdir()


def read_inode(tree: Tree, ftpuser: str, name: str) -> Optional[int]:
    """Return the inode of the entry *name* in a home, symlinks not followed; None when there is none."""
    with _open_home_directory(tree, ftpuser) as descriptor:
        if descriptor is None:
            return None
        try:
            return os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None


@contextmanager
def _open_home_directory(tree: Tree, ftpuser: str) -> Iterator[Optional[int]]:
    descriptor: Optional[int] = None
    try:
        descriptor = open_directory(tree.home(ftpuser))
    except FileNotFoundError:
        pass
    except OSError:
        raise AccountConflictError(
            f"{tree.home(ftpuser)} is not a directory (or is a symlink): move it away or choose another account"
        ) from None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _check_home(tree: Tree, ftpuser: str, facts: os.stat_result) -> None:
    if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AccountConflictError(
            f"{tree.home(ftpuser)} can be written by others than root (uid {facts.st_uid}, mode "
            f"{stat.S_IMODE(facts.st_mode):04o}): chown it to root and chmod it to 0750 first"
        )
