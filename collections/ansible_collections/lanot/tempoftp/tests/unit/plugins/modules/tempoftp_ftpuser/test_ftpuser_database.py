# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database cannot be reached, refuses, or goes away: classified, bounded, and nobody else's fault."""

from __future__ import annotations

import pymysql
import pytest

HASH = "$2b$12$" + "a" * 53
REFUSED = pymysql.err.OperationalError(2003, "Can't connect to MySQL server on 'localhost'")
LOST = pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
INSERT = "^INSERT INTO `users`"


def build_values(name):
    return [name, HASH, 2001, 2001, f"/data/{name}", "1"]


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSED,
        pymysql.err.OperationalError(1045, "Access denied for user 'tempoftp'@'localhost'"),
        TimeoutError("timed out"),
        RuntimeError("'cryptography' package is required for caching_sha2_password auth methods"),
    ],
)
def test_the_single_form_fails_and_says_where(server, run, refusal):
    server.refusal = refusal
    result = run(name="ftp_a", password_hash=HASH)
    assert result["failed"]
    assert result["error"] == {"class": "database_unavailable", "message": result["msg"], "transient": True}
    assert "localhost:3306 as tempoftp, database pureftpd" in result["msg"]
    assert "the login's own secret" not in str(result["users"]) + result["msg"]


def test_the_list_form_gives_everybody_the_error_and_does_not_fail(server, run):
    server.refusal = REFUSED
    result = run(users=[{"name": "ftp_a", "password_hash": HASH}, {"name": "ftp_b", "state": "absent"}])
    assert not result.get("failed")
    assert [user["error"]["class"] for user in result["users"]] == ["database_unavailable"] * 2
    assert [user["state"] for user in result["users"]] == ["unknown"] * 2
    assert not result["database"]["ok"]


def test_an_empty_list_only_reports(server, run):
    server.refusal = REFUSED
    result = run(users=[])
    assert not result.get("failed")
    assert result["database"]["error"]["class"] == "database_unavailable"


def test_an_empty_list_reads_the_table_only(server, run):
    server.expect_table()
    assert run(users=[])["database"] == {
        "ok": True,
        "version": "10.11.14-MariaDB",
        "mysql_crypt": "any",
        "password_width": 255,
        "password_schemes": ["argon2id", "bcrypt"],
        "has_expires": False,
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "is not there or not visible to this login"),
        (
            [("User", 64), ("Uid", None), ("Gid", None), ("Dir", 64), ("Status", None)],
            "has no column 'Password'",
        ),
    ],
)
def test_a_table_that_cannot_be_used_says_what_to_do(server, run, columns, message):
    server.expect_table(columns)
    result = run(name="ftp_a", password_hash=HASH)
    assert result["error"]["class"] == "database_unavailable"
    assert message in result["msg"]


def test_a_missing_grant_is_the_databases_error(server, run):
    server.expect_table()
    server.expect_read(["ftp_a"])
    server.expect(
        INSERT, build_values("ftp_a"), pymysql.err.OperationalError(1142, "INSERT command denied to user")
    )
    result = run(name="ftp_a", password_hash=HASH)
    assert result["error"]["class"] == "database_unavailable"
    assert "grants" in result["msg"]
    assert not result["changed"]


def test_a_connection_lost_in_the_middle_leaves_nobody_confirmed(server, run):
    server.expect_table()
    server.expect_read(["ftp_a", "ftp_b"])
    server.expect(INSERT, build_values("ftp_a"))
    server.expect(INSERT, build_values("ftp_b"), LOST)
    server.expect_commit(LOST)
    result = run(users=[{"name": name, "password_hash": HASH} for name in ("ftp_a", "ftp_b")])
    assert [user["error"]["class"] for user in result["users"]] == ["database_unavailable"] * 2
    assert [user["changed"] for user in result["users"]] == [False, False]


def test_a_read_that_is_never_answered_ends_with_the_time_limit(server, run):
    server.expect_table()
    server.expect(
        "^SELECT `User`", ["ftp_a"], pymysql.err.OperationalError(2013, "Lost connection (timed out)")
    )
    result = run(name="ftp_a", password_hash=HASH, connect_timeout=3)
    assert result["error"]["class"] == "database_unavailable"
    assert server.login["read_timeout"] == 3


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (pymysql.err.IntegrityError(1062, "Duplicate entry 'ftp_b' for key 'PRIMARY'"), "account_conflict"),
        (pymysql.err.DataError(1406, "Data too long for column 'Dir' at row 1"), "invalid"),
        (pymysql.err.DataError(1265, "Data truncated for column 'Status' at row 1"), "invalid"),
    ],
)
def test_one_poisoned_account_stops_nobody_else(server, run, error, error_class):
    names = ["ftp_a", "ftp_b", "ftp_c"]
    server.expect_table()
    server.expect_read(names)
    for name in names:
        server.expect(INSERT, build_values(name), error if name == "ftp_b" else ())
    server.expect_commit()
    server.expect_read(
        ["ftp_a", "ftp_c"], [(name, HASH, 2001, 2001, f"/data/{name}", 1) for name in ("ftp_a", "ftp_c")]
    )
    result = run(users=[{"name": name, "password_hash": HASH} for name in names])
    assert not result.get("failed")
    assert [user["state"] for user in result["users"]] == ["present", "unknown", "present"]
    assert result["users"][1]["error"]["class"] == error_class


def test_refused_accounts_never_reach_a_statement(server, run):
    names = ["../x", "' OR 1=1 -- ", "mitad_ñ", "ftp_a", "ftp_a", "root"]
    server.expect_table()
    server.expect_read(["ftp_a", "root"])
    server.expect(INSERT, build_values("ftp_a"))
    server.expect_commit()
    server.expect_read(["ftp_a"], [("ftp_a", HASH, 2001, 2001, "/data/ftp_a", 1)])
    users = [{"name": name, "password_hash": HASH} for name in names]
    users[5]["uid"] = 0
    result = run(users=users)
    assert [user["error"] and user["error"]["class"] for user in result["users"]] == [
        "invalid",
        "invalid",
        "invalid",
        None,
        "invalid",
        "invalid",
    ]
