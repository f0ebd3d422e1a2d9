# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's time, which never goes back: an ended share stays ended when the clock is set back.

``clock.json`` contains the latest time that was seen. The sweep writes it, and every run that computes an end. When the
clock was ahead for a while, the file has a time in the future. After the clock is corrected, remove the file to end the
wait (docs/dataflow.md).
"""

from __future__ import annotations

import errno
import time

from .errors import TempoftpError
from .files import SCHEMA, read_json, write_json
from .times import format_time, parse_time
from .tree import Tree

# Seconds between two writes of the time.
_STEP = 30


def read_now(tree: Tree) -> float:
    """Return the seconds since the epoch, never earlier than the latest time that was seen."""
    return max(time.time(), read_mark(tree))


def read_mark(tree: Tree) -> float:
    """Return the latest time that was seen, or 0. A damaged file counts as none: the next write replaces it."""
    try:
        content = read_json(tree.clock) or {}
    except TempoftpError:
        return 0.0
    seconds = parse_time(content.get("time"))
    return 0.0 if seconds is None else float(seconds)


def advance_mark(tree: Tree, now: float) -> None:
    """Write *now*, unless the stored time is almost the same. A full disk is no error here."""
    if now - read_mark(tree) >= _STEP:
        try:
            write_json(tree.clock, {"schema": SCHEMA, "time": format_time(now)})
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
