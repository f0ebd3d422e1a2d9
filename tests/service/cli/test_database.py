"""`tempoftp db` and `tempoftp key`, which work on the service's database."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, func, select

from tempoftp.cli.service import report_missing_keys
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Base
from tempoftp.settings import Settings


def test_upgrade_creates_the_database_and_can_be_repeated(tempoftp_alone, tmp_path: Path) -> None:
    assert tempoftp_alone("db", "upgrade").code == 0
    assert (tmp_path / "state" / "tempoftp.sqlite3").exists()
    assert tempoftp_alone("db", "upgrade").code == 0


def test_a_failed_upgrade_names_the_setting(tempoftp_alone, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    ended = tempoftp_alone("db", "upgrade")
    assert ended.code == 5
    assert "TEMPOFTP_STATE_DIR" in ended.err
    assert "Traceback" not in ended.err


def test_upgrade_does_not_show_the_databases_password(tempoftp_alone) -> None:
    url = "mysql+pymysql://tempoftp:secreta@127.0.0.1:1/tempoftp"
    ended = tempoftp_alone("db", "upgrade", TEMPOFTP_DATABASE_URL=url)
    assert ended.code == 5
    assert "secreta" not in ended.out + ended.err


@pytest.fixture
def backup(tempoftp_alone, tmp_path: Path) -> Path:
    """A backup with two tokens and an account."""
    assert tempoftp_alone("token", "create", "ana", "--email", "ana@dominio.example").code == 0
    assert tempoftp_alone("token", "create", "guardia", "--role", "operador").code == 0
    assert tempoftp_alone("account", "map", "juan@dominio.example", "juan").code == 0
    assert tempoftp_alone("db", "backup", str(tmp_path / "backup.sqlite3")).code == 0
    return tmp_path / "backup.sqlite3"


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Settings of another, empty database."""
    return {"TEMPOFTP_DATABASE_URL": f"sqlite:///{tmp_path / 'other.sqlite3'}"}


def count_rows(path: Path) -> dict[str, int]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
            }
    finally:
        engine.dispose()


def test_import_brings_every_row(
    tempoftp_alone, backup: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    ended = tempoftp_alone("db", "import", str(backup), "--json", **elsewhere)
    assert ended.code == 0, ended.err
    rows = json.loads(ended.out)["rows"]
    assert rows == count_rows(backup) == count_rows(tmp_path / "other.sqlite3")
    assert rows["tokens"] == 2
    for command in (("token", "list"), ("account", "list")):
        assert tempoftp_alone(*command, **elsewhere).out == tempoftp_alone(*command).out
    assert tempoftp_alone("token", "create", "otra", "--role", "operador", **elsewhere).code == 0
    assert count_rows(backup)["tokens"] == 2


def test_import_refuses_a_database_that_has_rows(
    tempoftp_alone, backup: Path, elsewhere: dict[str, str]
) -> None:
    assert tempoftp_alone("db", "import", str(backup), **elsewhere).code == 0
    ended = tempoftp_alone("db", "import", str(backup), **elsewhere)
    assert ended.code == 5
    assert "has rows already" in ended.err
    assert "tokens" in ended.err


def test_import_refuses_a_backup_of_another_release(
    tempoftp_alone, backup: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    ended = tempoftp_alone("db", "import", str(backup), **elsewhere)
    assert ended.code == 5
    assert "another release" in ended.err
    assert not (tmp_path / "other.sqlite3").exists()


def test_a_failed_import_leaves_no_rows(
    tempoftp_alone, backup: Path, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute(
            "INSERT INTO history (share_id, generation, from_state, to_state, author, reason, at) SELECT 'nobody', 1, "
            "NULL, 'recibido', 'x', 'y', created_at FROM accounts"
        )
    ended = tempoftp_alone("db", "import", str(backup), **elsewhere)
    assert ended.code == 5
    assert "nothing was imported" in ended.err
    assert set(count_rows(tmp_path / "other.sqlite3").values()) == {0}


@pytest.mark.parametrize("content", [None, b"not a database at all, but long enough to be read as one" * 40])
def test_import_refuses_a_file_that_is_not_a_backup(
    tempoftp_alone, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "other file?.sqlite3"
    if content is not None:
        path.write_bytes(content)
    ended = tempoftp_alone("db", "import", str(path))
    assert ended.code == 5
    assert str(path) in ended.err
    assert "Traceback" not in ended.err


def test_import_refuses_a_kind_of_database_that_is_not_supported(tempoftp_alone, backup: Path) -> None:
    ended = tempoftp_alone(
        "db", "import", str(backup), TEMPOFTP_DATABASE_URL="postgresql://tempoftp:secreta@127.0.0.1/tempoftp"
    )
    assert ended.code == 5
    assert "postgresql" in ended.err
    assert "secreta" not in ended.err


def test_import_does_not_show_the_databases_password(tempoftp_alone, backup: Path) -> None:
    url = "mysql+pymysql://tempoftp:secreta@127.0.0.1:1/tempoftp"
    ended = tempoftp_alone("db", "import", str(backup), TEMPOFTP_DATABASE_URL=url)
    assert ended.code == 5
    assert "TEMPOFTP_DATABASE_URL" in ended.err
    assert "secreta" not in ended.out + ended.err


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


def test_rotate_encrypts_stored_passwords_with_the_new_key(tempoftp_alone, stored: Database) -> None:
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=f"{NEW},{OLD}")
    assert (ended.code, ended.out) == (0, "1 encrypted anew, 0 had the first key already\n")
    assert Fernet(NEW).decrypt(read_token(stored)) == b"clave"
    again = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert (again.code, again.out) == (0, "0 encrypted anew, 1 had the first key already\n")


def test_rotate_without_the_old_key_names_the_accounts_and_changes_nothing(
    tempoftp_alone, stored: Database
) -> None:
    before = read_token(stored)
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert ended.code == 6
    assert "ftp_a" in ended.err
    assert "old key" in ended.err
    assert before not in ended.err + ended.out
    assert read_token(stored) == before


@pytest.mark.parametrize(("keys", "silent"), [(NEW, False), (f"{NEW},{OLD}", True)], ids=["new only", "both"])
def test_a_missing_key_is_logged_at_the_start(
    stored: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, keys: str, silent: bool
) -> None:
    report_missing_keys(Settings(simulacro=True, encryption_key=keys, state_dir=tmp_path / "state"))
    assert ("ftp_a" not in caplog.text) == silent
    assert {record.levelno for record in caplog.records} == (set() if silent else {logging.ERROR})


def test_backup_copies_the_database(tempoftp_alone: Any, tmp_path: Path) -> None:
    tempoftp_alone("db", "upgrade")
    ended = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert ended.code == 0
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("SELECT count(*) FROM shares").fetchone() == (0,)
    again = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert (again.code, "File exists" in again.err) == (5, True)
