# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trash: names for what is renamed into it, and its removal by one ``rm`` that never crosses a mount.

With ``trash_hours``, the data of a share waits before it is removed. A note beside it (``<id>.<generation>.manifest``)
has the manifest and the time, so that the share can be restored by one rename.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple, Optional

from .._host.clock import AHEAD, read_now
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.files import SCHEMA, list_folder, read_json, write_json
from .._host.grace import read_trash_hours
from .._host.mounts import list_mounts_below
from .._host.names import parse_id
from .._host.root import check_root
from .._host.times import DAY, format_time, require_time
from .._host.tree import Tree
from .._record.manifest import Manifest, dump_manifest, parse_manifest

# Seconds: a day. Deleting many millions of files takes hours.
_LIMIT = 86400.0


class Kept(NamedTuple):
    """Data that waits in the trash. ``until``: seconds since the epoch; ``name`` and ``note``: names in the trash."""

    manifest: Manifest
    name: str
    until: float
    note: str


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


def write_kept(tree: Tree, manifest: Manifest, name: str) -> None:
    """Write the note of data that is about to be renamed into the trash as *name*."""
    now = read_now(tree)
    content = {
        "name": name,
        # A time in doubt that runs ahead would keep the data for too long, one that is behind for too short.
        "trashed_at": format_time(now.confirmed if now.doubt == AHEAD else now.ends),
        "manifest": dump_manifest(manifest._replace(state="delivered", reason=None)),
    }
    write_json(find_note(tree, manifest.id, manifest.generation), {"schema": SCHEMA, **content})


def find_note(tree: Tree, share_id: str, generation: int) -> Path:
    """Return the path of a note."""
    return tree.trash / f"{share_id}.{generation}.manifest"


def read_kept(tree: Tree, share_id: str, hours: float) -> Optional[Kept]:
    """Return the newest data of a share that still waits in the trash; None when there is none.

    A note that cannot be read keeps nothing: then the data is removed.
    """
    if hours <= 0:
        return None
    found = []
    now = read_now(tree).confirmed
    for path in list_trash(tree, share_id):
        if path.suffix != ".manifest":
            continue
        try:
            content = read_json(path) or {}
            manifest = parse_manifest(content["manifest"], share_id, path)
            name, since = str(content["name"]), require_time(content["trashed_at"])
        except (TempoftpError, KeyError, TypeError, AttributeError, OSError):
            continue
        until = since + hours * 3600
        # A time that lies far in the future was written by a clock that was wrong.
        if name.partition(".")[0] == share_id and "/" not in name and now < until and since <= now + DAY:
            found.append(Kept(manifest, name, until, path.name))
    return max(found, key=lambda kept: kept.manifest.generation, default=None)


def list_due(tree: Tree, share_id: str, hours: float) -> list[Path]:
    """Return what is to be removed now of a share: everything in the trash except data that waits, and its note."""
    kept = read_kept(tree, share_id, hours)
    waits = set() if kept is None else {kept.name, kept.note}
    return [path for path in list_trash(tree, share_id) if path.name not in waits]


def list_due_ids(tree: Tree, hours: float) -> list[str]:
    """Return the ids of the shares of which something is to be removed now."""
    ids = sorted({name.partition(".")[0] for name in list_folder(tree.trash)})
    return ids if hours <= 0 else [share_id for share_id in ids if list_due(tree, share_id, hours)]


def count_kept(tree: Tree, hours: float) -> tuple[int, int]:
    """Return how many shares wait in the trash, and their bytes."""
    ids = {name.partition(".")[0] for name in list_folder(tree.trash) if name.endswith(".manifest")}
    kept = [entry for entry in (read_kept(tree, share_id, hours) for share_id in ids) if entry is not None]
    return len(kept), sum(entry.manifest.bytes_total or 0 for entry in kept)


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
    for path in list_due(tree, parse_id(share_id), read_trash_hours()):
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
