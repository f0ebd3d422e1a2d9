"""The database's files: API and worker are two users of one group, and both write."""

from __future__ import annotations

import stat
from pathlib import Path

from sqlalchemy import text

from tempoftp.shares.database import Database, make_database_file


def test_group_may_write_every_file_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tempoftp.sqlite3"
    database = Database(f"sqlite:///{path}")
    with database.write() as session:
        session.execute(text("CREATE TABLE seen (id INTEGER)"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    database.close()
    assert modes == dict.fromkeys((path.name, f"{path.name}-wal", f"{path.name}-shm"), 0o660)


def test_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tempoftp.sqlite3"
    path.write_bytes(b"kept")
    path.chmod(0o600)
    make_database_file(path)
    assert path.read_bytes() == b"kept"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
