# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the sweep: module options, or the file ``/etc/tempoftp/expire.json`` of the role ftp_server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._account.mysql_login import LoginOptions
from .._account.options import build_table, fill_columns
from .._account.users_table import TableDescription
from .._host.errors import InvalidValueError, TempoftpError
from .._host.files import read_json
from .._host.grace import SETTINGS_FILE, check_grace, check_trash_hours

_DAYS = range(1, 3651)


class ExpireSettings(NamedTuple):
    """``grace_seconds``: how long a running transfer may continue after the end of its share. ``staging_days``: for how
    many days the data of a failed copy is kept for another try. ``login_seconds``: after how long a session without a
    login is ended; 0 where pure-ftpd is not managed by tempoftp. ``trash_hours``: for how long
    the data of ended shares is kept."""

    grace_seconds: float = 0.0
    staging_days: int = 7
    login_seconds: float = 0.0
    trash_hours: float = 0.0
    login: LoginOptions = LoginOptions()
    table: TableDescription = TableDescription()
    mysql_conf: Optional[str] = None


def build_settings(values: Mapping[str, Any]) -> ExpireSettings:
    """Return the settings from options of the module or the file; raise InvalidValueError for the first invalid one.

    Unknown keys are ignored: a newer role may write them.
    """
    defaults = ExpireSettings()
    grace = values.get("grace_seconds", defaults.grace_seconds)
    days = values.get("staging_days", defaults.staging_days)
    if not isinstance(days, int) or isinstance(days, bool) or days not in _DAYS:
        raise InvalidValueError(f"staging_days {days!r} is refused: from 1 to 3650")
    login_seconds = values.get("login_seconds") or 0
    if isinstance(login_seconds, bool) or not isinstance(login_seconds, (int, float)) or login_seconds < 0:
        raise InvalidValueError(
            f"login_seconds {login_seconds!r} is refused: a number of seconds, 0 for no limit"
        )
    login = {key: values[key] for key in LoginOptions._fields if values.get(key) is not None}
    return ExpireSettings(
        grace_seconds=check_grace(grace),
        staging_days=days,
        trash_hours=check_trash_hours(values.get("trash_hours", defaults.trash_hours)),
        login_seconds=float(login_seconds),
        login=LoginOptions(**login),
        table=build_table(
            {
                "table": values.get("table") or defaults.table.table,
                "columns": fill_columns(values.get("columns") or {}),
                "extra_columns": values.get("extra_columns") or {},
            }
        ),
        mysql_conf=values.get("pureftpd_mysql_conf"),
    )


def read_settings(path: Path = SETTINGS_FILE) -> ExpireSettings:
    """Return the settings of the file, or the defaults without a file; raise InvalidValueError when it is invalid."""
    try:
        return build_settings(read_json(path) or {})
    except (TempoftpError, OSError, TypeError, AttributeError) as error:
        message = error.message if isinstance(error, TempoftpError) else str(error)
        raise InvalidValueError(f"{path}: {message}: run the role ftp_server again") from None
