"""The worker's audits: when they are made, what a failure does, and that no host is acted on before its check."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tempoftp.audits.audits import begin_checks, request_audits
from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.engine import Database
from tempoftp.db.models import HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.provisioner import RunAbandoned, RunFailed
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tempoftp.worker.worker import Worker


class Provisioner(SimulatedProvisioner):
    """A simulated host that may be away, or answer for another run."""

    failure: Exception | None = None
    run_id: str | None = None
    requests: list[AuditRequest]

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        self.requests = [*getattr(self, "requests", []), request]
        if self.failure is not None:
            raise self.failure
        outcome = super().audit(request, should_stop)
        return outcome if self.run_id is None else outcome.model_copy(update={"run_id": self.run_id})


@pytest.fixture
def provisioner(settings: Settings) -> Provisioner:
    return Provisioner(settings.state_dir)


@pytest.fixture
def auditor(settings: Settings, database: Database, provisioner: Provisioner) -> Auditor:
    return Auditor(settings, database, provisioner)


def ask(database: Database, settings: Settings, **desired_shares: bool) -> None:
    with database.write() as session:
        request_audits(session, settings, author="tester", **desired_shares)


def read(database: Database) -> HostAudit:
    with database.read() as session:
        return session.get_one(HostAudit, HOST)


def test_only_what_is_due_is_audited(auditor: Auditor, database: Database, settings: Settings) -> None:
    assert auditor.run_due(HOST) is False
    ask(database, settings)
    assert auditor.run_due(HOST) is True
    assert auditor.run_due(HOST) is False
    assert read(database).audited_at is not None


def test_a_restore_repairs_nothing_on_the_host(
    auditor: Auditor, database: Database, settings: Settings, provisioner: Provisioner
) -> None:
    ask(database, settings, repair=True, restore=True)
    auditor.run_due(HOST)
    assert [request.repair for request in provisioner.requests] == [False]
    ask(database, settings, repair=True)
    auditor.run_due(HOST)
    assert provisioner.requests[-1].repair is True


def test_a_failure_is_kept_and_tried_again(
    auditor: Auditor, database: Database, settings: Settings, provisioner: Provisioner
) -> None:
    ask(database, settings, repair=True)
    provisioner.failure = RunFailed(ShareError.of("ftp_host_unreachable", "no route"))
    auditor.run_due(HOST)
    row = read(database)
    assert (row.error_class, row.audited_at, row.repair) == ("ftp_host_unreachable", None, True)
    provisioner.failure = None
    with database.write() as session:
        session.get_one(HostAudit, HOST).due_at = row.requested_at
    auditor.run_due(HOST)
    assert (read(database).error_class, read(database).repair) == (None, False)


def test_an_abandoned_audit_stays_due(
    auditor: Auditor, database: Database, settings: Settings, provisioner: Provisioner
) -> None:
    ask(database, settings)
    provisioner.failure = RunAbandoned()
    assert auditor.run_due(HOST) is True
    assert read(database).requested_at is not None


def test_the_outcome_of_another_run_counts_for_nothing(
    auditor: Auditor, database: Database, settings: Settings, provisioner: Provisioner
) -> None:
    ask(database, settings)
    provisioner.run_id = "another"
    auditor.run_due(HOST)
    assert read(database).error_class == "run_failed"


def test_a_host_is_checked_before_its_first_run(
    auditor: Auditor,
    database: Database,
    settings: Settings,
    runner: HostRunner,
    accept_share: Callable[..., Share],
    read_share: Callable[[str], Share],
) -> None:
    accept_share(ruta="source1:/srv/datos/tarda-0")
    with database.write() as session:
        begin_checks(session, settings)
    assert runner.run_host(HOST) == 0
    assert read_share("p1").state == State.RECIBIDO
    auditor.run_due(HOST)
    assert runner.run_host(HOST) == 1


def test_the_worker_looks_for_audits_by_itself(database: Database, settings: Settings) -> None:
    woken: list[str] = []
    ran = threading.Event()

    def note(ftp_host: str) -> int:
        woken.append(ftp_host)
        ran.set()
        return 0

    worker = Worker(settings, note, database)
    ask(database, settings)
    worker.reconcile()
    assert ran.wait(20)
    worker.stop(lambda: None)
    assert woken == [HOST]
