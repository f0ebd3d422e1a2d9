"""The database: one engine, and short transactions."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tempoftp.settings import Settings

logger = logging.getLogger(__name__)

BUSY_SECONDS = 15
"""How long a transaction waits for the lock of another one."""
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
"""How long a database server may take for one statement."""
MIGRATION_SECONDS = 600
SERVERS = ("mysql", "mariadb")
LOCK_CONFLICTS = frozenset({1205, 1213, "40001", "40P01", "55P03"})
"""Codes of a server that gave up a transaction for the locks of another one: MariaDB and MySQL, then PostgreSQL."""

Written = TypeVar("Written")


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

        On SQLite it takes the write lock at once. A transaction that reads first and then writes would fail at once,
        without waiting, if another one had written in between.
        """
        with Session(self._write_engine, expire_on_commit=False) as session, session.begin():
            yield session

    def transact(self, work: Callable[[Session], Written]) -> Written:
        """Call `work` in a write transaction, once more if the server gave that up for the locks of another one.

        Transactions lock accounts first, then shares, each by name. A conflict that remains is a matter of the moment.
        """
        try:
            with self.write() as session:
                return work(session)
        except DBAPIError as error:
            if not is_lock_conflict(error):
                raise
            logger.info("a transaction is repeated, because it met the locks of another one")
        with self.write() as session:
            return work(session)

    @contextmanager
    def begin_exclusive(self) -> Iterator[Connection]:
        """Open a bare connection in a write transaction, for migrations.

        SQLite changes a table by creating it again. With foreign keys on, the old table could not be dropped while
        other rows refer to it. So they are switched off before the transaction, and checked before the commit.
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


def is_lock_conflict(error: BaseException | None) -> bool:
    """Whether the server gave up a transaction for the locks of another one.

    The first error counts: after a deadlock the savepoint is gone too, and to go back to it is another error.
    """
    while error is not None:
        cause = error.orig if isinstance(error, DBAPIError) else None
        codes = {*getattr(cause, "args", ())[:1], getattr(cause, "sqlstate", None)}
        if not codes.isdisjoint(LOCK_CONFLICTS):
            return True
        error = error.__context__
    return False


def open_database(settings: Settings, answer_seconds: int = ANSWER_SECONDS) -> Database:
    """Return the database of these settings; its schema must have been brought up to date before."""
    return Database(settings.sqlalchemy_url, answer_seconds)


def make_database_file(path: Path) -> None:
    """Create an empty SQLite file that its group may write, and its folder; an existing file stays as it is.

    API and worker are two users of one group. SQLite itself creates files that the group cannot write, with any umask.
    The files that SQLite adds beside this one get the mode of this one.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o660)
        os.close(descriptor)


def _create_engine(url: str, answer_seconds: int) -> Engine:
    parsed = make_url(url)
    # hide_parameters: the values are tokens, hashes and e-mails, and an error with them would go into the journal.
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
    """Make API and worker migrate one after the other, on servers where a transaction does not do that.

    The lock is the server's own and belongs to a connection: it ends with this connection in every case.
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
