# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a copier was started that got nowhere and did not say why: killed, out of memory, or unable to start.

The count stands on the host, since each execution of the module may see only one of those starts.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple, Optional

from .._host.errors import TempoftpError
from .._host.files import read_json, write_json
from .._host.tree import Tree
from .._record.manifest import Manifest
from .._record.status import Status

# So many copiers in a row may die without a word before that is told.
START_LIMIT = 3


class Starts(NamedTuple):
    """``silent``: starts in a row, the present one included, since a copier last said or moved anything.

    ``bytes_done``: the most that any of them had reached.
    """

    generation: int
    boot_id: str
    silent: int = 1
    bytes_done: int = 0


def count_start(
    before: Optional[Starts], manifest: Manifest, boot_id: str, status: Optional[Status]
) -> Starts:
    """Return the count with one more start. *status*: what the copier before this one had told, if anything. Pure."""
    now = Starts(manifest.copied_for, boot_id)
    if before is None or (before.generation, before.boot_id) != (now.generation, now.boot_id):
        return now
    reached = 0 if status is None else status.bytes_done
    if (status is not None and status.final) or reached > before.bytes_done:
        return now._replace(bytes_done=reached)
    return before._replace(silent=before.silent + 1)


def note_start(tree: Tree, manifest: Manifest, boot_id: str, status: Optional[Status]) -> int:
    """Note that a copier is about to be started; return how many were, without one of them getting anywhere.

    Beyond ``START_LIMIT`` the count begins anew, so that a later wish may try again. On a full disk it is not kept: the
    copier must start all the same, since it gives back the room that it took.
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
    """Return the count, None when there is none that can be read: then it begins anew."""
    try:
        content = read_json(tree.starts(share_id))
        starts = None if content is None else Starts(**content)
    except (TempoftpError, TypeError):
        return None
    sound = starts is not None and isinstance(starts.silent, int) and isinstance(starts.bytes_done, int)
    return starts if sound else None
