# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores the counts and the position in the log under ``.tempoftp/transfers/``, so that no line is read twice.

Every line of the log has a number that never changes, and the counts of a share record their last line. So a run that
was killed between two files counts no line twice and misses none.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .._host.errors import TempoftpError
from .._host.files import read_json, write_json
from .._host.tree import Tree
from .log import Position
from .transfers import FileCount, Piece

SCHEMA = 1
POSITION = "_position.json"
"""No id of a share begins with an underscore."""


class Listing(NamedTuple):
    """How many files a share has and how many were fetched. *never_fetched* is cut, the numbers are exact."""

    files_total: int
    files_complete: int
    never_fetched: tuple[str, ...]
    never_fetched_total: int


class ShareCount(NamedTuple):
    """The counts of one share. *born*: the manifest's ``created_at``; a later share of the same id has another one.

    *upto*: lines with a lower number are counted already. *changed_at*: the last change of the counts (ISO 8601 UTC).
    """

    id: str
    born: str
    upto: int = 0
    files: dict[str, FileCount] = {}  # never changed in place
    listing: Optional[Listing] = None
    changed_at: str = ""


def read_position(tree: Tree) -> Position:
    """Return how far the log was read. Without a readable file, it is the beginning."""
    try:
        content = read_json(tree.transfers / POSITION) or {}
        offset, consumed, newest = (content[key] for key in ("offset", "consumed", "newest"))
        return Position(int(offset), bytes.fromhex(content["anchor"]), int(consumed), int(newest))
    except (TempoftpError, KeyError, TypeError, ValueError):
        return Position()


def write_position(tree: Tree, position: Position) -> None:
    """Write how far the log was read."""
    content = {**position._asdict(), "schema": SCHEMA, "anchor": position.anchor.hex()}
    write_json(tree.transfers / POSITION, content)


def read_count(tree: Tree, share_id: str, born: str) -> ShareCount:
    """Return the counts of a share. They are empty without a readable file of exactly this share."""
    fresh = ShareCount(share_id, born)
    try:
        content = read_json(tree.counted(share_id))
        if content is None or content["schema"] != SCHEMA or content["born"] != born:
            return fresh
        files = {str(name): _parse_file(entry) for name, entry in content["files"].items()}
        listing = content["listing"]
        return ShareCount(
            share_id,
            born,
            int(content["upto"]),
            files,
            None if listing is None else Listing(listing[0], listing[1], tuple(listing[2]), listing[3]),
            str(content["changed_at"]),
        )
    except (TempoftpError, AttributeError, KeyError, IndexError, TypeError, ValueError):
        return fresh


def write_count(tree: Tree, count: ShareCount) -> None:
    """Write the counts of a share."""
    files = {
        name: [*entry[:3], [list(piece) for piece in entry.pieces]] for name, entry in count.files.items()
    }
    content = {**count._asdict(), "schema": SCHEMA, "files": files}
    write_json(tree.counted(count.id), content)


def forget_others(tree: Tree, kept: set[str]) -> None:
    """Remove the counts of all shares that are not in *kept*."""
    for path in tree.transfers.iterdir():
        if path.suffix == ".json" and path.name != POSITION and path.stem not in kept:
            path.unlink(missing_ok=True)


def _parse_file(entry: Any) -> FileCount:
    complete, dropped, last, pieces = entry
    return FileCount(
        int(complete),
        int(dropped),
        None if last is None else int(last),
        tuple(Piece(int(size), int(at)) for size, at in pieces),
    )
