"""tempoftp_ftpuser against a real MariaDB, on the tables that are out there."""

from __future__ import annotations

import os
import signal
import time

import pymysql
import pytest

from tests.collection.users_tables import ENUM_TABLE, FOREIGN_NAMES, FOREIGN_TABLE, OUR_TABLE, SEED_TABLE

NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
OTHER_HASH = "$2b$12$" + "b" * 53
ARGON2ID_HASH = "$argon2id$v=19$m=65536,t=3,p=1$" + "s" * 22 + "$" + "h" * 43
TABLES = {"seed": SEED_TABLE, "ours": OUR_TABLE, "enum": ENUM_TABLE}


def read(database, columns="Password, Uid, Gid, Dir, Status"):
    return database.execute(f"SELECT {columns} FROM users WHERE BINARY User = '{NAME}'")


@pytest.mark.parametrize("any_table", TABLES)
def test_a_life_on_every_table_changes_once_each_step(database, run_module, any_table):
    database.make_table(TABLES[any_table])
    steps = [
        ("present", "present", "1"),
        ("blocked", "blocked", "0"),
        ("present", "present", "1"),
        ("absent", "absent", None),
    ]
    for wished, state, status in steps:
        desired = {"name": NAME, "state": wished, "password_hash": HASH}
        planned = run_module(check=True, **desired)
        done = run_module(**desired)
        again = run_module(**desired)
        assert [result["changed"] for result in (planned, done, again)] == [True, True, False]
        assert [result["users"][0]["state"] for result in (planned, done, again)] == [state] * 3
        assert planned["diff"] == done["diff"]
        rows = read(database)
        assert [str(row[4]) for row in rows] == ([] if status is None else [status])
        assert [(row[0], int(row[1]), row[3]) for row in rows] == (
            [] if status is None else [(HASH, 2001, f"/data/{NAME}")]
        )


@pytest.mark.parametrize(
    ("table", "scheme", "length"),
    [("seed", "$2b$12$", 60), ("ours", "$argon2id$", 97), ("enum", "$2b$12$", 60)],
)
def test_the_password_is_stored_as_the_column_allows(database, run_module, table, scheme, length):
    database.make_table(TABLES[table])
    result = run_module(name=NAME, password="a good password")
    stored = read(database)[0][0]
    assert stored.startswith(scheme)
    assert len(stored) == length
    assert result["users"][0]["password_matches"] is True
    again = run_module(name=NAME, password="a good password", update_password="always")
    assert not again["changed"]
    assert run_module(name=NAME, password="another password", update_password="always")["changed"]
    assert read(database)[0][0] != stored


def test_a_hash_that_the_column_would_cut_is_refused(database, run_module):
    database.make_table(SEED_TABLE)
    result = run_module(name=NAME, password_hash=ARGON2ID_HASH)
    assert result["error"]["class"] == "password_scheme"
    assert read(database) == ()


def test_an_existing_password_survives_everything_but_always(database, run_module):
    database.make_table(OUR_TABLE)
    run_module(name=NAME, password_hash=HASH)
    for state in ("present", "blocked", "present"):
        run_module(name=NAME, password_hash=OTHER_HASH, state=state)
        assert read(database)[0][0] == HASH


def test_an_end_in_time_is_kept_to_the_second_in_utc(database, run_module):
    database.make_table(OUR_TABLE)
    database.execute("SET GLOBAL time_zone = '-06:00'")
    try:
        result = run_module(name=NAME, password_hash=HASH, expires="2099-12-31T23:59:59Z")
        assert str(read(database, "Expires")[0][0]) == "2099-12-31 23:59:59"
        assert result["users"][0]["expires"] == "2099-12-31T23:59:59Z"
        assert not run_module(name=NAME, password_hash=HASH, expires="2099-12-31T23:59:59Z")["changed"]
    finally:
        database.execute("SET GLOBAL time_zone = 'SYSTEM'")


@pytest.mark.parametrize("other", ["FTP_ALGUIEN", "Ftp_Alguien"])
def test_an_account_that_the_collation_confuses_is_neither_taken_nor_touched(database, run_module, other):
    database.make_table(SEED_TABLE)
    database.execute(f"INSERT INTO users VALUES ('{other}', 'theirs', 2001, 2001, '/data/x', 1)")
    before = database.execute("SELECT * FROM users")
    assert run_module(name=NAME, password_hash=HASH)["error"]["class"] == "account_conflict"
    assert not run_module(name=NAME, state="absent")["changed"]
    assert not run_module(name=NAME, state="blocked")["changed"]
    assert database.execute("SELECT * FROM users") == before


def test_other_columns_of_an_existing_row_are_left_alone(database, run_module):
    database.make_table(ENUM_TABLE)
    database.execute(
        f"INSERT INTO users VALUES ('{NAME}', '1', '{HASH}', '2001', '2001', '/data/{NAME}', 77, 99)"
    )
    run_module(name=NAME, state="blocked")
    assert read(database, "Status, ULBandwidth, QuotaSize") == (("0", 77, 99),)


def make_foreign_table(database) -> None:
    database.execute(
        FOREIGN_TABLE, "GRANT SELECT, INSERT, UPDATE, DELETE ON pureftpd.ftpd TO tempoftp@localhost"
    )


def test_a_table_with_other_names_and_more_columns_is_mapped(database, run_module):
    make_foreign_table(database)
    theirs = ("juan", "theirs", 1001, 1001, "/home/juan", "1", 77, "old")
    database.execute(f"INSERT INTO ftpd VALUES {theirs}")
    extra = {"quotasize": 500, "com`ment %": "tempoftp's"}
    desired = {"name": NAME, "password_hash": HASH, **FOREIGN_NAMES, "extra_columns": extra}
    assert run_module(check=True, **desired)["changed"]
    assert run_module(**desired)["changed"]
    assert not run_module(**desired)["changed"]
    ours = (NAME, HASH, 2001, 2001, f"/data/{NAME}", "1", 500, "tempoftp's")
    assert database.execute("SELECT * FROM ftpd ORDER BY login") == (ours, theirs)
    # Other values for new rows change no row that is there.
    assert not run_module(**{**desired, "extra_columns": {**extra, "QuotaSize": 9}})["changed"]
    assert run_module(**desired, state="blocked")["users"][0]["state"] == "blocked"
    assert database.execute(f"SELECT active, QuotaSize FROM ftpd WHERE login = '{NAME}'") == (("0", 500),)
    assert run_module(**desired, state="absent")["changed"]
    assert database.execute("SELECT * FROM ftpd") == (theirs,)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({}, "extra_columns"),
        ({"QuotaSize": 1}, "ment %"),
        ({"Quota": 1}, "no column 'Quota'"),
        ({"passwd": "x"}, "writes itself"),
    ],
)
def test_extra_columns_that_do_not_suffice_are_said_and_nothing_is_written(
    database, run_module, extra, words
):
    make_foreign_table(database)
    result = run_module(name=NAME, password_hash=HASH, **FOREIGN_NAMES, extra_columns=extra)
    assert (result["error"]["class"], words in result["msg"]) == ("database_unavailable", True)
    assert database.execute("SELECT * FROM ftpd") == ()


def test_an_extra_value_that_no_column_holds_is_refused(database, run_module):
    make_foreign_table(database)
    result = run_module(name=NAME, password_hash=HASH, **FOREIGN_NAMES, extra_columns={"QuotaSize": [1]})
    assert result["error"]["class"] == "invalid"


def test_a_column_that_is_not_there_is_said(database, run_module):
    make_foreign_table(database)
    result = run_module(name=NAME, password_hash=HASH, table="ftpd")
    assert "no column 'User'" in result["msg"]
    assert "columns" in result["msg"]


def test_a_trigger_that_changes_what_is_written_is_found_out(database, run_module):
    database.make_table(SEED_TABLE)
    database.execute("CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.Status = 0")
    result = run_module(name=NAME, password_hash=HASH)
    assert result["failed"]
    assert "status" in result["msg"]


def test_one_that_the_server_refuses_stops_nobody_else(database, run_module):
    database.make_table(SEED_TABLE.replace("Gid INT NOT NULL", "Gid SMALLINT NOT NULL"))
    users = [{"name": name, "password_hash": HASH} for name in ("ftp_a", "ftp_b", "ftp_c")]
    users[1]["gid"] = 70000
    result = run_module(users=users)
    assert [user["state"] for user in result["users"]] == ["present", "unknown", "present"]
    assert result["users"][1]["error"]["class"] == "invalid"
    assert database.execute("SELECT User FROM users ORDER BY User") == (("ftp_a",), ("ftp_c",))


def test_a_table_with_a_strange_name_is_quoted(database, run_module):
    database.execute(
        SEED_TABLE.replace("TABLE users", "TABLE `us``ers %s`"),
        "GRANT ALL ON pureftpd.* TO tempoftp@localhost",
    )
    assert run_module(name=NAME, password_hash=HASH, table="us`ers %s")["changed"]
    assert not run_module(name=NAME, password_hash=HASH, table="us`ers %s")["changed"]
    injected = run_module(name=NAME, password_hash=HASH, table="users`; DROP TABLE users; -- ")
    assert injected["error"]["class"] == "database_unavailable"


@pytest.mark.parametrize("missing", ["INSERT", "UPDATE", "DELETE"])
def test_a_grant_that_is_missing_is_the_databases_error(database, run_module, missing):
    database.make_table(SEED_TABLE)
    run_module(name="ftp_there", password_hash=HASH)
    database.execute(f"REVOKE {missing} ON pureftpd.users FROM tempoftp@localhost")
    desired = {
        "INSERT": {"name": NAME, "password_hash": HASH},
        "UPDATE": {"name": "ftp_there", "state": "blocked"},
        "DELETE": {"name": "ftp_there", "state": "absent"},
    }[missing]
    result = run_module(**desired)
    assert result["error"]["class"] == "database_unavailable"
    assert missing in result["msg"]
    assert not result["changed"]


def test_a_missing_table_and_a_wrong_password_are_the_databases_error(database, run_module):
    database.make_table(SEED_TABLE)
    assert "create it" in run_module(name=NAME, password_hash=HASH, table="usuarios")["msg"]
    result = run_module(name=NAME, password_hash=HASH, login_password="wrong secret")
    assert result["error"]["class"] == "database_unavailable"
    assert "Access denied" in result["msg"]
    assert "wrong secret" not in str(result)


def test_a_server_that_hangs_is_given_up_in_time(database, run_module):
    database.make_table(SEED_TABLE)
    os.kill(database.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        result = run_module(users=[{"name": NAME, "password_hash": HASH}], connect_timeout=1)
        assert time.monotonic() - begun < 10
    finally:
        os.kill(database.process.pid, signal.SIGCONT)
    assert result["users"][0]["error"]["class"] == "database_unavailable"
    assert run_module(users=[{"name": NAME, "password_hash": HASH}])["users"][0]["state"] == "present"


def test_a_row_that_another_session_holds_is_given_up_in_time(database, run_module):
    database.make_table(SEED_TABLE)
    run_module(name=NAME, password_hash=HASH)
    with database.connect() as other, other.cursor() as cursor:
        other.begin()
        cursor.execute(f"SELECT * FROM users WHERE User = '{NAME}' FOR UPDATE")
        result = run_module(users=[{"name": NAME, "state": "blocked"}], connect_timeout=1)
        other.rollback()
    assert result["users"][0]["error"]["class"] == "database_unavailable"
    assert not result["users"][0]["changed"]
    assert read(database)[0][4] == 1


def test_forty_accounts_are_one_transaction(database, run_module):
    database.make_table(OUR_TABLE)
    users = [{"name": f"ftp_{number}", "password_hash": HASH} for number in range(40)]
    before = count_commits(database)
    assert all(user["created"] for user in run_module(users=users)["users"])
    assert count_commits(database) - before == 1
    assert database.execute("SELECT COUNT(*) FROM users") == ((40,),)
    assert not run_module(users=users)["changed"]


def count_commits(database) -> int:
    return int(database.execute("SHOW GLOBAL STATUS LIKE 'Com_commit'")[0][1])


def test_only_bound_values_ever_reach_the_server(database, run_module):
    database.make_table(SEED_TABLE)
    database.execute("INSERT INTO users VALUES ('ftp_other', 'theirs', 2001, 2001, '/data/ftp_other', 1)")
    for name in ("' OR 1=1 -- ", "ftp_x' OR 'a'='a", 'ftp_x" OR ""="', "ftp_%", "ftp_\\"):
        result = run_module(users=[{"name": name, "state": "absent"}])
        assert result["users"][0]["error"]["class"] == "invalid"
    assert database.execute("SELECT COUNT(*) FROM users") == ((1,),)


def test_the_login_of_the_table_is_what_the_documentation_asks_for(database, run_module):
    database.make_table(OUR_TABLE)
    run_module(name=NAME, password_hash=HASH)
    with (
        pytest.raises(pymysql.err.OperationalError, match="denied"),
        pymysql.connect(
            unix_socket=str(database.socket), user="tempoftp", password="login secret", database="pureftpd"
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("DROP TABLE users")
