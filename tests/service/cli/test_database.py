"""`tempoftp db`, which works on the service's database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from tempoftp.db.models import Base


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


def test_backup_copies_the_database(tempoftp_alone: Any, tmp_path: Path) -> None:
    tempoftp_alone("db", "upgrade")
    ended = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert ended.code == 0
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("SELECT count(*) FROM shares").fetchone() == (0,)
    again = tempoftp_alone("db", "backup", str(tmp_path / "copy"))
    assert (again.code, "File exists" in again.err) == (5, True)
