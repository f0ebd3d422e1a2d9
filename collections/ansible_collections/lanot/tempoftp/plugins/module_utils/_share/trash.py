# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trash: names for what is renamed into it, and its removal by one ``rm`` that never crosses a mount."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.mounts import list_mounts_below
from .._host.names import parse_id
from .._host.root import check_root
from .._host.tree import Tree

# Seconds: a day. Deleting many millions of files takes hours.
_LIMIT = 86400.0


def choose_trash(tree: Tree, share_id: str, generation: int = 0) -> Path:
    """Return a free path in the trash for data of a share. Generation 0: for data of which no manifest is known."""
    number = 1
    while os.path.lexists(path := tree.trash / f"{share_id}.{generation}.{number}"):
        number += 1
    return path


def list_trash(tree: Tree, share_id: str) -> list[Path]:
    """Return the data of a share that is still in the trash. An id contains no dot: the first dot ends it."""
    try:
        return sorted(path for path in tree.trash.iterdir() if path.name.partition(".")[0] == share_id)
    except FileNotFoundError:
        return []


def check_no_mounts(path: Path) -> None:
    """Raise TempoftpError when something is mounted at or below *path*: a deletion would delete that too."""
    mounts = list_mounts_below(path)
    if mounts:
        raise TempoftpError(
            f"{mounts[0]} is a mount point inside a share that is deleted: unmount it, then try again"
        )


def purge_share(root: Path, share_id: str) -> int:
    """Remove the trash of one share below *root*."""
    tree = Tree(root)
    try:
        check_root(root)
    except TempoftpError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    for path in list_trash(tree, parse_id(share_id)):
        try:
            check_no_mounts(path)
            ended = run_command(["rm", "-rf", "--one-file-system", "--", str(path)], timeout=_LIMIT)
        except TempoftpError as error:
            sys.stderr.write(f"{error.message}\n")
            return 1
        if ended.rc != 0:
            sys.stderr.write(ended.stderr)
            return 1
    return 0
