"""A clock of the service that runs ahead of the FTP host's, and is put right: nothing ends by it, nothing waits for it.

The simulated host goes by the time of this machine; only the clock of the database is moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tempoftp.audits.audits import request_audits
from tempoftp.db import clock as _clock
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import (
    FtpHost,
    HostAudit,
    NoticeDelivery,
    Preview,
    Run,
    Share,
    Token,
    WorkerProcess,
)
from tempoftp.hosts.clocks import APART, STALE_FACTOR, find_hosts_to_end_by
from tempoftp.hosts.workers import note_worker
from tempoftp.monitoring.health import read_health
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_block
from tempoftp.shares.notices import Kind, build_notice
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.worker import Worker
from tests.support.hosts import hear_of

YEAR = timedelta(days=365)
AUTHOR = {"author": "tester", "request_id": "r"}

MoveClock = Callable[[timedelta], None]


@pytest.fixture
def move_clock(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Put the clock of the service ahead of the machine's."""
    real = utc_now

    def move(ahead: timedelta) -> None:
        monkeypatch.setattr(_clock, "utc_now", lambda: real() + ahead)

    return move


class Service:
    """A worker without threads, and its simulated host."""

    def __init__(self, settings: Settings, database: Database, runner: HostRunner, ftp_host: str) -> None:
        self.settings, self.database, self.runner, self.ftp_host = settings, database, runner, ftp_host
        self.worker = Worker(settings, runner.run_host, database)

    def work(self, rounds: int = 4) -> None:
        for _round in range(rounds):
            self.worker._next_sign = 0  # as if fifteen seconds had passed
            self.worker.look()
            self.runner.run_host(self.ftp_host)

    def finish(self) -> None:
        """Work until nothing is due any more."""
        deadline = time.monotonic() + 60
        while self.list_due():
            assert time.monotonic() < deadline
            self.work(1)

    def list_due(self) -> list[str]:
        with self.database.read() as session:
            return [share.id for share in session.query(Share).where(Share.due_at.is_not(None))]

    def state(self, share_id: str) -> str:
        with self.database.read() as session:
            return session.get_one(Share, share_id).state

    def is_on_host(self, share_id: str) -> bool:
        with self.runner.provisioner.open_world(self.ftp_host) as world:  # type: ignore[attr-defined]
            return share_id in world["shares"]

    def warnings(self) -> list[str]:
        with self.database.read() as session:
            return list(read_health(session, self.settings)["advertencias"])


@pytest.fixture
def service(settings: Settings, database: Database, runner: HostRunner, ftp_host: str) -> Service:
    return Service(settings, database, runner, ftp_host)


@pytest.mark.parametrize("ahead", [timedelta(days=4), YEAR, 20 * YEAR])
def test_a_clock_ahead_ends_nothing_and_nothing_waits_for_it(
    service: Service, accept_share: Any, move_clock: MoveClock, ahead: timedelta
) -> None:
    for share_id in ("p1", "p2"):
        accept_share(share_id)
    service.finish()
    with service.database.write() as session:
        request_block(session, "p2", whole_account=False, reason=None, **AUTHOR)
    service.finish()
    accept_share("waits", ruta="source1:/srv/datos/falla-source_unreachable-3")
    service.work()
    assert (service.state("p1"), service.state("p2"), service.state("waits")) == (
        "listo",
        "bloqueado",
        "preparando",
    )
    move_clock(ahead)
    service.work()
    assert (service.state("p1"), service.state("p2"), service.state("waits")) == (
        "listo",
        "bloqueado",
        "preparando",
    )
    assert service.is_on_host("p1") and service.is_on_host("p2")
    assert any("ahead of the clock of this FTP host" in warning for warning in service.warnings())
    move_clock(timedelta())
    service.work()
    service.finish()
    assert (service.state("p1"), service.state("p2"), service.state("waits")) == (
        "listo",
        "bloqueado",
        "listo",
    )
    assert not any("clock" in warning for warning in service.warnings())


def test_a_share_ends_when_both_clocks_say_so(service: Service, accept_share: Any) -> None:
    accept_share("p1", vigencia=3)
    service.finish()
    with time_machine.travel(utc_now() + timedelta(days=3, minutes=1)):
        service.work()
        service.finish()
        assert service.state("p1") == State.EXPIRADO
        assert not service.is_on_host("p1")


def find(database: Database, settings: Settings) -> set[str]:
    with database.read() as session:
        return find_hosts_to_end_by(session, settings)


@pytest.mark.parametrize(
    ("off", "confirmed"),
    [(timedelta(), True), (-APART / 2, True), (-2 * APART, False), (-YEAR, False), (YEAR, True)],
)
def test_the_host_has_to_be_as_far(
    database: Database, settings: Settings, off: timedelta, confirmed: bool
) -> None:
    with database.write() as session:
        hear_of(session, "ftp1", utc_now() + off)
    assert find(database, settings) == ({"ftp1"} if confirmed else set())


def test_what_the_host_said_long_ago_or_in_the_future_confirms_nothing(
    database: Database, settings: Settings
) -> None:
    old = timedelta(seconds=STALE_FACTOR * settings.facts_max_age_seconds + 1)
    for moved in (old, -2 * APART):
        with database.write() as session:
            hear_of(session, "ftp1")
            session.get_one(FtpHost, "ftp1").facts_at = utc_now() - moved
        assert find(database, settings) == set()


@pytest.mark.parametrize("facts", [None, {}, {"time": None}, {"time": "soon"}])
def test_a_host_that_has_not_said_its_time_confirms_nothing(
    database: Database, settings: Settings, facts: Any
) -> None:
    with database.write() as session:
        session.add(FtpHost(name="ftp1", facts=facts, facts_at=utc_now()))
    assert find(database, settings) == set()


def test_a_clock_that_is_behind_is_told_and_does_no_harm(
    service: Service, accept_share: Any, move_clock: MoveClock
) -> None:
    accept_share("p1")
    service.finish()
    move_clock(-YEAR)
    service.work()
    assert service.state("p1") == State.LISTO
    with service.database.write() as session:
        session.get_one(FtpHost, service.ftp_host).facts_at = _clock.utc_now()
    assert any("behind the clock of this FTP host" in warning for warning in service.warnings())


def test_an_audit_and_a_lease_of_the_future_do_not_wait_for_it(
    service: Service, accept_share: Any, move_clock: MoveClock
) -> None:
    accept_share("p1")
    move_clock(YEAR)
    with service.database.write() as session:
        note_worker(session, "a worker that was killed")
        share = session.get_one(Share, "p1")
        share.lease_run_id, share.lease_until = "killed", _clock.utc_now() + timedelta(seconds=30)
        share.due_at = _clock.utc_now()
        audit = HostAudit(ftp_host=service.ftp_host, due_at=_clock.utc_now() + timedelta(hours=24))
        session.merge(audit)
    move_clock(timedelta())
    service.work()
    service.finish()
    assert service.state("p1") == State.LISTO
    with service.database.read() as session:
        due_at = session.get_one(HostAudit, service.ftp_host).due_at
        assert due_at is None or due_at < utc_now() + timedelta(days=2)
        assert all(row.seen_at < utc_now() + timedelta(hours=1) for row in session.query(WorkerProcess))


def test_what_was_noted_in_the_future_is_compared_again(
    service: Service, accept_share: Any, move_clock: MoveClock
) -> None:
    """An audit compares no share that changed after it began: for a year it would not compare those of that time."""
    move_clock(YEAR)
    accept_share("p1")
    service.work()
    service.finish()
    move_clock(timedelta())
    service.work()
    soon = utc_now() + APART
    with service.database.write() as session:
        share = session.get_one(Share, "p1")
        assert share.state == State.LISTO
        assert share.state_changed_at < soon and share.wished_at < soon
        ends = session.execute(select(Run.started_at, Run.ended_at)).all()
        assert ends and all(begin < soon and end is not None and end < soon for begin, end in ends)
        share.expires = utc_now() + timedelta(days=90)  # the host says three
        request_audits(session, service.settings, author="tester")
    service.work(1)
    assert Auditor(service.settings, service.database, service.runner.provisioner).run_due(service.ftp_host)
    with service.database.read() as session:
        found = session.get_one(HostAudit, service.ftp_host).findings
    assert [finding["kind"] for finding in found or ()] == ["row_differs"]


def test_a_preview_of_the_future_is_not_fresh_for_a_year(service: Service, move_clock: MoveClock) -> None:
    move_clock(YEAR)
    then = _clock.utc_now()
    with service.database.write() as session:
        note_worker(session, "w")
        session.add(
            Preview(
                id="0" * 32,
                asker="tester",
                ftp_host=service.ftp_host,
                source_key="k",
                item={},
                request_id="r",
                asked_at=then,
                answered_at=then,
            )
        )
        session.add(
            Token(name="t", digest="d", role="operador", emails=["*"], created_at=then, last_used_at=then)
        )
    move_clock(timedelta())
    service.work(1)
    with service.database.read() as session:
        preview = session.get_one(Preview, "0" * 32)
        assert preview.asked_at < utc_now() + APART
        assert preview.answered_at is not None and preview.answered_at < utc_now() + APART
        used_at = session.get_one(Token, "t").last_used_at
        assert used_at is not None and used_at < utc_now() + APART


def test_a_notice_of_the_future_is_given_up_in_time(
    service: Service, accept_share: Any, move_clock: MoveClock
) -> None:
    accept_share("p1")
    hours = timedelta(hours=service.settings.notice_retry_hours)
    move_clock(YEAR)
    with service.database.write() as session:
        note_worker(session, "w")
        notice = build_notice(session, session.get_one(Share, "p1"), Kind.LISTO, "x")
        session.add(notice)
        session.flush()
        then = _clock.utc_now()
        session.add(
            NoticeDelivery(
                notice_number=notice.number,
                channel="c",
                state="pending",
                due_at=then,
                give_up_at=then + hours,
            )
        )
    move_clock(timedelta())
    service.work(1)
    with service.database.read() as session:
        assert session.scalars(select(NoticeDelivery.give_up_at)).one() <= utc_now() + hours
