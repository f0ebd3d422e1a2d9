# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One account is made, kept, given another password: the statements to the letter."""

from __future__ import annotations

import pytest

NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
OTHER_HASH = "$2b$12$" + "b" * 53
ROW = (NAME, HASH, 2001, 2001, f"/data/{NAME}", 1)
FIELDS = r"`User`, `Password`, `Uid`, `Gid`, `Dir`, `Status`"
INSERT = rf"^INSERT INTO `users` \({FIELDS}\) VALUES \(%s, %s, %s, %s, %s, %s\)$"
VALUES = [NAME, HASH, 2001, 2001, f"/data/{NAME}", "1"]


def test_a_new_account_is_inserted_and_read_back(server, run):
    server.expect_table()
    server.expect_read([NAME])
    server.expect(INSERT, VALUES)
    server.expect_commit()
    server.expect_read([NAME], [ROW])
    result = run(name=NAME, password_hash=HASH)
    assert result["changed"]
    assert result["users"][0]["state"] == "present"
    assert result["users"][0]["created"]
    assert server.login["database"] == "pureftpd"
    assert {server.login[f"{wait}_timeout"] for wait in ("connect", "read", "write")} == {10}


def test_an_account_as_it_should_be_costs_one_read(server, run):
    server.expect_table()
    server.expect_read([NAME], [ROW])
    result = run(name=NAME, password_hash=HASH)
    assert not result["changed"]
    assert result["diff"] == []


def test_check_mode_says_the_same_and_writes_nothing(server, run):
    server.expect_table()
    server.expect_read([NAME])
    result = run(check=True, name=NAME, password_hash=HASH)
    assert result["changed"]
    assert result["users"][0]["state"] == "present"
    assert result["diff"][0]["before"]["state"] == "absent"
    assert result["diff"][0]["after"]["home"] == f"/data/{NAME}"


def test_the_hash_that_was_given_is_not_returned_and_not_censored(server, run):
    server.expect_table()
    server.expect_read([NAME], [ROW])
    result = run(name=NAME, password_hash=HASH)
    assert result["users"][0]["password_matches"] is True
    assert "password_hash" not in result["users"][0]
    assert "VALUE_SPECIFIED_IN_NO_LOG" not in str(result["users"])


def test_another_stored_hash_is_returned_and_kept(server, run):
    server.expect_table()
    server.expect_read([NAME], [ROW])
    result = run(name=NAME, password_hash=OTHER_HASH)
    assert not result["changed"]
    assert result["users"][0]["password_matches"] is False
    assert result["users"][0]["password_hash"] == HASH


def test_only_what_differs_is_updated_and_the_row_is_named_exactly(server, run):
    server.expect_table()
    server.expect_read([NAME], [ROW])
    server.expect(
        r"^UPDATE `users` SET `Password` = %s WHERE `User` = %s AND BINARY `User` = %s$",
        [OTHER_HASH, NAME, NAME],
    )
    server.expect_commit()
    server.expect_read([NAME], [(NAME, OTHER_HASH, *ROW[2:])])
    result = run(name=NAME, password_hash=OTHER_HASH, update_password="always")
    assert result["changed"]
    assert OTHER_HASH not in str(result["diff"])
    assert HASH not in str(result["diff"])
    assert result["diff"][0]["after"]["password"] == "(another one)"


def test_what_reads_back_differently_is_an_error(server, run):
    server.expect_table()
    server.expect_read([NAME])
    server.expect(INSERT, VALUES)
    server.expect_commit()
    server.expect_read([NAME], [(NAME, HASH[:50], 2001, 2001, f"/data/{NAME}", 0)])
    result = run(name=NAME, password_hash=HASH)
    assert result["failed"]
    assert result["error"]["class"] == "database_unavailable"
    assert "password, status" in result["msg"]
    assert result["changed"]
    assert HASH[:50] not in str(result)


def test_columns_are_called_as_the_server_calls_them_and_quoted(server, run):
    columns = [("USER", 64), ("password", 64), ("uid", None), ("gid", None), ("dir", 64), ("Status", None)]
    server.expect_table(columns, table="us`ers%s")
    server.expect(
        r"^SELECT `USER`, `password`, `uid`, `gid`, `dir`, `Status` FROM `us``ers%%s` WHERE `USER` IN \(%s\)$",
        [NAME],
        [ROW],
    )
    assert not run(name=NAME, password_hash=HASH, table="us`ers%s")["changed"]


def test_values_that_come_as_bytes_are_text(server, run):
    server.expect_table()
    server.expect_read([NAME], [(NAME.encode(), HASH.encode(), 2001, 2001, f"/data/{NAME}".encode(), b"1")])
    assert not run(name=NAME, password_hash=HASH)["changed"]


@pytest.mark.parametrize("uid", ["www-data", "", None])
def test_a_row_that_other_software_wrote_is_a_conflict_not_a_crash(server, run, uid):
    server.expect_table()
    server.expect_read([NAME], [(NAME, None, uid, 2001, f"/data/{NAME}", 1)])
    result = run(users=[{"name": NAME, "password_hash": HASH}])
    assert result["users"][0]["error"]["class"] == "account_conflict"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": NAME, "users": []}, "mutually exclusive"),
        ({}, "one of the following is required: name, users"),
        ({"name": NAME, "password": "a password", "password_hash": HASH}, "mutually exclusive"),
        ({"name": NAME, "state": "listo"}, "value of state must be one of"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_connection(server, run, options, message):
    assert message in run(**options)["msg"]
    assert server.login == {}


@pytest.mark.parametrize(
    ("crypt", "error_class"),
    [("md5", "password_scheme"), ("cleartext", "password_scheme"), ("", "password_scheme")],
)
def test_what_pure_ftpd_would_take_for_clear_text_is_refused(server, run, mysql_conf, crypt, error_class):
    mysql_conf.write_text(f"MYSQLCrypt {crypt}\n")
    server.expect_table()
    server.expect_read([NAME])
    result = run(name=NAME, password_hash=HASH)
    assert result["error"]["class"] == error_class
    assert str(mysql_conf) in result["msg"]
    assert result["database"]["password_schemes"] == []
