# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's time: by which one access ends, and by which one data may go. They differ while the clock is in doubt.

``clock.json`` has the mark: the latest time that was confirmed. The clock is confirmed when the kernel says that it is
synchronised, or when it is at most a day away from the mark. A clock that runs ahead ends access and removes nothing; a
clock that was set back reopens nothing and removes nothing. As soon as the clock is synchronised, it is right and the
mark follows it, whatever the mark says.
"""

from __future__ import annotations

import ctypes
import errno
import time
from typing import NamedTuple, Optional

from .boot import read_boot_id, read_uptime
from .errors import TempoftpError
from .files import SCHEMA, read_json, write_json
from .times import DAY, format_time, parse_time
from .tree import Tree

# Seconds between two writes of the mark.
_STEP = 30
# Seconds that reading two clocks one after the other may take.
_SLACK = 60
# As systemd does it: below this error in microseconds, the kernel counts as synchronised.
_MAXERROR = 16_000_000
AHEAD, BEHIND = "ahead", "behind"


class Now(NamedTuple):
    """``ends``: the time by which access ends; ``confirmed``: the time by which data may go. Seconds since the epoch.

    ``doubt``: None, or whether the clock is AHEAD or BEHIND of what it should be at most.
    """

    ends: float
    confirmed: float
    doubt: Optional[str] = None

    def explain(self) -> str:
        """Return what is wrong with the clock, in a sentence for a person; empty without a doubt."""
        if self.doubt is None:
            return ""
        clock = self.ends if self.doubt == AHEAD else self.confirmed
        other = self.confirmed if self.doubt == AHEAD else self.ends
        effect = (
            "access ends by it, but no data is removed"
            if self.doubt == AHEAD
            else "nothing is reopened by it"
        )
        return (
            f"the clock of this host says {format_time(clock)}, which is {self.doubt} of {format_time(other)} by "
            f"more than a day, and it is not synchronised: {effect}. Set it right (timedatectl set-ntp true); if it is "
            "right, remove .tempoftp/clock.json"
        )


class Mark(NamedTuple):
    """The latest confirmed time, and the uptime of the boot in which it was written, to count on from there."""

    time: float
    boot_id: str = ""
    uptime: float = 0.0


class _Timex(ctypes.Structure):
    """The beginning of the kernel's ``struct timex``; the rest is only room."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    ]


def read_synchronised() -> Optional[float]:
    """Return the kernel's time when it says that it is synchronised, else None. Reading needs no privilege."""
    answer = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(answer))
    except (OSError, AttributeError):
        return None
    return float(answer.seconds) if state >= 0 and answer.maxerror < _MAXERROR else None


def judge_clock(
    clock: float, synchronised: Optional[float], mark: Optional[Mark], boot_id: str, uptime: float
) -> Now:
    """Return the times by which this host acts. Pure.

    Without a mark the clock is believed. In one boot, time goes on from the mark even while the clock is in doubt.
    """
    if mark is None or (synchronised is not None and abs(clock - synchronised) <= _SLACK):
        return Now(clock, clock)
    passed = uptime - mark.uptime if mark.boot_id == boot_id else 0.0
    known = mark.time + max(0.0, passed)
    if clock > known + DAY:
        return Now(clock, known, AHEAD)
    if clock < mark.time - DAY:
        return Now(mark.time, clock, BEHIND)
    return Now(max(clock, mark.time), max(clock, mark.time))


def read_now(tree: Tree) -> Now:
    """Return the present times."""
    return judge_clock(time.time(), read_synchronised(), read_mark(tree), read_boot_id(), read_uptime())


def read_mark(tree: Tree) -> Optional[Mark]:
    """Return the mark. A missing or damaged file counts as none: the next write replaces it."""
    try:
        content = read_json(tree.clock) or {}
    except TempoftpError:
        return None
    seconds = parse_time(content.get("time"))
    boot_id, uptime = content.get("boot_id"), content.get("uptime")
    if seconds is None:
        return None
    if not isinstance(boot_id, str) or not isinstance(uptime, (int, float)):
        return Mark(float(seconds))
    return Mark(float(seconds), boot_id, float(uptime))


def write_mark(tree: Tree, now: Now) -> None:
    """Write the confirmed time, unless the mark is almost the same. A full disk is no error here.

    While the clock is behind, the mark stays: it is what keeps ended access ended.
    """
    mark = read_mark(tree)
    if now.doubt == BEHIND or (mark is not None and abs(now.confirmed - mark.time) < _STEP):
        return
    content = {"time": format_time(now.confirmed), "boot_id": read_boot_id(), "uptime": read_uptime()}
    try:
        write_json(tree.clock, {"schema": SCHEMA, **content})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
