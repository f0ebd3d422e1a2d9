"""Runs that count downloads: when nothing else runs, at most every few minutes, and at nobody's cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Run, Share
from tempoftp.downloads.results import TransfersLog, TransfersReport
from tempoftp.errors import ShareError
from tempoftp.settings import Settings
from tempoftp.shares.results import Outcome
from tempoftp.shares.serializers import describe_share
from tempoftp.states import State
from tempoftp.worker.provisioner import RunFailed
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

AcceptShare = Callable[..., Share]


class Listening(SimulatedProvisioner):
    """A simulated provisioner that keeps the requests it was given, and can be made to fail."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.state_dir)
        self.requests: list[RunRequest] = []
        self.failing = False

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        self.requests.append(request)
        if self.failing:
            raise RunFailed(ShareError.of("ftp_host_unreachable", "no route to host"))
        return super().run(request, should_stop)


@pytest.fixture
def provisioner(settings: Settings, runner: HostRunner) -> Listening:
    runner.provisioner = Listening(settings)
    return runner.provisioner


def finish(runner: HostRunner, database: Database, ftp_host: str, share_id: str = "p1") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with database.write() as session:
            share = session.get_one(Share, share_id)
            if share.state == State.LISTO and share.due_at is None:
                share.ready_at = utc_now() - timedelta(hours=1)
                return
            share.due_at = utc_now()
        runner.run_host(ftp_host)
    raise AssertionError("the share did not become ready")


def test_an_idle_host_is_asked_once_and_the_answer_is_shown(
    settings: Settings,
    runner: HostRunner,
    provisioner: Listening,
    database: Database,
    accept_share: AcceptShare,
    ftp_host: str,
) -> None:
    accept_share("p1", ruta="source1:/srv/datos/descargada")
    finish(runner, database, ftp_host)
    assert provisioner.requests and all(request.transfers is None for request in provisioner.requests)
    provisioner.requests.clear()
    assert [runner.run_host(ftp_host) for _time in range(3)] == [0, 0, 0]
    (request,) = provisioner.requests
    assert request.shares == [] and request.transfers is not None
    with database.read() as session:
        found = describe_share(session, settings, session.get_one(Share, "p1"))["descargas"]
        assert found["completos"] == found["archivos_total"] == found["archivos_completos"] > 0
        assert session.query(Run).filter(Run.shares == 0).count() == 0


def test_without_a_ready_share_nothing_is_asked(
    runner: HostRunner, provisioner: Listening, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1", ruta="source1:/srv/datos/tarda-1000")
    runner.run_host(ftp_host)
    runner.run_host(ftp_host)
    assert provisioner.requests and all(request.transfers is None for request in provisioner.requests)


def test_a_host_that_fails_is_not_asked_again_at_once(
    settings: Settings,
    runner: HostRunner,
    provisioner: Listening,
    database: Database,
    accept_share: AcceptShare,
    ftp_host: str,
) -> None:
    accept_share("p1")
    finish(runner, database, ftp_host)
    provisioner.requests.clear()
    provisioner.failing = True
    assert [runner.run_host(ftp_host) for _time in range(2)] == [0, 0]
    assert len(provisioner.requests) == 1
    with database.read() as session:
        assert session.get_one(FtpHost, ftp_host).transfers_at is None
    provisioner.failing = False
    with time_machine.travel(utc_now() + timedelta(seconds=settings.transfers_seconds + 1)):
        runner.run_host(ftp_host)
    with database.read() as session:
        assert session.get_one(FtpHost, ftp_host).transfers_at is not None


def test_requests_come_before_counting(
    runner: HostRunner, provisioner: Listening, database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    finish(runner, database, ftp_host)
    assert runner.run_host(ftp_host) == 0
    provisioner.requests.clear()
    accept_share("p2", usuario="otra@dominio")
    assert runner.run_host(ftp_host) == 1
    assert provisioner.requests[0].transfers is None


def test_what_was_ready_just_now_makes_no_run(
    runner: HostRunner, provisioner: Listening, database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    finish(runner, database, ftp_host)
    with database.write() as session:
        session.get_one(Share, "p1").ready_at = utc_now()
    provisioner.requests.clear()
    assert runner.run_host(ftp_host) == 0
    assert provisioner.requests == []


def test_a_log_that_cannot_be_read_is_in_the_journal(
    runner: HostRunner,
    database: Database,
    accept_share: AcceptShare,
    ftp_host: str,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:
    class Unreadable(SimulatedProvisioner):
        def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
            outcome = super().run(request, should_stop)
            if outcome.transfers is None:
                return outcome
            log = TransfersLog(problem="no line of the formats w3c and clf")
            return outcome.model_copy(update={"transfers": TransfersReport(log=log, time=utc_now())})

    runner.provisioner = Unreadable(settings.state_dir)
    accept_share("p1")
    finish(runner, database, ftp_host)
    runner.run_host(ftp_host)
    assert "downloads cannot be counted" in caplog.text and "w3c" in caplog.text
