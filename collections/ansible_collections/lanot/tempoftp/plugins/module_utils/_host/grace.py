# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a running transfer may go on when the time of its share is up: a number in ``/etc/tempoftp/expire.json``.

Every run of tempoftp_share needs this number, and none of the other settings of the sweep in that file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import InvalidValueError, TempoftpError
from .files import read_json
from .root import find_server_file

SETTINGS_FILE = Path("/etc/tempoftp/expire.json")
# Seconds: a day.
_LONGEST = 86400
_MOST_HOURS = 24 * 365


def check_grace(value: Any) -> float:
    """Return *value* as seconds; raise InvalidValueError when it is not from 0 to one day."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
        raise InvalidValueError(f"grace_seconds {value!r} is refused: from 0 to {_LONGEST}, a day")
    return float(value)


def read_grace(path: Path = SETTINGS_FILE) -> float:
    """Return the host's grace; 0 when its file is missing or not valid. Only the sweep reports such a file."""
    try:
        return check_grace((read_json(path) or {}).get("grace_seconds", 0))
    except (TempoftpError, OSError):
        return 0.0


def check_trash_hours(value: Any) -> float:
    """Return *value* as hours; raise InvalidValueError when it is not from 0 to one year."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _MOST_HOURS:
        raise InvalidValueError(f"trash_hours {value!r} is refused: from 0 to {_MOST_HOURS}, a year")
    return float(value)


def read_trash_hours() -> float:
    """Return for how many hours this host keeps what it deletes; 0 when its file is missing or not valid."""
    try:
        path = find_server_file().with_name(SETTINGS_FILE.name)
        return check_trash_hours((read_json(path) or {}).get("trash_hours", 0))
    except (TempoftpError, OSError):
        return 0.0
