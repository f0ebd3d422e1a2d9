# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tombstones: what is kept of a share after its end, so that a late run cannot bring it back."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .._host.files import (
    SCHEMA,
    build_damaged,
    check_schema,
    delete_file,
    is_generation,
    read_json,
    read_text,
    write_json,
)
from .._host.tree import Tree


class Tombstone(NamedTuple):
    """What is left of a share that ended.

    ``ftpuser``, ``reason`` and ``managed_by`` are None in those of an earlier release.
    """

    id: str
    generation: int
    ended_at: str
    ftpuser: Optional[str] = None
    reason: Optional[str] = None
    managed_by: Optional[str] = None


def read_tombstone(tree: Tree, share_id: str) -> Optional[Tombstone]:
    """Return the tombstone of a share, or None; raise TempoftpError when it is damaged."""
    path = tree.tombstone(share_id)
    content = read_json(path)
    if content is None:
        return None
    check_schema(content, path)
    generation, ended_at = content.get("generation"), content.get("ended_at")
    if content.get("id") != share_id or not is_generation(generation) or not isinstance(ended_at, str):
        raise build_damaged(path)
    return Tombstone(
        share_id,
        int(str(generation)),
        ended_at,
        ftpuser=read_text(content, "ftpuser"),
        reason=read_text(content, "reason"),
        managed_by=read_text(content, "managed_by"),
    )


def write_tombstone(tree: Tree, tombstone: Tombstone) -> None:
    """Write a tombstone, durably."""
    write_json(tree.tombstone(tombstone.id), {"schema": SCHEMA, **tombstone._asdict()})


def delete_tombstone(tree: Tree, share_id: str) -> None:
    """Remove a tombstone: a newer generation is wanted."""
    delete_file(tree.tombstone(share_id))
