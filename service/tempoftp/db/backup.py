"""Copy the SQLite database while it is in use, with SQLite's own backup: `cp` could copy a half-written state."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from tempoftp.settings import Settings

PAGES_AT_ONCE = 1000
PAUSE_SECONDS = 0.01
"""The pause after `PAGES_AT_ONCE` pages, in which other processes can write."""


class BackupFailed(Exception):  # noqa: N818 - what happened, said to an operator
    """There is no backup; the message says why."""


def backup_database(settings: Settings, target: Path) -> int:
    """Write a complete, checked copy to `target`, which must not exist; returns its size in bytes.

    Raises BackupFailed.
    """
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BackupFailed(
            f"the database is {url.get_backend_name()}: back it up with its own tool (mariadb-dump "
            "--single-transaction, pg_dump); see docs/operations.md"
        )
    source = Path(url.database)
    if not source.exists():
        raise BackupFailed(f"{source} does not exist: is TEMPOFTP_STATE_DIR right?")
    try:
        # Created first, so that no other user can read it and no existing file is overwritten.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise BackupFailed(f"{target} cannot be made: {error.strerror}") from None
    try:
        _copy(source, target)
    except sqlite3.Error as error:
        with suppress(OSError):
            target.unlink()
        raise BackupFailed(f"{source} could not be copied to {target}: {error}") from None
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there, pages=PAGES_AT_ONCE, sleep=PAUSE_SECONDS)
        # One file: somebody could restore a copy without the -wal file that it needs.
        there.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = there.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"the copy is not sound: {verdict}")
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
