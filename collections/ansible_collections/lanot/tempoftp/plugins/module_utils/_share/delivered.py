# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a delivered share, read by descriptors, so that no symlink in it leads root elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import Optional

from .._host.names import decode_name
from .._host.tree import STATE_DIRECTORY, Tree
from .._record.manifest import Manifest

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DeliveredTree:
    """A share where it lies: in its home, or aside while it is blocked."""

    def __init__(self, tree: Tree, manifest: Manifest) -> None:
        self._root = tree.root
        self._places = ((manifest.ftpuser, manifest.id), (STATE_DIRECTORY, "held", manifest.id))

    def read_size(self, name: str) -> Optional[int]:
        """Return the size of one of its files, None when there is no such regular file."""
        parts = [os.fsencode(part) for part in name.split("/")]
        if any(part in (b"", b".", b"..") for part in parts):
            return None
        for place in self._places:
            folder = _open_folder(self._root, [*map(os.fsencode, place), *parts[:-1]])
            if folder is not None:
                try:
                    facts = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
                    return facts.st_size if stat.S_ISREG(facts.st_mode) else None
                except OSError:
                    return None
                finally:
                    os.close(folder)
        return None

    def list_files(self) -> Optional[dict[str, int]]:
        """Return the size of every regular file by its name; None when the share is nowhere."""
        for place in self._places:
            top = _open_folder(self._root, [os.fsencode(part) for part in place])
            if top is not None:
                os.close(top)
                return dict(self._walk([os.fsencode(part) for part in place]))
        return None

    def _walk(self, place: list[bytes]) -> Iterator[tuple[str, int]]:
        waiting: list[list[bytes]] = [[]]
        while waiting:
            parts = waiting.pop()
            folder = _open_folder(self._root, [*place, *parts])
            if folder is None:
                continue  # gone meanwhile
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = [*parts, os.fsencode(entry.name)]
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
                        elif entry.is_file(follow_symlinks=False):
                            yield decode_name(b"/".join(path)), entry.stat(follow_symlinks=False).st_size
            finally:
                os.close(folder)


def _open_folder(root: os.PathLike[str], parts: Sequence[bytes]) -> Optional[int]:
    folder = os.open(root, _DIRECTORY)
    for part in parts:
        try:
            below = os.open(part, _DIRECTORY, dir_fd=folder)
        except OSError:
            os.close(folder)
            return None
        os.close(folder)
        folder = below
    return folder
