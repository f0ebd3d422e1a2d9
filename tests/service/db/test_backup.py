"""A backup is whole while others write, readable by its owner only, and never overwrites anything."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tempoftp.db.backup import BackupFailed, backup_database
from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.settings import Settings


def count_shares(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM shares").fetchone()
    return int(count)


def test_a_backup_has_everything_that_was_committed(
    settings: Settings, accept_share: Callable[..., Share], tmp_path: Path
) -> None:
    for number in range(5):
        accept_share(f"p{number}")
    target = tmp_path / "backup.sqlite3"
    size = backup_database(settings, target)
    assert count_shares(target) == 5
    assert size == target.stat().st_size
    assert target.stat().st_mode & 0o7777 == 0o600
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.sqlite3"]


def test_it_is_whole_while_others_write(
    settings: Settings, accept_share: Callable[..., Share], tmp_path: Path
) -> None:
    accept_share("p0")
    done = threading.Event()

    def write() -> None:
        number = 1
        while not done.is_set():
            accept_share(f"p{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for number in range(3):
            backup_database(settings, tmp_path / f"b{number}")
            counts.append(count_shares(tmp_path / f"b{number}"))
    finally:
        done.set()
        writer.join()
    assert counts == sorted(counts) and counts[0] >= 1


def test_nothing_is_overwritten(settings: Settings, database: Database, tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite3"
    target.write_text("precious")
    with pytest.raises(BackupFailed, match="File exists"):
        backup_database(settings, target)
    assert target.read_text() == "precious"


def test_other_databases_have_their_own_tools(settings: Settings, tmp_path: Path) -> None:
    elsewhere = settings.model_copy(update={"database_url": "mysql+pymysql://u:geheim@h/d"})
    with pytest.raises(BackupFailed, match="mariadb-dump") as caught:
        backup_database(elsewhere, tmp_path / "x")
    assert "geheim" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_database_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"state_dir": tmp_path / "nowhere"})
    with pytest.raises(BackupFailed, match="nowhere"):
        backup_database(nowhere, tmp_path / "x")


def test_a_damaged_database_gives_no_backup(settings: Settings, database: Database, tmp_path: Path) -> None:
    database.close()
    (settings.state_dir / "tempoftp.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(BackupFailed):
        backup_database(settings, tmp_path / "x")
    assert not (tmp_path / "x").exists()
