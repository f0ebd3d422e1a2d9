# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens folders and files by descriptor, one part of the path after the other, and follows no symlink.

Other users may write in a home, a share or a source. They can replace a folder by a symlink at any moment. A path that
is opened part by part, each below the descriptor of the part before it, cannot lead root out of the tree that way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Optional, Union

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_directory(path: Union[str, bytes, os.PathLike[str]], below: Optional[int] = None) -> int:
    """Return a descriptor of a directory; *path* is relative to the descriptor *below* when that is given.

    Raises OSError when its last part is a symlink or no directory. The caller closes the descriptor.
    """
    return os.open(path, _READ | os.O_DIRECTORY, dir_fd=below)


def open_directory_below(top: int, parts: Iterable[Union[str, bytes]]) -> int:
    """Return a descriptor of the directory that *parts* name below the descriptor *top*, which stays open.

    Raises OSError when one of the parts is a symlink, no directory, or not there. The caller closes the descriptor.
    """
    descriptor = os.dup(top)
    for part in parts:
        try:
            inner = open_directory(part, descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def open_file(name: Union[str, bytes], below: int) -> int:
    """Return a descriptor of what stands under *name* below the descriptor *below*, for reading.

    It may also be a directory or a device: the caller checks it by ``os.fstat``. A FIFO opens without a writer.
    Raises OSError for a symlink.
    """
    return os.open(name, _READ | os.O_NONBLOCK, dir_fd=below)


@contextmanager
def closing_descriptor(descriptor: int) -> Iterator[int]:
    """Give a descriptor to a ``with`` block and close it at its end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)
