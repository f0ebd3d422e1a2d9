# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``reflink``: files of a local source are cloned into staging. Both files share their blocks until one is written to.

``cp --reflink`` is not used: it would read as root, follow a folder that was replaced by a link meanwhile, and copy
devices and unsafe links, which rsync then neither replaces nor removes. rsync does the rest afterwards: links, times of
folders, and what changed meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from .._host.names import is_fetchable
from .._host.safe_open import closing_descriptor, open_directory_below, open_file
from .local import reading_as

# _IOW(0x94, 9, int), linux/fs.h
_FICLONE = 0x40049409
_FILE_MODE = 0o640
# These errors mean that the filesystems cannot share blocks, not that one file could not be cloned.
_IMPOSSIBLE = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
)


class ImpossibleError(Exception):
    """Source and target cannot share blocks."""


class Cloner:
    """Clones regular files into *target*, and never overwrites one."""

    def __init__(self, target: Path, user: str, uid: int, gid: int) -> None:
        self._target = target
        self._user = user
        self._owner = uid, gid

    def clone(self, source: Path, is_file: bool) -> None:
        """Clone a file, or all files below a folder; ImpossibleError when the filesystems cannot share blocks."""
        with reading_as(self._user):
            top = os.open(source.parent if is_file else source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with closing_descriptor(top):
            if is_file:
                self._clone_file(top, source.name, self._target / source.name)
            else:
                self._clone_folders(top)

    def _clone_folders(self, top: int) -> None:
        pending: list[tuple[str, ...]] = [()]
        while pending:
            parts = pending.pop()
            with suppress(OSError):  # removed, replaced or unreadable meanwhile: rsync reports it
                with reading_as(self._user):
                    folder = open_directory_below(top, parts)
                with closing_descriptor(folder):
                    pending += [(*parts, name) for name in self._clone_folder(folder, parts)]

    def _clone_folder(self, folder: int, parts: tuple[str, ...]) -> list[str]:
        folders = []
        target = self._target.joinpath(*parts)
        target.mkdir(mode=0o750, exist_ok=True)
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_fetchable(os.fsencode(entry.name)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(OSError):
                        self._clone_file(folder, entry.name, target / entry.name)
        return folders

    def _clone_file(self, folder: int, name: str, target: Path) -> None:
        with reading_as(self._user):
            source = open_file(name, folder)
        with closing_descriptor(source):
            facts = os.fstat(source)
            if stat.S_ISREG(facts.st_mode):
                self._share_blocks(source, facts, target)

    def _share_blocks(self, source: int, facts: os.stat_result, target: Path) -> None:
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(made, _FICLONE, source)
            os.fchown(made, *self._owner)
            os.fchmod(made, _FILE_MODE)
            os.utime(made, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        except OSError as error:
            target.unlink()
            if error.errno in _IMPOSSIBLE:
                raise ImpossibleError(os.strerror(error.errno or 0)) from None
            raise
        finally:
            os.close(made)


def can_clone(folder: Path) -> bool:
    """Whether files in *folder* can share blocks. It tries this with two small files, before a tree is walked."""
    with tempfile.TemporaryFile(dir=folder) as one, tempfile.TemporaryFile(dir=folder) as other:
        one.write(b"x")
        one.flush()
        try:
            fcntl.ioctl(other.fileno(), _FICLONE, one.fileno())
        except OSError:
            return False
    return True
