"""Bring the database's schema up to date."""

from __future__ import annotations

import logging

from alembic import command
from alembic.config import Config

from tempoftp.db.engine import MIGRATION_SECONDS, Database, open_database
from tempoftp.settings import Settings


def build_config() -> Config:
    """Return Alembic's configuration for the packaged migrations."""
    # Otherwise it logs its own plugins at every start.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", "tempoftp:db/migrations")
    config.set_main_option("path_separator", "os")
    return config


def upgrade_database(settings: Settings) -> None:
    """Apply the migrations that are missing. Safe to call from API and worker at once: one waits for the other."""
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    database = open_database(settings, MIGRATION_SECONDS)
    try:
        upgrade_schema(database)
    finally:
        database.close()


def upgrade_schema(database: Database) -> None:
    """Apply the missing migrations over one connection, in one transaction if the database supports that."""
    config = build_config()
    with database.begin_exclusive() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
