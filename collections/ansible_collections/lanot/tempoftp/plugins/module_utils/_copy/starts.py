# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts starts of a copier that made no progress and wrote no error: it was killed, or could not start.

The count is kept on the host, since each execution of the module may see only one of those starts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple, Optional

from .._host.errors import TempoftpError
from .._host.files import read_json, write_json
from .._host.tree import Tree
from .._record.manifest import Manifest
from .._record.status import Status

# After so many starts in a row without progress or error, the copy fails.
START_LIMIT = 3


class Starts(NamedTuple):
    """``silent``: starts in a row, with the present one, since a copier last wrote an error or copied anything.

    ``bytes_done``: the most that any of them had copied.
    """

    generation: int
    boot_id: str
    silent: int = 1
    bytes_done: int = 0


def count_start(
    before: Optional[Starts], manifest: Manifest, boot_id: str, status: Optional[Status]
) -> Starts:
    """Return the count with one more start. *status*: what the previous copier wrote, if anything. Pure."""
    now = Starts(manifest.copied_for, boot_id)
    if before is None or (before.generation, before.boot_id) != (now.generation, now.boot_id):
        return now
    reached = 0 if status is None else status.bytes_done
    if (status is not None and status.final) or reached > before.bytes_done:
        return now._replace(bytes_done=reached)
    return before._replace(silent=before.silent + 1)


def note_start(tree: Tree, manifest: Manifest, boot_id: str, status: Optional[Status]) -> int:
    """Count a start of a copier; return how many starts in a row made no progress, with this one.

    Above ``START_LIMIT`` the count begins anew, so that a later request may try again. On a full disk it is not stored:
    the copier must start all the same, since it frees the room that it took.
    """
    path = tree.starts(manifest.id)
    starts = count_start(_read_starts(tree, manifest.id), manifest, boot_id, status)
    if starts.silent > START_LIMIT:
        path.unlink(missing_ok=True)
    else:
        with suppress(OSError):
            write_json(path, starts._asdict(), durable=False)
    return starts.silent


def _read_starts(tree: Tree, share_id: str) -> Optional[Starts]:
    """Return the count; None when there is none, or none that can be read."""
    try:
        content = read_json(tree.starts(share_id))
        starts = None if content is None else Starts(**content)
    except (TempoftpError, TypeError):
        return None
    sound = starts is not None and isinstance(starts.silent, int) and isinstance(starts.bytes_done, int)
    return starts if sound else None
