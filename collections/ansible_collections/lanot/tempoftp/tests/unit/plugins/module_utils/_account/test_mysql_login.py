# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options and login file → PyMySQL's arguments; failures classified, passwords never shown."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account import (
    mysql_login as _mysql_login,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    LoginOptions,
    build_connect_arguments,
    open_connection,
    parse_login_file,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    DatabaseUnavailableError,
)
from hypothesis import given
from hypothesis import strategies as st

STORED = {
    "user": "tempoftp",
    "password": "de fichero",
    "database": "pureftpd",
    "host": "db.example.org",
    "port": "3307",
}


def test_the_client_group_is_read_without_quotes_and_the_others_are_not():
    text = (
        "[mysqld]\nuser=mysql\n[client]\nuser = 'tempoftp'\npassword=\"a;b#c%d\"\nssl_ca=/ca.pem\nskip-ssl\n"
    )
    assert parse_login_file(text) == {"user": "tempoftp", "password": "a;b#c%d", "ssl-ca": "/ca.pem"}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        stored = parse_login_file(text)
    except configparser.Error:
        return
    assert all(isinstance(value, str) for value in stored.values())


def test_every_wait_is_bounded_and_the_session_is_not_autocommitted():
    arguments = build_connect_arguments(LoginOptions(connect_timeout=7), STORED)
    assert {arguments[f"{wait}_timeout"] for wait in ("connect", "read", "write")} == {7}
    assert arguments["autocommit"] is False


def test_the_file_says_what_the_options_do_not():
    arguments = build_connect_arguments(LoginOptions(), STORED)
    assert (arguments["host"], arguments["port"]) == ("db.example.org", 3307)
    assert (arguments["user"], arguments["password"], arguments["database"]) == (
        "tempoftp",
        "de fichero",
        "pureftpd",
    )


def test_an_option_wins_over_the_file():
    options = LoginOptions(
        login_host="10.0.0.1", login_user="otro", login_password="", login_db="x", login_port=1
    )
    arguments = build_connect_arguments(options, {**STORED, "socket": "/run/mysqld/mysqld.sock"})
    assert (arguments["host"], arguments["port"], arguments["user"]) == ("10.0.0.1", 1, "otro")
    assert (arguments["password"], arguments["database"]) == ("", "x")
    assert "unix_socket" not in arguments


def test_a_socket_wins_over_a_host():
    arguments = build_connect_arguments(LoginOptions(), {**STORED, "socket": "/run/s"})
    assert arguments["unix_socket"] == "/run/s"
    assert "host" not in arguments


def test_tls_comes_from_the_file():
    arguments = build_connect_arguments(LoginOptions(), {**STORED, "ssl-ca": "/ca.pem"})
    assert arguments["ssl"] == {"ca": "/ca.pem"}


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"user": "a"}, "no login_db"),
        ({"database": "a"}, "no login_user"),
        ({**STORED, "port": "ssh"}, "is no port"),
        ({**STORED, "port": "70000"}, "is no port"),
    ],
)
def test_an_incomplete_login_is_refused(stored, message):
    with pytest.raises(DatabaseUnavailableError, match=message):
        build_connect_arguments(LoginOptions(), stored)


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(DatabaseUnavailableError, match=r"gone\.cnf does not exist.*ftp_server"):
        open_connection(LoginOptions(login_config_file=str(tmp_path / "gone.cnf")))


def test_a_broken_file_is_refused_without_showing_it(tmp_path):
    path = tmp_path / "mysql.cnf"
    path.write_text("password=secreto-del-fichero\n")
    with pytest.raises(DatabaseUnavailableError, match="cannot be read as a MySQL option file") as caught:
        open_connection(LoginOptions(login_config_file=str(path)))
    assert "secreto" not in caught.value.message


def test_a_server_that_is_not_there_is_named_without_the_password():
    options = LoginOptions(
        login_config_file=None,
        login_host="127.0.0.1",
        login_port=1,
        login_user="tempoftp",
        login_password="muy-secreto",
        login_db="pureftpd",
    )
    with pytest.raises(
        DatabaseUnavailableError, match=r"127\.0\.0\.1:1 as tempoftp, database pureftpd"
    ) as caught:
        open_connection(options)
    assert caught.value.transient
    assert "muy-secreto" not in caught.value.message


def test_a_missing_pymysql_is_named(monkeypatch):
    monkeypatch.setattr(_mysql_login, "PYMYSQL_IMPORT_ERROR", "ImportError: pymysql")
    with pytest.raises(DatabaseUnavailableError, match="python3-pymysql"):
        open_connection(LoginOptions())
