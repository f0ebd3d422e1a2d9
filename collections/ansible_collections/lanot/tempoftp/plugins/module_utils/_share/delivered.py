# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a delivered share, read by descriptor, so that a symlink cannot lead root to another place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Optional

from .._host.names import decode_name, encode_name, is_fetchable
from .._host.root import STATE_DIRECTORY
from .._host.safe_open import closing_descriptor, open_directory, open_directory_below
from .._host.tree import Tree
from .._record.manifest import Manifest


class DeliveredTree:
    """The data of a share: in its home, or among the blocked shares."""

    def __init__(self, tree: Tree, manifest: Manifest) -> None:
        self._root = tree.root
        self._places = tuple(
            [os.fsencode(part) for part in place]
            for place in ((manifest.ftpuser, manifest.id), (STATE_DIRECTORY, "held", manifest.id))
        )

    def read_size(self, name: str) -> Optional[int]:
        """Return the size of one of its files, None when there is no such regular file. *name*: of `decode_name`."""
        parts = encode_name(name).split(b"/")
        if any(part in (b"", b".", b"..") for part in parts):
            return None
        for place in self._places:
            with self._open_folder([*place, *parts[:-1]]) as folder:
                if folder is not None:
                    return _read_file_size(folder, parts[-1])
        return None

    def list_files(self) -> Optional[dict[str, int]]:
        """Return the size of every regular file by its name; None when there is no data of the share.

        Names are those of `decode_name`. A share is complete without the files that no recipient can fetch.
        """
        for place in self._places:
            with self._open_folder(place) as folder:
                found = folder is not None
            if found:
                return self._measure_files(place)
        return None

    def _measure_files(self, place: Sequence[bytes]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        waiting: list[list[bytes]] = [[]]
        while waiting:
            parts = waiting.pop()
            with self._open_folder([*place, *parts]) as folder:
                if folder is None:
                    continue  # it was removed in the meantime
                with os.scandir(folder) as entries:
                    for entry in entries:
                        path = [*parts, os.fsencode(entry.name)]
                        if not is_fetchable(path[-1]):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
                        elif entry.is_file(follow_symlinks=False):
                            sizes[decode_name(b"/".join(path))] = entry.stat(follow_symlinks=False).st_size
        return sizes

    @contextmanager
    def _open_folder(self, parts: Sequence[bytes]) -> Iterator[Optional[int]]:
        """Give a descriptor of a folder below the root, None when a part of its path cannot be entered."""
        folder: Optional[int] = None
        with closing_descriptor(open_directory(self._root)) as root, suppress(OSError):
            folder = open_directory_below(root, parts)
        try:
            yield folder
        finally:
            if folder is not None:
                os.close(folder)


def _read_file_size(folder: int, name: bytes) -> Optional[int]:
    try:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None
