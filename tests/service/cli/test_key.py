from __future__ import annotations

import logging
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from tempoftp.cli.service import report_missing_keys
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account
from tempoftp.settings import Settings

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_new_prints_a_key_that_the_service_takes(tempoftp_alone) -> None:
    first, second = tempoftp_alone("key", "new"), tempoftp_alone("key", "new")
    assert first.code == 0
    assert first.out != second.out
    token = Fernet(first.out.strip()).encrypt(b"clave").decode()
    assert tempoftp_alone("decrypt", token, TEMPOFTP_ENCRYPTION_KEY=first.out.strip()).out == "clave\n"


@pytest.fixture
def stored(tempoftp_alone, tmp_path: Path) -> Database:
    """A service's database with one account, whose password is encrypted with the old key."""
    assert tempoftp_alone("db", "upgrade").code == 0
    database = Database(f"sqlite:///{tmp_path / 'state' / 'tempoftp.sqlite3'}")
    token = Fernet(OLD).encrypt(b"clave").decode()
    with database.write() as session:
        session.add(
            Account(name="ftp_a", email="a@dominio", ftp_host="ftp1", token=token, created_at=utc_now())
        )
    yield database
    database.close()


def read_token(database: Database) -> str:
    with database.read() as session:
        return session.scalars(select(Account.token)).one()


def test_rotate_brings_what_is_stored_to_the_new_key(tempoftp_alone, stored: Database) -> None:
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=f"{NEW},{OLD}")
    assert (ended.code, ended.out) == (0, "1 encrypted anew, 0 had the first key already\n")
    assert Fernet(NEW).decrypt(read_token(stored)) == b"clave"
    again = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert (again.code, again.out) == (0, "0 encrypted anew, 1 had the first key already\n")


def test_rotate_without_the_old_key_says_so_and_changes_nothing(tempoftp_alone, stored: Database) -> None:
    before = read_token(stored)
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert ended.code == 6
    assert "ftp_a" in ended.err
    assert "old key" in ended.err
    assert before not in ended.err + ended.out
    assert read_token(stored) == before


@pytest.mark.parametrize(("keys", "silent"), [(NEW, False), (f"{NEW},{OLD}", True)], ids=["new only", "both"])
def test_a_starting_worker_says_that_a_key_is_missing(
    stored: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, keys: str, silent: bool
) -> None:
    report_missing_keys(Settings(simulacro=True, encryption_key=keys, state_dir=tmp_path / "state"))
    assert ("ftp_a" not in caplog.text) == silent
    assert {record.levelno for record in caplog.records} == (set() if silent else {logging.ERROR})
