# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a running transfer may go on once the time of its share is up: one number of ``/etc/tempoftp/expire.json``.

A file of its own, since every run of tempoftp_share wants the number and nothing else of the settings of the sweep.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import InvalidValueError, TempoftpError
from .files import read_json

SETTINGS_FILE = Path("/etc/tempoftp/expire.json")
# Seconds: a day.
_LONGEST = 86400


def check_grace(value: Any) -> float:
    """Return *value* as seconds; raise InvalidValueError when it is no time that a grace may have."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
        raise InvalidValueError(f"grace_seconds {value!r} is refused: from 0 to {_LONGEST}, a day")
    return float(value)


def read_grace(path: Path = SETTINGS_FILE) -> float:
    """Return the host's grace, 0 when its file is not there or wrong: the sweep says so, no other run fails for it."""
    try:
        return check_grace((read_json(path) or {}).get("grace_seconds", 0))
    except (TempoftpError, OSError):
        return 0.0
