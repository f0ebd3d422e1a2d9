"""The database: one engine, short transactions, and the clock that leases are measured by."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tempoftp.settings import Settings

BUSY_SECONDS = 15
"""How long a transaction waits for another that has what it needs."""
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
"""How long a database server may take for one statement."""
MIGRATION_SECONDS = 600
SERVERS = ("mysql", "mariadb")


class Database:
    """Sessions on one engine. Make one per process (never share it over a fork)."""

    def __init__(self, url: str, answer_seconds: int = ANSWER_SECONDS) -> None:
        self.engine = _create_engine(url, answer_seconds)
        self._write_engine = self.engine.execution_options(tempoftp_begin="BEGIN IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads; nothing is committed."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction: committed at the end, rolled back when the block raises.

        On SQLite it takes the write lock at once: a transaction that reads first and then wants to write
        fails immediately, whatever the busy timeout, when another one wrote in between.
        """
        with Session(self._write_engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def begin_exclusive(self) -> Iterator[Connection]:
        """Open a bare connection in a write transaction, for migrations.

        SQLite changes a table by making it anew; with foreign keys on, dropping the old one would be refused for the
        rows that name it. They are switched off, which a transaction cannot do, and checked before the commit.
        """
        is_sqlite = self.engine.dialect.name == "sqlite"
        with self._write_engine.connect() as connection, _have_schema_alone(self.engine):
            if is_sqlite:
                _set_foreign_keys(connection, "OFF")
            try:
                with connection.begin():
                    yield connection
                    if is_sqlite:
                        _check_foreign_keys(connection)
            finally:
                if is_sqlite:
                    _set_foreign_keys(connection, "ON")

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def open_database(settings: Settings, answer_seconds: int = ANSWER_SECONDS) -> Database:
    """Return the database of these settings; its schema must have been brought up to date before."""
    return Database(settings.sqlalchemy_url, answer_seconds)


def make_database_file(path: Path) -> None:
    """Make an empty SQLite file that its group may write, and its folder; one that is there stays as it is.

    API and worker are two users of one group. SQLite itself never lets the group write, whatever the umask; the files
    that it puts beside this one get this one's mode.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o660)
        os.close(descriptor)


def _create_engine(url: str, answer_seconds: int) -> Engine:
    parsed = make_url(url)
    # The values of a statement are tokens, hashes and e-mails: an error that shows it goes into a journal.
    if parsed.get_backend_name() != "sqlite":
        limits: dict[str, Any] = {}
        if parsed.get_backend_name() in SERVERS:
            limits = {
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": answer_seconds,
                "write_timeout": answer_seconds,
                "init_command": f"SET SESSION innodb_lock_wait_timeout = {BUSY_SECONDS}",
            }
        return create_engine(
            parsed,
            connect_args=limits,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
        )
    if parsed.database and parsed.database != ":memory:":
        make_database_file(Path(parsed.database))
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: an accepted request must survive a power cut, and WAL with NORMAL may lose the last commits.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@contextmanager
def _have_schema_alone(engine: Engine) -> Iterator[None]:
    """Have API and worker, started at once, migrate one after the other where a transaction cannot see to it.

    The lock is one of the server's, held by a connection of its own: it goes with that connection, whatever happens.
    """
    if engine.dialect.name not in SERVERS:
        yield
        return
    with engine.connect() as connection:
        name = "CONCAT('tempoftp schema ', LEFT(DATABASE(), 40))"
        if connection.execute(text(f"SELECT GET_LOCK({name}, {MIGRATION_SECONDS // 2})")).scalar_one() != 1:
            raise TimeoutError("another process has been changing the schema of this database for minutes")
        try:
            yield
        finally:
            connection.execute(text(f"SELECT RELEASE_LOCK({name})"))


def _set_foreign_keys(connection: Connection, value: str) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys={value}")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise sqlite3.IntegrityError(f"rows of {tables} name rows that are not there")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("tempoftp_begin", "BEGIN"))
