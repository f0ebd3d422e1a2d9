# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of what was renamed into the trash: one ``rm`` that stays on its filesystem and reaches through no mount."""

from __future__ import annotations

import sys
from pathlib import Path

from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.mounts import list_mounts_below
from .._host.names import parse_id
from .._host.tree import Tree

# Seconds: a day. Deleting many millions of files takes hours.
_LIMIT = 86400.0


def list_trash(tree: Tree, share_id: str) -> list[Path]:
    """Return what of a share is still in the trash. An id has no dot, so the first one ends it."""
    try:
        return sorted(path for path in tree.trash.iterdir() if path.name.partition(".")[0] == share_id)
    except FileNotFoundError:
        return []


def check_no_mounts(path: Path) -> None:
    """Raise TempoftpError when something is mounted at or below *path*: deletion would reach through it."""
    mounts = list_mounts_below(path)
    if mounts:
        raise TempoftpError(
            f"{mounts[0]} is a mount point inside a share that is deleted: unmount it, then try again"
        )


def purge_share(root: Path, share_id: str) -> int:
    """Remove the trash of one share below *root*."""
    tree = Tree(root)
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
