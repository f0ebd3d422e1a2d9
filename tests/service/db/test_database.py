"""Transactions: short, immediate, and durable."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from tempoftp.db.clock import database_now, utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost


def test_sqlite_is_set_up_to_survive_a_power_cut(database: Database) -> None:
    with database.read() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert session.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_read_then_write_never_fails_as_locked(database: Database) -> None:
    """The deferred transaction that wants to write after another one did: the reason for BEGIN IMMEDIATE."""
    with database.write() as session:
        session.add(FtpHost(name="h", facts={"n": 0}, paused=False))
    failures: list[Exception] = []

    def add() -> None:
        try:
            for _ in range(15):
                with database.write() as session:
                    host = session.get_one(FtpHost, "h")
                    assert host.facts is not None
                    host.facts = {"n": host.facts["n"] + 1}
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with database.read() as session:
        assert session.get_one(FtpHost, "h").facts == {"n": 90}


def test_what_raises_is_rolled_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session:
        session.add(FtpHost(name="h", paused=False))
        session.flush()
        raise ZeroDivisionError
    with database.read() as session:
        assert session.get(FtpHost, "h") is None


def test_times_keep_their_microseconds_and_zone(database: Database) -> None:
    moment = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
    with database.write() as session:
        session.add(Account(name="a", email="a@b", ftp_host="h", created_at=moment))
    with database.read() as session:
        assert session.get_one(Account, "a").created_at == moment


def test_naive_time_is_refused(database: Database) -> None:
    naive = datetime(2026, 11, 23)
    with pytest.raises(StatementError, match="without zone"), database.write() as session:
        session.add(Account(name="a", email="a@b", ftp_host="h", created_at=naive))


def test_names_compare_byte_by_byte(database: Database) -> None:
    with database.write() as session:
        session.add(FtpHost(name="ftp1", paused=False))
    with database.read() as session:
        assert session.get(FtpHost, "FTP1") is None
        assert session.get(FtpHost, "ftp1 ") is None


def test_the_clock_is_the_databases(database: Database) -> None:
    with database.read() as session:
        assert abs((database_now(session) - utc_now()).total_seconds()) < 5


def test_an_error_does_not_show_the_values_of_its_statement(database: Database) -> None:
    with pytest.raises(StatementError) as failed, database.read() as session:
        session.execute(text("SELECT nothing FROM nowhere WHERE token = :token"), {"token": "no-es-para-ver"})
    assert "nowhere" in str(failed.value)
    assert "no-es-para-ver" not in str(failed.value)
