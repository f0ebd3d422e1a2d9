"""Two workers that look at the same moment make one audit of a host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from tempoftp.audits.audits import request_audits
from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import HostAudit
from tempoftp.db.schema import upgrade_database
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.on_mariadb import NEEDS
from tests.support.race import create_settings


class Counting(SimulatedProvisioner):
    """A simulated host that notes its audits, and whether two of them were made at the same time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.state_dir)
        self.audits: list[str] = []
        self.alone = threading.Lock()
        self.asked_again = threading.Event()

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        assert self.alone.acquire(blocking=False), "two audits of one host at once"
        try:
            self.audits.append(request.run_id)
            assert self.asked_again.wait(60)
            return super().audit(request, should_stop)
        finally:
            self.alone.release()


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=NEEDS)])
def stage(settings: Settings, request: pytest.FixtureRequest) -> Iterator[tuple[Settings, Database]]:
    """A database of one kind. MariaDB lets both workers write at once, SQLite lets one wait for the other."""
    if request.param == "mariadb":
        settings = create_settings(settings, request.getfixturevalue("mariadb"))
    upgrade_database(settings)
    database = open_database(settings)
    yield settings, database
    database.close()


def test_of_two_workers_one_audits(stage: tuple[Settings, Database]) -> None:
    settings, database = stage
    host = Counting(settings)
    with database.write() as session:
        request_audits(session, settings, author="tester", repair=True)
    both_have_looked = threading.Barrier(2)

    def wait_for_the_other(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT audits.ftp_host \nFROM") and "due_at <=" in statement:
            both_have_looked.wait(60)

    def work() -> bool:
        made = Auditor(settings, database, host).run_due(HOST)
        host.asked_again.set()  # the one that got nothing lets the other one end
        return made

    event.listen(database.engine, "after_cursor_execute", wait_for_the_other)
    try:
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda _number: work(), range(2)))
    finally:
        event.remove(database.engine, "after_cursor_execute", wait_for_the_other)
    assert sorted(made) == [False, True]
    with database.read() as session:
        row = session.get_one(HostAudit, HOST)
    assert [row.run_id] == host.audits
    assert (row.requested_at, row.lease_run_id) == (None, None)
