"""Requests for more days that come at once, on a database in which transactions do run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from tempoftp.access.recipients import RECIPIENT
from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import ExtensionRequest, Notice, Share
from tempoftp.db.schema import upgrade_database
from tempoftp.refusals import ExtensionNotFound
from tempoftp.settings import Settings
from tempoftp.shares.extensions import ask_extension, grant_extension

ROUNDS = 8


@pytest.fixture
def settings(settings: Settings, mariadb: Any) -> Settings:
    with mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE DATABASE tempoftp CHARACTER SET utf8mb4")
    url = f"mysql+pymysql://root@localhost/tempoftp?unix_socket={mariadb.socket}"
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    upgrade_database(settings)
    database = open_database(settings)
    yield database
    database.close()


def run_at_once(change: Callable[[], object], count: int = 4) -> list[object]:
    """Start a change in so many threads at once; what each returned, or the refusal that it met."""
    barrier = Barrier(count)

    def run(_number: int) -> object:
        barrier.wait()
        try:
            return change()
        except ExtensionNotFound as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def test_one_request_waits_and_one_grant_counts(
    database: Database, settings: Settings, accept_share: Callable[..., Share]
) -> None:
    for number in range(ROUNDS):
        share_id = f"p{number}"
        accept_share(share_id)

        def ask(share_id: str = share_id) -> None:
            with database.write() as session:
                share = session.get_one(Share, share_id)
                ask_extension(session, settings, share, 2, None, author=RECIPIENT, request_id="r")

        def grant(share_id: str = share_id) -> str:
            with database.write() as session:
                grant_extension(session, settings, share_id, None, author="jefa", request_id="r")
            return "granted"

        run_at_once(ask)
        with database.read() as session:
            for table in (ExtensionRequest, Notice):
                assert session.scalar(select(func.count()).where(table.share_id == share_id)) == 1
        assert run_at_once(grant).count("granted") == 1
        with database.read() as session:
            assert session.get_one(Share, share_id).lifetime_days == 5
