# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the users table and the clock of the database, and checks them. Nothing is written."""

from __future__ import annotations

import contextlib
import posixpath
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._account.mysql_login import (
    MYSQL_ERRORS,
    PYMYSQL_IMPORT_ERROR,
    describe_failure,
    open_connection,
)
from .._account.passwords import read_mysql_crypt
from .._account.users_table import TableFacts, quote_identifier, read_table
from .._host.errors import TempoftpError
from .._host.pureftpd_binary import has_libsodium
from .._host.pureftpd_config import PureftpdConfig
from .._host.tree import Tree
from .._record.accounts import read_account
from .checks import (
    FAIL,
    NAME_LENGTH,
    OK,
    SITE,
    WARN,
    Check,
    check_homes,
    check_login_query,
    check_passwords,
    check_skew,
    check_table,
)
from .options import PreflightOptions

# The role ftp_database gives the database this name.
DEFAULT_DATABASE = "pureftpd"


def look_at_database(
    wanted: PreflightOptions, config: PureftpdConfig, login_file: Path, sockets: Sequence[str], fresh: bool
) -> list[Check]:
    """Check the users table, by the modules' own login if there is one, else as root over the socket."""
    if PYMYSQL_IMPORT_ERROR or (fresh and not wanted.login.login_user):
        todo = SITE if fresh else "install python3-pymysql; then this can be looked at"
        return [Check("database", WARN if fresh else FAIL, "could not be asked yet", todo)]
    login = wanted.login
    if not login.login_user and not login_file.exists():
        if not sockets:
            return [Check("database", WARN, "no login yet, and no server on this host", SITE)]
        login = login._replace(
            login_config_file="",
            login_user="root",
            login_unix_socket=sockets[0],
            login_db=login.login_db or DEFAULT_DATABASE,
        )
    try:
        connection = open_connection(login)
    except TempoftpError as error:
        return [
            Check(
                "database",
                FAIL,
                error.message,
                "set tempoftp_db_host and tempoftp_db_name, or start the server",
            )
        ]
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return _look_at_table(cursor, wanted, config, fresh)
        except TempoftpError as error:
            managed = not config.found
            todo = (
                f"{SITE}, which makes it"
                if managed
                else "set tempoftp_db_name, tempoftp_table and tempoftp_columns"
            )
            return [Check("table", WARN if managed else FAIL, error.message, todo)]
        except MYSQL_ERRORS as error:
            return [
                Check("database", FAIL, describe_failure(error), "look at the server and the login's grants")
            ]


def _look_at_table(cursor: Any, wanted: PreflightOptions, config: PureftpdConfig, fresh: bool) -> list[Check]:
    facts = read_table(cursor, wanted.table)
    database, now = _ask_server(cursor, "SELECT DATABASE(), UNIX_TIMESTAMP()")[0]
    checks = [Check("database", OK, f"{facts.version}, database {database}")]
    columns = _ask_server(
        cursor,
        "SELECT COLUMN_NAME, COLLATION_NAME, IS_NULLABLE, COLUMN_DEFAULT, EXTRA FROM INFORMATION_SCHEMA.COLUMNS"
        " WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        facts.table,
    )
    foreign = [
        str(name)
        for name, _collation, nullable, default, extra in columns
        if nullable == "NO"
        and default is None
        and "auto_increment" not in extra
        and name not in facts.columns.values()
    ]
    checks += check_table(facts, foreign)
    if config.found:
        mysql_crypt = read_mysql_crypt(config.mysql_conf)[1] if config.mysql_conf else None
        checks += check_passwords(mysql_crypt, facts.password_width, config.mysql_conf, has_libsodium())
        collation = next((row[1] for row in columns if row[0] == facts.columns["name"]), None)
        checks += check_login_query(config, database, facts, collation)
    checks.append(check_skew("database_clock", time.time() - float(now), "the database"))
    checks.append(_look_at_accounts(cursor, wanted, facts))
    return checks


def _look_at_accounts(cursor: Any, wanted: PreflightOptions, facts: TableFacts) -> Check:
    name, home = (quote_identifier(facts.columns[field]) for field in ("name", "home"))
    rows = _ask_server(cursor, f"SELECT {name}, {home} FROM {quote_identifier(facts.table)}")  # noqa: S608 - quoted
    accounts = [(_to_text(name), _to_text(home)) for name, home in rows]
    wide = [name for name, home in accounts if is_above(home, wanted.root)]
    others = sum(not _is_ours(wanted.root, name) for name, _home in accounts)
    return check_homes(wanted.root, wide, others)


def _is_ours(root: str, name: str) -> bool:
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{NAME_LENGTH - 1}}}", name):
        return False
    record = read_account(Tree(Path(root)), name)
    return record is not None and record.origin == "created"


def is_above(home: str, root: str) -> bool:
    """Whether an account with this home can see the whole root."""
    path = posixpath.normpath(home.partition("/./")[0] or "/")
    return path == "/" or (root.rstrip("/") + "/").startswith(path.rstrip("/") + "/")


def _ask_server(cursor: Any, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
    cursor.execute(statement, values)
    rows: Sequence[Sequence[Any]] = cursor.fetchall()
    return rows


def _to_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value or "")
