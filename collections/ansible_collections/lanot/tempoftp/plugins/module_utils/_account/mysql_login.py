# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to MySQL or MariaDB: options, login file, time limits. Documented in doc_fragments/mysql_login.py."""

from __future__ import annotations

import configparser
import traceback
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._host.errors import DatabaseUnavailableError

PYMYSQL_IMPORT_ERROR: Optional[str] = None
try:
    import pymysql
    import pymysql.cursors
except ImportError:
    PYMYSQL_IMPORT_ERROR = traceback.format_exc()
    MYSQL_ERRORS: tuple[type[Exception], ...] = (OSError,)
else:
    # All errors that a statement may raise: PyMySQL does not translate some errors of the socket.
    MYSQL_ERRORS = (pymysql.err.MySQLError, OSError)

# RuntimeError: the server wants an authentication for which PyMySQL needs python3-cryptography.
_CONNECT_ERRORS: tuple[type[Exception], ...] = (*MYSQL_ERRORS, RuntimeError, ValueError)

DEFAULT_LOGIN_FILE = "/etc/tempoftp/mysql.cnf"
DEFAULT_TIMEOUT = 10
_GROUP = "client"


class LoginOptions(NamedTuple):
    """How to log in. A given option overrides the login file. *connect_timeout*: seconds, for every wait."""

    login_config_file: Optional[str] = DEFAULT_LOGIN_FILE
    login_host: Optional[str] = None
    login_port: Optional[int] = None
    login_user: Optional[str] = None
    login_password: Optional[str] = None
    login_db: Optional[str] = None
    login_unix_socket: Optional[str] = None
    connect_timeout: int = DEFAULT_TIMEOUT


def build_login_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the login options of a module's argument spec."""
    return {
        "login_config_file": {"type": "path", "default": DEFAULT_LOGIN_FILE, "no_log": False},
        "login_host": {"type": "str", "no_log": False},
        "login_port": {"type": "int", "no_log": False},
        "login_user": {"type": "str", "no_log": False},
        "login_password": {"type": "str", "no_log": True},
        "login_db": {"type": "str", "no_log": False},
        "login_unix_socket": {"type": "path", "no_log": False},
        "connect_timeout": {"type": "int", "default": DEFAULT_TIMEOUT, "no_log": False},
    }


def parse_login_file(text: str) -> dict[str, str]:
    """Return the ``[client]`` group of a MySQL option file. Keys are written with ``-``, values without quotes.

    Raises configparser.Error when the text is not an option file.
    """
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False, interpolation=None)
    parser.optionxform = lambda optionstr: optionstr.lower().replace("_", "-")  # type: ignore[method-assign]
    parser.read_string(text)
    if not parser.has_section(_GROUP):
        return {}
    return {key: _unquote(value) for key, value in parser.items(_GROUP) if value is not None}


def build_connect_arguments(options: LoginOptions, stored: dict[str, str]) -> dict[str, Any]:
    """Return PyMySQL's arguments. The login file supplies the values that the options do not give."""
    arguments: dict[str, Any] = {
        "user": options.login_user or stored.get("user"),
        "password": stored.get("password", "") if options.login_password is None else options.login_password,
        "database": options.login_db or stored.get("database"),
        "charset": "utf8mb4",
        "autocommit": False,
        "connect_timeout": options.connect_timeout,
        "read_timeout": options.connect_timeout,
        "write_timeout": options.connect_timeout,
    }
    socket = options.login_unix_socket or (stored.get("socket") if not options.login_host else None)
    if socket:
        arguments["unix_socket"] = socket
    else:
        arguments["host"] = options.login_host or stored.get("host") or "localhost"
        arguments["port"] = options.login_port or _parse_port(stored.get("port", "3306"))
    ssl = {key: stored[f"ssl-{key}"] for key in ("ca", "cert", "key") if stored.get(f"ssl-{key}")}
    if ssl:
        arguments["ssl"] = ssl
    missing = [f"login_{name}" for name in ("user", "database") if not arguments[name]]
    if missing:
        raise DatabaseUnavailableError(
            f"no {' and '.join(missing)}: give them, or write user, password and database into [client] of "
            f"{options.login_config_file}".replace("login_database", "login_db")
        )
    return arguments


def open_connection(options: LoginOptions) -> Any:
    """Return an open connection with a strict, UTC session; raise DatabaseUnavailableError otherwise."""
    if PYMYSQL_IMPORT_ERROR is not None:
        raise DatabaseUnavailableError(
            "the Python library PyMySQL is missing on this host: install it (Debian: python3-pymysql, "
            "EL: python3-PyMySQL)"
        )
    arguments = build_connect_arguments(options, _read_login_file(options))
    where = describe_server(arguments)
    try:
        connection = pymysql.connect(**arguments)
    except _CONNECT_ERRORS as error:
        raise DatabaseUnavailableError(
            f"{where}: {describe_failure(error)}; is it running, and is the login right?"
        ) from None
    try:
        with connection.cursor() as cursor:
            # Strict: a value that does not fit is an error and is never cut. UTC: a TIMESTAMP column is not shifted.
            cursor.execute(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00'"
            )
    except MYSQL_ERRORS as error:
        connection.close()
        raise DatabaseUnavailableError(f"{where}: {describe_failure(error)}") from None
    return connection


def describe_server(arguments: dict[str, Any]) -> str:
    """Return the server, user and database of a connection, without its password."""
    server = arguments.get("unix_socket") or f"{arguments['host']}:{arguments['port']}"
    return f"MySQL at {server} as {arguments['user']}, database {arguments['database']}"


def describe_failure(error: BaseException) -> str:
    """Return the message and the number of a PyMySQL error. PyMySQL's own errors never contain bound values."""
    if len(error.args) >= 2:
        return f"{error.args[1]} ({error.args[0]})"
    return str(error) or type(error).__name__


def _read_login_file(options: LoginOptions) -> dict[str, str]:
    if not options.login_config_file:
        return {}
    path = Path(options.login_config_file)
    try:
        return parse_login_file(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if options.login_user:
            return {}
        raise DatabaseUnavailableError(
            f"{path} does not exist and no login_user is given: run the role ftp_server, or give login_* options"
        ) from None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise DatabaseUnavailableError(
            f"{path} cannot be read as a MySQL option file: {reason}; it needs [client] with user, password, database"
        ) from None


def _parse_port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise DatabaseUnavailableError(f"port {value!r} in the login file is no port: write a number")
    return int(value)


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
