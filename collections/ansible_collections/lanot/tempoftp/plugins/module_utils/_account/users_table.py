# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and writes the users table of pure-ftpd: its description, its rows, the statements. Step 7 of docs/dataflow.md.

Names of columns come from INFORMATION_SCHEMA and are quoted; every value is bound. The decisions are made in plan.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Optional

from .._host.errors import DatabaseUnavailableError, TempoftpError
from .mysql_login import MYSQL_ERRORS, describe_failure

ACTIVE = "1"
BLOCKED = "0"

# Server error numbers that concern one row. Every other failure concerns the server or the login.
_ROW_ERRORS = {
    1062: "account_conflict",  # duplicate key
    1264: "invalid",  # out of range
    1265: "invalid",  # truncated
    1292: "invalid",  # wrong value
    1366: "invalid",  # wrong string value
    1406: "invalid",  # too long
}
# A column that tempoftp does not write is NOT NULL and has no default: every INSERT fails until extra_columns has it.
_NO_DEFAULT = 1364
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class TableDescription(NamedTuple):
    """The names of the users table and its columns. The column ``expires`` may be missing.

    ``extra_columns``: the values of a new row in columns that tempoftp does not use, by column.
    """

    table: str = "users"
    name: str = "User"
    password: str = "Password"  # noqa: S105 - a column's name
    uid: str = "Uid"
    gid: str = "Gid"
    home: str = "Dir"
    status: str = "Status"
    expires: str = "Expires"
    extra_columns: Mapping[str, Any] = {}  # never changed in place


class UserRow(NamedTuple):
    """One row. ``status`` is text for every type of the column; ``expires`` is ISO 8601 UTC or None."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    status: str
    expires: Optional[str] = None


class TableFacts(NamedTuple):
    """The table as the server describes it. ``columns``: field of UserRow → column. Widths in characters.

    ``extra_columns``: as in TableDescription, by the columns' real names.
    """

    version: str
    table: str
    columns: dict[str, str]
    name_width: int
    password_width: int
    home_width: int
    extra_columns: Mapping[str, Any] = {}  # never changed in place

    @property
    def has_expires(self) -> bool:
        """Whether the table can hold the end of an account."""
        return "expires" in self.columns


class SeenRows(NamedTuple):
    """The rows found for some names. ``lookalikes``: names that only the collation regards as equal to one of them."""

    rows: dict[str, list[UserRow]]
    lookalikes: list[str]


def quote_identifier(name: str) -> str:
    """Return *name* quoted for MySQL and for PyMySQL's own ``%`` formatting."""
    if not name or "\0" in name:
        raise TempoftpError(f"{name!r} is no name of a table or column", "invalid")
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def read_table(cursor: Any, description: TableDescription) -> TableFacts:
    """Return the facts of the table; raise DatabaseUnavailableError when it is missing, hidden or lacks a column."""
    version = str(_run(cursor, "SELECT VERSION()", ())[0][0])
    rows = _run(
        cursor,
        "SELECT COLUMN_NAME, CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS"
        " WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        (description.table,),
    )
    widths = {_to_text(name): width for name, width in rows}
    by_lower = {name.lower(): name for name in widths}
    if not widths:
        raise DatabaseUnavailableError(
            f"table {description.table!r} is not there or not visible to this login: create it (role ftp_database) or "
            "grant SELECT, INSERT, UPDATE, DELETE on it"
        )
    columns = {}
    for field in UserRow._fields:
        wanted = getattr(description, field)
        column = by_lower.get(wanted.lower())
        if column is not None:
            columns[field] = column
        elif field != "expires":
            raise DatabaseUnavailableError(
                f"table {description.table!r} has no column {wanted!r} (it has {', '.join(sorted(widths))}): "
                "say with the option columns what it is called there"
            )
    extra = _find_extra_columns(description, columns, by_lower)
    width = {field: int(widths[column] or 0) for field, column in columns.items()}
    return TableFacts(
        version, description.table, columns, width["name"], width["password"], width["home"], extra
    )


def build_select(facts: TableFacts, count: int) -> str:
    """Return the statement that reads *count* names. The table's collation compares them: see read_rows."""
    columns = ", ".join(quote_identifier(column) for column in facts.columns.values())
    marks = ", ".join(["%s"] * count)
    return (
        f"SELECT {columns} FROM {quote_identifier(facts.table)}"  # noqa: S608 - quoted identifiers, bound values
        f" WHERE {quote_identifier(facts.columns['name'])} IN ({marks})"
    )


def build_insert(facts: TableFacts, row: UserRow) -> tuple[str, list[Any]]:
    """Return the statement and values that add *row*."""
    names = [*facts.columns.values(), *facts.extra_columns]
    columns = ", ".join(quote_identifier(column) for column in names)
    marks = ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO {quote_identifier(facts.table)} ({columns}) VALUES ({marks})"  # noqa: S608
    values = [_to_value(field, getattr(row, field)) for field in facts.columns]
    return statement, [*values, *facts.extra_columns.values()]


def build_update(facts: TableFacts, before: UserRow, after: UserRow) -> tuple[str, list[Any]]:
    """Return the statement and values that change *before* into *after*. Only fields that differ are written."""
    fields = [field for field in facts.columns if getattr(before, field) != getattr(after, field)]
    settings = ", ".join(f"{quote_identifier(facts.columns[field])} = %s" for field in fields)
    where, values = _build_where(facts, before.name)
    statement = f"UPDATE {quote_identifier(facts.table)} SET {settings}{where}"  # noqa: S608
    return statement, [_to_value(field, getattr(after, field)) for field in fields] + values


def build_delete(facts: TableFacts, name: str) -> tuple[str, list[Any]]:
    """Return the statement and values that remove the row of *name*."""
    where, values = _build_where(facts, name)
    return f"DELETE FROM {quote_identifier(facts.table)}{where}", values  # noqa: S608


def read_rows(cursor: Any, facts: TableFacts, names: Sequence[str]) -> SeenRows:
    """Read the rows of *names*.

    The default collation regards ``FTP_T1`` and ``ftp_t1␠`` as equal to ``ftp_t1``. Such rows are returned as
    lookalikes, since they prevent an INSERT; they are never used as the row of the account.
    """
    rows: dict[str, list[UserRow]] = {name: [] for name in names}
    lookalikes: list[str] = []
    if not names:
        return SeenRows(rows, lookalikes)
    for values in _run(cursor, build_select(facts, len(names)), list(names)):
        row = _to_row(facts, values)
        if row.name in rows:
            rows[row.name].append(row)
        else:
            lookalikes.append(row.name)
    return SeenRows(rows, lookalikes)


def read_rows_below(cursor: Any, facts: TableFacts, root: str) -> list[UserRow]:
    """Read all rows whose home is below *root*, also those that tempoftp did not create."""
    prefix = root.rstrip("/") + "/"
    columns = ", ".join(quote_identifier(column) for column in facts.columns.values())
    home = quote_identifier(facts.columns["home"])
    statement = (
        f"SELECT {columns} FROM {quote_identifier(facts.table)}"  # noqa: S608 - quoted identifiers, bound values
        f" WHERE BINARY LEFT({home}, %s) = %s"
    )
    return [_to_row(facts, values) for values in _run(cursor, statement, [len(prefix), prefix])]


def apply_row(cursor: Any, facts: TableFacts, before: Optional[UserRow], after: Optional[UserRow]) -> None:
    """Change the row *before* into *after* by one statement; None means no row. Raises a classified TempoftpError."""
    if before is not None and after is not None:
        statement, values = build_update(facts, before, after)
    elif after is not None:
        statement, values = build_insert(facts, after)
    elif before is not None:
        statement, values = build_delete(facts, before.name)
    else:
        return
    _run(cursor, statement, values)


def commit(connection: Any) -> None:
    """Commit the transaction; raise DatabaseUnavailableError when the server does not confirm it."""
    try:
        connection.commit()
    except MYSQL_ERRORS as error:
        raise _classify(error) from None


def find_differences(
    expected: Optional[UserRow], seen: Optional[UserRow], fields: Iterable[str]
) -> list[str]:
    """Return the fields in which the row that was read back differs from the row that was written."""
    if expected is None or seen is None:
        return [] if expected is seen else ["the row itself"]
    return [field for field in fields if getattr(expected, field) != getattr(seen, field)]


def _find_extra_columns(
    description: TableDescription, columns: Mapping[str, str], by_lower: Mapping[str, str]
) -> dict[str, Any]:
    """Return the extra columns by their real names; raise DatabaseUnavailableError when one is not usable."""
    extra = {}
    for name, value in description.extra_columns.items():
        column = by_lower.get(name.lower())
        if column is None:
            raise DatabaseUnavailableError(
                f"extra_columns: table {description.table!r} has no column {name!r} (it has "
                f"{', '.join(sorted(by_lower.values()))})"
            )
        if column in columns.values():
            raise DatabaseUnavailableError(
                f"extra_columns: {name!r} is a column that tempoftp writes itself: leave it out"
            )
        extra[column] = value
    return extra


def _build_where(facts: TableFacts, name: str) -> tuple[str, list[Any]]:
    column = quote_identifier(facts.columns["name"])
    # The first comparison may use the index, the second one is exact.
    return f" WHERE {column} = %s AND BINARY {column} = %s", [name, name]


def _run(cursor: Any, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    try:
        cursor.execute(statement, values)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
    except MYSQL_ERRORS as error:
        raise _classify(error) from None
    return rows


def _classify(error: BaseException) -> TempoftpError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number in _ROW_ERRORS:
        return TempoftpError(
            f"the users table refused the row: {describe_failure(error)}", _ROW_ERRORS[number]
        )
    if number == _NO_DEFAULT:
        return DatabaseUnavailableError(
            f"the users table refused the row: {describe_failure(error)}; give new rows a value there by extra_columns"
        )
    return DatabaseUnavailableError(
        f"the database did not do it: {describe_failure(error)}; look at the server and at the grants of this login"
    )


def _to_row(facts: TableFacts, values: Sequence[Any]) -> UserRow:
    found = dict(zip(facts.columns, values))
    return UserRow(
        name=_to_text(found["name"]),
        password=_to_text(found["password"]),
        uid=_to_number(found["uid"]),
        gid=_to_number(found["gid"]),
        home=_to_text(found["home"]),
        status=_to_text(found["status"]),
        expires=_to_time(found.get("expires")),
    )


def _to_number(value: Any) -> int:
    """Return a uid or gid. A name or NULL, which other software may have written, gives -1, which is never valid."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


def _to_time(value: Any) -> Optional[str]:
    if isinstance(value, datetime):
        return value.strftime(_TIME_FORMAT)
    return None if value is None else str(value)


def _to_value(field: str, value: Any) -> Any:
    if field == "expires" and isinstance(value, str):
        # MySQL's DATETIME has no zone and is written without T and Z.
        return value.replace("T", " ").rstrip("Z")
    return value
