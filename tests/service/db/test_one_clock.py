"""Every time in a row, and every time that is compared with one, is of the database's clock, not of this machine's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

import tempoftp
from tempoftp.accounts.map import map_account
from tempoftp.db.clock import database_now, utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Base, Share, UtcDateTime
from tempoftp.errors import ShareError
from tempoftp.notices.expiring import find_expiring
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_block, request_deletion, request_lifetime
from tempoftp.shares.credentials import request_rotation
from tempoftp.shares.serializers import show_password
from tempoftp.states import State
from tempoftp.worker.provisioner import RunFailed
from tempoftp.worker.run_host import HostRunner
from tests.support.on_mariadb import database, settings

__all__ = ["database", "settings"]

AUTHOR: dict[str, Any] = {"author": "tester", "request_id": "r1"}
OF_THE_FTP_HOST = {"ready_at", "expires", "transfers_since"}
"""Columns whose times the FTP host sets."""
OF_THIS_MACHINE = {
    "access/links.py",  # the end of a link is in its text, in no row
    "db/clock.py",
    "portal/request_page.py",  # the day in an id that it suggests
    "shares/log.py",  # a file
}


def read_times(database: Database) -> dict[str, datetime]:
    """Return every time of every row, by table and column; the one that is farthest from now."""
    found: dict[str, datetime] = {}
    with database.read() as session:
        now = database_now(session)
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if not isinstance(column.type, UtcDateTime) or column.name in OF_THE_FTP_HOST:
                    continue
                times = session.scalars(select(column).where(column.is_not(None))).all()
                if times:
                    found[f"{table.name}.{column.name}"] = max(times, key=lambda time: abs(time - now))
    return found


@pytest.mark.processes
@pytest.mark.needs_mariadb
@pytest.mark.parametrize("ahead", [timedelta(hours=5), timedelta(days=-400)], ids=["ahead", "behind"])
def test_the_times_of_a_service_whose_clock_is_wrong_are_right(
    settings: Settings,
    database: Database,
    accept_share: Callable[..., Share],
    ahead: timedelta,
    ftp_host: str,
) -> None:
    with time_machine.travel(utc_now() + ahead):
        accept_share("p1")
        accept_share("p2", usuario="otra@dominio")
        runner = HostRunner(settings, database, _Silent())  # type: ignore[arg-type]
        runner.run_host(ftp_host)
        runner.close()
        for work in (
            lambda session: map_account(session, "ana@dominio", "ana", ftp_host),
            lambda session: request_rotation(session, settings, "p1", **AUTHOR),
            lambda session: request_block(session, "p1", whole_account=False, reason=None, **AUTHOR),
            lambda session: request_lifetime(session, settings, "p1", 9, **AUTHOR),
            lambda session: request_deletion(session, "p2", **AUTHOR),
        ):
            database.transact(work)
        times = read_times(database)
    with database.read() as session:
        now = database_now(session)
    wrong = {name: time for name, time in times.items() if abs(time - now) > timedelta(minutes=10)}
    assert wrong == {}
    expected = {
        "shares.created_at",
        "shares.due_at",
        "history.at",
        "accounts.password_since",
        "runs.ended_at",
    }
    assert expected <= set(times)


@pytest.mark.processes
@pytest.mark.needs_mariadb
def test_a_reminder_is_due_by_the_clock_of_the_database(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.lifetime_confirmed = State.LISTO, share.lifetime_days
        share.ready_at, share.expires = utc_now() - timedelta(days=2), utc_now() + timedelta(hours=20)
    for ahead in (timedelta(days=-3), timedelta(days=3)):
        with time_machine.travel(utc_now() + ahead), database.read() as session:
            assert [share.id for share in find_expiring(session, settings)] == ["p1"]


@pytest.mark.processes
@pytest.mark.needs_mariadb
def test_a_share_that_is_newer_than_its_password_is_so_by_one_clock(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    """One API process is ahead, another one is not; who rotates decides about shares that others wrote."""
    accept_share("p1")
    with time_machine.travel(utc_now() - timedelta(hours=3)):
        _share, account = database.transact(
            lambda session: request_rotation(session, settings, "p1", **AUTHOR)
        )
    with database.write() as session:
        account = session.merge(account)
        account.exists_since = session.get_one(Share, "p1").created_at
        assert show_password(account, session.get_one(Share, "p1"), reuse_password=False)[1] == "fernet"


def test_no_other_file_reads_the_clock_of_this_machine_for_a_row() -> None:
    root = Path(tempoftp.__file__).parent
    users = {str(path.relative_to(root)) for path in root.rglob("*.py") if "utc_now" in path.read_text()}
    assert users == OF_THIS_MACHINE


class _Silent:
    """An FTP host whose runs fail: nothing of its own clock comes into the rows."""

    def reserve_run_id(self, ftp_host: str) -> str:
        return f"run-{ftp_host}"

    def run(self, *_: object) -> object:
        raise RunFailed(ShareError.of("run_failed", "it failed"))

    def close(self) -> None:
        return None
