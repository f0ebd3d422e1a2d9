# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say what the users table looks like. Documented in doc_fragments/users_table.py."""

from __future__ import annotations

from typing import Any

from .._host.errors import InvalidValueError
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
    """Return what every column is called, where only some were named, as the option's defaults do."""
    defaults = TableDescription._field_defaults
    unknown = sorted(set(named) - set(UserRow._fields))
    if unknown:
        raise InvalidValueError(f"columns: {', '.join(unknown)} is none of {', '.join(UserRow._fields)}")
    return {field: str(named.get(field) or defaults[field]) for field in UserRow._fields}


def build_table(params: dict[str, Any]) -> TableDescription:
    """Return the table as the options describe it; raise InvalidValueError for a value that no column can hold."""
    extra = params["extra_columns"] or {}
    for name, value in extra.items():
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise InvalidValueError(f"extra_columns: the value of {name!r} must be a text, a number or null")
    return TableDescription(table=params["table"], extra_columns=extra, **params["columns"])
