# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that use the users table: the table, the login, the ids of new accounts.

Documented in doc_fragments/users_table.py, mysql_login.py and account_ids.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Optional

from .._host.errors import InvalidValueError
from .desired import AccountSite
from .mysql_login import LoginOptions, build_login_argument_spec, open_connection
from .run import Execution
from .users_table import TableDescription, UserRow


def build_table_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the table options of a module's argument spec."""
    defaults = TableDescription._field_defaults
    columns = {
        field: {"type": "str", "default": defaults[field], "no_log": False} for field in UserRow._fields
    }
    return {
        "table": {"type": "str", "default": defaults["table"], "no_log": False},
        "columns": {"type": "dict", "options": columns, "apply_defaults": True, "no_log": False},
        "extra_columns": {"type": "dict", "default": {}, "no_log": False},
    }


def fill_columns(named: dict[str, Any]) -> dict[str, str]:
    """Return the name of every column: the given names, and the defaults of the option for the others."""
    defaults = TableDescription._field_defaults
    unknown = sorted(set(named) - set(UserRow._fields))
    if unknown:
        raise InvalidValueError(f"columns: {', '.join(unknown)} is none of {', '.join(UserRow._fields)}")
    return {field: str(named.get(field) or defaults[field]) for field in UserRow._fields}


def build_table(params: dict[str, Any]) -> TableDescription:
    """Return the table that the options describe; raise InvalidValueError for a value that no column can hold."""
    extra = params["extra_columns"] or {}
    for name, value in extra.items():
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise InvalidValueError(f"extra_columns: the value of {name!r} must be a text, a number or null")
    return TableDescription(table=params["table"], extra_columns=extra, **params["columns"])


def build_accounts_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the options of a module that plans accounts: their ids, the table and the login."""
    return {
        "default_uid": {"type": "int", "default": 2001, "no_log": False},
        "default_gid": {"type": "int", "default": 2001, "no_log": False},
        "min_uid": {"type": "int", "default": 1000, "no_log": False},
        "pureftpd_mysql_conf": {"type": "path", "no_log": False},
        **build_table_argument_spec(),
        **build_login_argument_spec(),
    }


def build_execution(params: Mapping[str, Any], shares_root: Optional[str], check_mode: bool) -> Execution:
    """Return how accounts are planned and written. With *shares_root*, the shares below it count as well."""
    login = LoginOptions(**{key: params[key] for key in LoginOptions._fields})
    sizes = {key: params[key] for key in ("default_uid", "default_gid", "min_uid")}
    return Execution(
        connect=lambda: open_connection(login),
        site=AccountSite(now=time.time(), shares_root=shares_root, **sizes),
        table=build_table(dict(params)),
        mysql_conf=params["pureftpd_mysql_conf"],
        check_mode=check_mode,
    )
