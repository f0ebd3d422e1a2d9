"""Fixtures of tests that need a database which lets two transactions look at once: an empty one on MariaDB.

A module imports the names that it uses; they take the place of those in `conftest.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tempoftp.db.engine import Database, open_database
from tempoftp.db.schema import upgrade_database
from tempoftp.settings import Settings
from tests.support.mariadb_server import Server
from tests.support.race import Race, create_settings

NEEDS = [pytest.mark.processes, pytest.mark.needs_mariadb]
"""Marks of a test that uses them."""


@pytest.fixture
def settings(settings: Settings, mariadb: Server) -> Settings:
    """Settings with an empty database on the server."""
    return create_settings(settings, mariadb)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """That database with all migrations applied."""
    upgrade_database(settings)
    database = open_database(settings)
    yield database
    database.close()


@pytest.fixture
def race(database: Database, mariadb: Server) -> Race:
    """Two transactions at once."""
    return Race(database, mariadb)
