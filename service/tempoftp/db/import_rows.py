"""Move the service to another database: every row of a SQLite backup into an empty one, in one transaction."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from tempoftp.db.engine import open_database
from tempoftp.db.models import Base
from tempoftp.db.schema import build_config, upgrade_database
from tempoftp.settings import Settings

TARGETS = ("mysql", "mariadb", "sqlite")
"""Databases of which a test has shown that new row numbers start after the imported ones."""
ROWS_AT_ONCE = 500


class ImportFailed(Exception):  # noqa: N818 - what happened, said to an operator
    """Nothing was imported; the message says why."""


def import_database(settings: Settings, source: Path) -> dict[str, int]:
    """Copy every row of the SQLite file into the database of these settings; returns table → rows. Raises ImportFailed.

    Missing tables are created. All tables must be empty, so that nothing is overwritten. No API and no worker may run
    on either database during the import.
    """
    backend = make_url(settings.sqlalchemy_url).get_backend_name()
    if backend not in TARGETS:
        raise ImportFailed(f"into {backend} nobody has tried it: use MariaDB, MySQL or SQLite")
    origin = _open_source(source)
    try:
        with origin.connect() as rows:
            _check_release(rows, source)
            upgrade_database(settings)
            database = open_database(settings)
            try:
                with database.write() as session:
                    return _copy(rows, session.connection())
            finally:
                database.close()
    finally:
        origin.dispose()


def _open_source(source: Path) -> Engine:
    if not source.is_file():
        raise ImportFailed(f"{source} does not exist or is no file: make one with `tempoftp db backup`")
    return create_engine(f"sqlite:///file:{quote(str(source.resolve()))}?mode=ro&uri=true")


def _check_release(rows: Connection, source: Path) -> None:
    try:
        found = MigrationContext.configure(rows).get_current_revision()
    except DBAPIError as error:
        raise ImportFailed(f"{source} cannot be read: {error.orig}") from None
    wanted = ScriptDirectory.from_config(build_config()).get_current_head()
    if found != wanted:
        raise ImportFailed(
            f"{source} is of another release (schema {found}, wanted {wanted}): let this release upgrade the database "
            "where it is (`tempoftp db upgrade`), make the backup anew, and import that"
        )


def _copy(rows: Connection, target: Connection) -> dict[str, int]:
    tables = Base.metadata.sorted_tables
    taken = [table.name for table in tables if target.scalar(select(func.count()).select_from(table))]
    if taken:
        raise ImportFailed(f"the database has rows already, in {', '.join(taken)}: it must be empty")
    copied = {}
    for table in tables:
        for piece in rows.execute(select(table)).mappings().partitions(ROWS_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in piece])
        copied[table.name] = target.scalar(select(func.count()).select_from(table)) or 0
        if copied[table.name] != rows.scalar(select(func.count()).select_from(table)):
            raise ImportFailed(f"{table.name} has {copied[table.name]} rows afterwards, which are not all")
    return copied
