# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times as they stand in files and results: ISO 8601 UTC with ``Z``, whole seconds."""

from __future__ import annotations

import calendar
import time
from typing import Any, Optional

_DAY = 86400


_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_time(seconds: float) -> str:
    """Return *seconds* since the epoch as ISO 8601 UTC."""
    return time.strftime(_TIME_FORMAT, time.gmtime(seconds))


def add_days(moment: str, days: int) -> Optional[str]:
    """Return *moment* (ISO 8601 UTC) plus some days, None when it is no such time."""
    begins = parse_time(moment)
    return None if begins is None else format_time(begins + days * _DAY)


def parse_time(moment: Any) -> Optional[int]:
    """Return the seconds since the epoch of an ISO 8601 UTC time, None when it is none."""
    try:
        return calendar.timegm(time.strptime(moment, _TIME_FORMAT))
    except (TypeError, ValueError):
        return None


def format_now() -> str:
    """Return the present time as ISO 8601 UTC."""
    return format_time(time.time())
