"""An audit of many rows lets requests through, and repairs no row that has changed since it was compared."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from tempoftp.audits.audits import begin_checks, claim_audit, find_due_audits, request_audits
from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.audits.rows import PIECE
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.phrases import Phrase
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.provisioner import RunFailed
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

READY = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2099, 11, 4, tzinfo=UTC)
LATER = ENDS + timedelta(days=2)
TABLE = re.compile(r"(FROM|UPDATE|INTO) shares\b")
MANY_ENDED, MANY_LIVE = 45_000, 5_000


class Host(SimulatedProvisioner):
    """A host that reports the shares that the test says; `meanwhile` is called while it is looked at."""

    facts: dict[str, Any]
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        self.meanwhile()
        facts = {"time": utc_now(), **self.facts}
        return AuditOutcome.model_validate({"schema": 1, "run_id": request.run_id, "facts": facts})


@pytest.fixture
def host(settings: Settings) -> Host:
    host = Host(settings.state_dir)
    host.facts = {"shares": [entry()]}
    return host


@pytest.fixture
def audit(database: Database, settings: Settings, host: Host) -> Callable[..., HostAudit]:
    def run(**wanted: bool) -> HostAudit:
        with database.write() as session:
            request_audits(session, settings, author="tester", **wanted)
        assert Auditor(settings, database, host).run_due(HOST)
        with database.read() as session:
            return session.get_one(HostAudit, HOST)

    return run


@pytest.fixture
def delivered(database: Database, accept_share: Callable[..., Share]) -> None:
    """Share `p1`, delivered long ago."""
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        transition(session, share, State.LISTO, reason=Phrase("verbatim", text="test"), author="test")
        share.state_changed_at = share.wished_at = share.ready_at = READY
        share.due_at, share.expires = None, ENDS
        share.confirmed_generation, share.lifetime_confirmed = 1, 3


def entry(share_id: str = "p1", **changes: Any) -> dict[str, Any]:
    values = {"id": share_id, "generation": 1, "state": "delivered", "ftpuser": "ftp_alguien_dominio"}
    times = {"source": "source1:/srv/datos/a", "lifetime_days": 3, "ready_at": READY, "expires": ENDS}
    return {**values, **times, "source_root": "/srv/datos", **changes}


def copy_rows(database: Database, prefix: str, count: int, **changes: str) -> None:
    """Add rows that are as `p1` but for their ids and these columns."""
    names = [column.name for column in Share.__table__.columns]
    values = [f"'{changes[name]}'" if name in changes else name for name in names[1:]]
    assert names[0] == "id"
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    with database.write() as session:
        session.execute(
            text(
                f"INSERT INTO shares ({', '.join(names)}) {numbers} "
                f"SELECT '{prefix}' || i, {', '.join(values)} FROM n, shares WHERE id = 'p1'"
            )
        )


class Counted:
    """What a block did: statements about shares in write transactions, and rows of shares that became objects."""

    def __init__(self) -> None:
        self.locked: list[str] = []
        self.loaded = 0


@contextmanager
def count_work(database: Database) -> Iterator[Counted]:
    counted = Counted()

    def note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if connection.get_execution_options().get("tempoftp_begin") and TABLE.search(statement):
            counted.locked.append(statement)

    def load(_share: Share, _context: Any) -> None:
        counted.loaded += 1

    event.listen(database.engine, "before_cursor_execute", note)
    event.listen(Share, "load", load)
    try:
        yield counted
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
        event.remove(Share, "load", load)


@contextmanager
def while_comparing(database: Database, work: Callable[[], object]) -> Iterator[None]:
    """Call `work` once, when an audit has read the shares and reads the rest."""
    done: list[bool] = []

    def act(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not done and "FROM accounts" in statement and "accounts.lease_until >" in statement:
            done.append(True)
            work()

    event.listen(database.engine, "before_cursor_execute", act)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", act)
    assert done, "the audit compared nothing"


@pytest.mark.usefixtures("delivered")
@pytest.mark.parametrize("wanted", [{"repair": True}, {"restore": True}])
@pytest.mark.parametrize("wrong", [0, 3])
def test_of_many_rows_only_the_wrong_ones_are_locked_and_loaded(
    audit: Any, database: Database, host: Host, wanted: dict[str, bool], wrong: int
) -> None:
    copy_rows(database, "ended", MANY_ENDED, state="expirado")
    copy_rows(database, "live", MANY_LIVE)
    there = [f"live{number}" for number in range(1 + wrong, MANY_LIVE + 1)]
    ends = [{"id": f"ended{number}", "generation": 1} for number in range(1, 2001)]
    host.facts = {"shares": [entry(), *map(entry, there)], "tombstones": ends}
    with count_work(database) as counted:
        row = audit(**wanted)
    assert counted.loaded == wrong
    assert len(counted.locked) <= (2 + wrong if wrong else 0)
    names = [f"live{number}" for number in range(1, 1 + wrong)]
    assert [found["subject"] for found in row.findings or ()] == names
    with database.read() as session:
        due = session.scalar(text("SELECT COUNT(*) FROM shares WHERE due_at IS NOT NULL"))
    assert due == wrong


@pytest.mark.usefixtures("delivered")
def test_a_request_is_accepted_while_rows_are_compared(
    audit: Any, database: Database, accept_share: Callable[..., Share]
) -> None:
    accepted: list[str] = []

    def post() -> None:
        thread = threading.Thread(target=lambda: accepted.append(accept_share("p2").id))
        thread.start()
        thread.join(30)
        assert accepted == ["p2"]

    with while_comparing(database, post):
        assert audit(repair=True).findings == []


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a run brought other times": ({}, {"expires": LATER + timedelta(days=1)}, {"expires": LATER}),
    "it was extended": ({}, {"generation": 2, "lifetime_days": 9}, {"expires": LATER}),
    "a run took it": ({}, {"lease_run_id": "r9", "lease_until": LATER}, {"expires": LATER}),
    "a run holds it now": (
        {"lease_run_id": "old", "lease_until": ENDS},
        {"lease_run_id": "new", "lease_until": datetime(2027, 1, 1, tzinfo=UTC)},
        {},
    ),
    "it became due": ({"expires": READY}, {"due_at": LATER}, {"expires": READY}),
}


@pytest.mark.usefixtures("delivered")
@pytest.mark.parametrize("case", CHANGES)
def test_a_row_that_changed_since_it_was_compared_is_left_alone(
    audit: Any, database: Database, host: Host, case: str
) -> None:
    before, change, there = CHANGES[case]

    def write(values: dict[str, Any]) -> None:
        with database.write() as session:
            for name, value in values.items():
                setattr(session.get_one(Share, "p1"), name, value)

    write(before)
    host.facts = {"shares": [entry(**there)]}
    assert [found["repaired"] for found in audit().findings or ()] == [False]
    with while_comparing(database, lambda: write(change)):
        assert audit(repair=True).findings == []
    with database.read() as session:
        share = session.get_one(Share, "p1")
        assert {name: getattr(share, name) for name in change} == change
        assert share.state == State.LISTO


@pytest.mark.usefixtures("delivered")
def test_times_of_a_run_that_ended_meanwhile_are_not_overwritten(
    audit: Any, database: Database, host: Host
) -> None:
    def end_run() -> None:
        with database.write() as session:
            session.get_one(Share, "p1").expires = LATER
            session.merge(FtpHost(name=HOST, facts_at=utc_now()))

    host.meanwhile = end_run
    assert audit(repair=True).findings == []
    with database.read() as session:
        assert session.get_one(Share, "p1").expires == LATER
    host.meanwhile = lambda: None
    assert [found["kind"] for found in audit().findings or ()] == ["row_differs"]


@pytest.mark.usefixtures("delivered")
def test_what_an_audit_found_after_it_lost_its_lease_does_not_count(
    audit: Any, database: Database, host: Host
) -> None:
    def take() -> None:
        with database.write() as session:
            session.get_one(HostAudit, HOST).lease_run_id = "another"

    host.meanwhile, host.facts = take, {"shares": [entry(expires=LATER)]}
    row = audit(repair=True)
    assert (row.audited_at, row.lease_run_id) == (None, "another")
    with database.read() as session:
        assert session.get_one(Share, "p1").expires == ENDS


def test_the_lease_of_a_killed_worker_ends(
    database: Database, settings: Settings, host: Host, audit: Any
) -> None:
    with database.write() as session:
        request_audits(session, settings, author="tester")
    with database.write() as session:
        assert claim_audit(session, settings, HOST, "killed") is not None
        assert claim_audit(session, settings, HOST, "next") is None
        assert find_due_audits(session, settings) == set()
    assert Auditor(settings, database, host).run_due(HOST) is False
    with database.write() as session:
        session.get_one(HostAudit, HOST).lease_until = utc_now() - timedelta(seconds=1)
    assert Auditor(settings, database, host).run_due(HOST) is True
    with database.read() as session:
        row = session.get_one(HostAudit, HOST)
    assert row.audited_at is not None
    assert (row.lease_run_id, row.lease_until) == (None, None)


@pytest.mark.usefixtures("delivered")
def test_a_failure_is_told_to_many_shares_a_few_at_a_time(
    database: Database, settings: Settings, host: Host
) -> None:
    loaded: Counter[int] = Counter()

    def load(_share: Share, context: Any) -> None:
        loaded[id(context.session)] += 1
        sessions.append(context.session)  # so that no two sessions have the same id

    def fail() -> None:
        raise RunFailed(ShareError.of("ftp_host_unreachable", "no route"))

    sessions: list[object] = []
    count = 2 * PIECE + 1
    copy_rows(database, "waits", count, due_at=READY.strftime("%Y-%m-%d %H:%M:%S.%f"))
    host.meanwhile = fail
    event.listen(Share, "load", load)
    try:
        for _attempt in range(2):
            with database.write() as session:
                begin_checks(session, settings)
            assert Auditor(settings, database, host).run_due(HOST)
            if _attempt == 0:
                assert sorted(loaded.values()) == [1, PIECE, PIECE]
                loaded.clear()
    finally:
        event.remove(Share, "load", load)
    # What they say already is not written again.
    assert not loaded
    with database.read() as session:
        query = select(func.count()).where(Share.error_class == "ftp_host_unreachable")
        assert session.scalar(query) == count
