# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's time, which never goes back: what ended once stays ended, whatever somebody does to the clock.

``clock.json`` has the latest time that was seen, written by the sweep and whenever an end is fixed. A clock that ran
ahead leaves a mark in the future: once it is set right, removing that file ends the wait (docs/dataflow.md).
"""

from __future__ import annotations

import errno
import time

from .errors import TempoftpError
from .files import SCHEMA, read_json, write_json
from .times import format_time, parse_time
from .tree import Tree

# Seconds: how far the clock may run on before it is written down again.
_STEP = 30


def read_now(tree: Tree) -> float:
    """Return the seconds since the epoch, never earlier than the latest time that was seen."""
    return max(time.time(), read_mark(tree))


def read_mark(tree: Tree) -> float:
    """Return the latest time that was seen, 0 without one. A damaged mark counts for none: the next one replaces it."""
    try:
        content = read_json(tree.clock) or {}
    except TempoftpError:
        return 0.0
    seconds = parse_time(content.get("time"))
    return 0.0 if seconds is None else float(seconds)


def advance_mark(tree: Tree, now: float) -> None:
    """Write *now* down, unless the mark is about as late; a full disk does without, it is to be relieved first."""
    if now - read_mark(tree) >= _STEP:
        try:
            write_json(tree.clock, {"schema": SCHEMA, "time": format_time(now)})
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
