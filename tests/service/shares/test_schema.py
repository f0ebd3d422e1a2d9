"""Migrations make what the models say, once, whoever comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from tempoftp.settings import Settings
from tempoftp.shares.database import Database
from tempoftp.shares.models import Base
from tempoftp.shares.schema import upgrade_database


def test_migrations_and_models_agree(database: Database) -> None:
    with database.begin_exclusive() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_may_come_from_several_at_once(settings: Settings, database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: upgrade_database(settings), range(4)))
    tables = set(inspect(database.engine).get_table_names())
    assert tables == {"alembic_version", *Base.metadata.tables}
