# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times in files and results: ISO 8601 UTC with ``Z``, whole seconds."""

from __future__ import annotations

import calendar
import time
from typing import Any, Optional

from .errors import InvalidValueError

DAY = 86400
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_time(seconds: float) -> str:
    """Return *seconds* since the epoch as ISO 8601 UTC."""
    return time.strftime(_TIME_FORMAT, time.gmtime(seconds))


def add_days(moment: str, days: int) -> Optional[str]:
    """Return *moment* (ISO 8601 UTC) plus some days; None when it is no such time."""
    begins = parse_time(moment)
    return None if begins is None else format_time(begins + days * DAY)


def parse_time(moment: Any) -> Optional[int]:
    """Return the seconds since the epoch of an ISO 8601 UTC time; None for any other value."""
    try:
        return calendar.timegm(time.strptime(moment, _TIME_FORMAT))
    except (TypeError, ValueError):
        return None


def require_time(moment: Any, canonical: bool = False) -> int:
    """Return the seconds since the epoch of an ISO 8601 UTC time; raise InvalidValueError for any other value.

    *canonical*: its numbers must also have all their digits, as ``format_time`` writes them.
    """
    seconds = parse_time(moment)
    if seconds is None or (canonical and format_time(seconds) != moment):
        raise InvalidValueError(f"time {moment!r} is refused: write it in UTC like 2030-01-31T12:00:00Z")
    return seconds


def format_now() -> str:
    """Return the present time as ISO 8601 UTC."""
    return format_time(time.time())
