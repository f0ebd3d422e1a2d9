"""What an audit finds between rows and an FTP host, what it repairs, and what holds a host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tempoftp.audits.audits import (
    apply_audit_failure,
    begin_checks,
    find_due_audits,
    find_waiting,
    request_audits,
    tell_waiting,
)
from tempoftp.audits.results import HostFacts
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.pauses import pause_hosts
from tempoftp.monitoring.health import read_health
from tempoftp.refusals import HostNotFound
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.shares.claims import claim_shares, find_due_hosts
from tempoftp.shares.expiry import sweep_expired
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tests.support.audits import ENDS, READY, Answering, build, entry, read_audit
from tests.support.findings import list_findings
from tests.support.hosts import hear_of


def test_rows_and_host_that_fit_give_no_finding(make_share: Any, audit: Any, database: Database) -> None:
    make_share()
    make_share("p2", State.LISTO, State.BLOQUEADO)
    assert audit(build(entry(), entry("p2", state="blocked"))) == []
    row = read_audit(database)
    assert (row.stale_since, row.requested_at, row.counts) == (
        None,
        None,
        {"shares": 2, "operator_shares": 0, "ended": 0, "accounts": 0},
    )


def test_a_row_without_share_is_looked_at_by_a_run(
    make_share: Any, audit: Any, read_share: Callable[[str], Share]
) -> None:
    make_share()
    make_share("p2")
    assert audit(build(entry("p2"))) == [("row_without_share", "p1", False)]
    assert read_share("p1").due_at is None
    assert audit(build(entry("p2")), repair=True) == [("row_without_share", "p1", True)]
    assert read_share("p1").due_at is not None


@pytest.mark.parametrize(("there", "lost"), [(0, 1), (0, 4), (2, 3), (1, 2)])
def test_a_host_that_lost_most_of_its_shares_at_once_is_not_repaired(
    make_share: Any, audit: Any, read_share: Callable[[str], Share], there: int, lost: int
) -> None:
    names = [f"p{number}" for number in range(there + lost)]
    for name in names:
        make_share(name)
    seen = build(*(entry(name) for name in names[:there]))
    for repair in (False, True):
        found = audit(seen, repair=repair)
        assert found[0] == ("shares_lost", HOST, False)
        assert not any(repaired for _kind, _subject, repaired in found)
    assert all(read_share(name).due_at is None for name in names)
    # An operator who knows that they are lost has them copied again.
    audit(seen, restore=True)
    assert all(read_share(name).due_at is not None for name in names[there:])


def test_a_host_that_ended_its_shares_has_not_lost_them(make_share: Any, audit: Any) -> None:
    make_share()
    ended = [{"id": "p1", "generation": 1, "reason": "expired"}]
    assert audit(build(facts={"tombstones": ended}), repair=True) == [("row_without_share", "p1", True)]


def test_what_the_host_itself_calls_lost_wakes_no_row(
    make_share: Any, audit: Any, read_share: Callable[[str], Share]
) -> None:
    make_share()
    found = [
        {"kind": "shares_lost", "subject": "/data", "detail": "x"},
        {"kind": "share_without_directory", "subject": "p1", "detail": "x"},
    ]
    audit(build(entry(), findings=found), repair=True)
    assert read_share("p1").due_at is None


def test_a_share_without_row_is_listed(make_share: Any, audit: Any, database: Database) -> None:
    make_share()
    found = audit(build(entry(), entry("p9")), repair=True)
    assert found == [("share_without_row", "p9", False)]
    with database.read() as session:
        assert session.get(Share, "p9") is None


def test_a_row_takes_the_times_that_the_host_counts_by(
    make_share: Any, audit: Any, read_share: Callable[[str], Share], database: Database
) -> None:
    make_share()
    later = ENDS + timedelta(days=1)
    outcome = build(entry(expires=later, lifetime_days=4))
    assert audit(outcome) == [("row_differs", "p1", False)]
    assert audit(outcome, repair=True) == [("row_differs", "p1", True)]
    assert read_share("p1").expires == later
    assert audit(outcome) == []
    with database.read() as session:
        last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
    assert last is not None and last.author == "audit"


def test_a_row_past_its_expiry_is_swept(
    make_share: Any, audit: Any, database: Database, read_share: Callable[[str], Share]
) -> None:
    over = utc_now() - timedelta(hours=1)
    make_share(expires=over)
    with database.write() as session:
        hear_of(session, HOST)
    assert audit(build(entry(expires=over))) == [("share_past_expiry", "p1", False)]
    assert audit(build(entry(expires=over)), repair=True) == [("share_past_expiry", "p1", True)]
    assert read_share("p1").state == State.EXPIRANDO


@pytest.mark.parametrize("ahead", [None, timedelta(days=365)], ids=["unknown", "apart"])
def test_a_row_past_its_expiry_by_a_clock_that_no_host_confirms_is_held(
    make_share: Any,
    audit: Any,
    database: Database,
    read_share: Callable[[str], Share],
    ahead: timedelta | None,
) -> None:
    over = utc_now() - timedelta(hours=1)
    make_share(expires=over)
    if ahead is not None:
        with database.write() as session:
            hear_of(session, HOST, utc_now() - ahead)
    found = [
        # What the host ended by its own clock is as the host says.
        {"kind": "share_past_expiry", "subject": "p1", "detail": "x", "repair": "safe", "repaired": True}
    ]
    for repair in (False, True):
        assert audit(build(entry(expires=over)), repair=repair) == [("share_past_expiry", "p1", False)]
        (told,) = list_findings(read_audit(database))
        assert "is held, since the clock of its FTP host does not confirm" in told.detail
    assert audit(build(entry(expires=over), findings=found), repair=True) == [
        ("share_past_expiry", "p1", True),
        ("share_past_expiry", "p1", False),
    ]
    assert read_share("p1").state == State.LISTO


def test_a_lease_for_ever_is_dropped(
    make_share: Any, audit: Any, database: Database, read_share: Callable[[str], Share]
) -> None:
    ages = utc_now() + timedelta(days=3650)
    make_share(lease_run_id="old", lease_until=ages)
    with database.write() as session:
        session.get_one(Account, "ftp_alguien_dominio").lease_until = ages
    found = audit(build(entry()), repair=True)
    assert {(kind, subject) for kind, subject, _done in found} == {
        ("lease_for_ever", "p1"),
        ("lease_for_ever", "ftp_alguien_dominio"),
    }
    assert read_share("p1").lease_until is None
    assert audit(build(entry())) == []


def test_a_row_that_nobody_will_look_at_is_found(
    make_share: Any, audit: Any, read_share: Callable[[str], Share]
) -> None:
    make_share("p1", State.PREPARANDO, ready_at=None, expires=None)
    assert audit(build(), repair=True) == [("row_not_due", "p1", True)]
    assert read_share("p1").due_at is not None


def test_what_is_being_worked_on_is_not_compared(make_share: Any, audit: Any) -> None:
    make_share(lease_run_id="now", lease_until=utc_now() + timedelta(seconds=20))
    make_share("p2", wished_at=utc_now() + timedelta(seconds=5))
    assert audit(build()) == []


def test_a_damaged_manifest_says_nothing_about_its_row(make_share: Any, audit: Any) -> None:
    make_share()
    assert audit(build(facts={"damaged": ["shares/p1.json"]})) == []


def test_what_only_a_run_can_put_right_is_due(
    make_share: Any, audit: Any, read_share: Callable[[str], Share]
) -> None:
    make_share()
    found = {"kind": "share_without_account", "subject": "p1", "detail": "x", "repair": "manual"}
    audit(build(entry(), findings=[found]), repair=True)
    assert read_share("p1").due_at is not None


@pytest.mark.parametrize(
    "facts",
    [
        {"shares": [entry(generation=2)]},
        {"tombstones": [{"id": "p1", "generation": 2, "reason": "deleted"}]},
    ],
)
def test_a_host_that_knows_more_is_held(
    make_share: Any, audit: Any, database: Database, settings: Settings, facts: dict[str, Any]
) -> None:
    make_share(expires=utc_now() - timedelta(hours=1))
    found = audit(build(facts=facts))
    assert ("row_older_than_host", "p1", False) in found
    with database.write() as session:
        session.get_one(Share, "p1").due_at = READY
    with database.write() as session:
        assert sweep_expired(session, settings) == []
        assert find_due_hosts(session) == set()
        assert claim_shares(session, HOST, "r", 50, 30) == []
        assert any("after-restore" in problem for problem in read_health(session, settings)["problemas"])


def test_a_row_that_ended_while_its_share_lives_on_is_older(
    make_share: Any, audit: Any, database: Database
) -> None:
    make_share("p1", State.LISTO, State.ELIMINANDO, generation=2)
    audit(build(entry(generation=2)))
    assert read_audit(database).stale_since is not None


def test_the_hosts_own_timer_makes_no_row_older(make_share: Any, audit: Any, database: Database) -> None:
    make_share()
    end = {"id": "p1", "generation": 1, "reason": "expired"}
    assert audit(build(facts={"tombstones": [end]})) == [("row_without_share", "p1", False)]
    assert read_audit(database).stale_since is None


def test_a_hold_repairs_nothing(make_share: Any, audit: Any, read_share: Callable[[str], Share]) -> None:
    make_share()
    make_share("p2")
    audit(build(entry(generation=2)), repair=True)
    assert read_share("p2").due_at is None


def test_a_check_is_due_at_once_and_holds_until_made(
    make_share: Any, audit: Any, database: Database, settings: Settings
) -> None:
    make_share(due_at=READY)
    with database.write() as session:
        assert find_due_hosts(session) == {HOST}
        begin_checks(session, settings)
        assert find_due_hosts(session) == set()
        assert find_due_audits(session, settings) == {HOST}
    audit(build(entry()))
    with database.write() as session:
        assert find_due_hosts(session) == {HOST}
        assert find_due_audits(session, settings) == set()


def test_a_failed_check_tells_the_shares_that_wait(
    make_share: Any, database: Database, settings: Settings, read_share: Callable[[str], Share]
) -> None:
    make_share(due_at=READY)
    error = ShareError.of("ftp_host_unreachable", "no route")
    with database.write() as session:
        begin_checks(session, settings)
    for waiting in (["p1"], []):
        with database.read() as session:
            assert find_waiting(session, HOST, error) == waiting
        with database.write() as session:
            tell_waiting(session, HOST, waiting, error)
            apply_audit_failure(session, HOST, error)
    assert read_share("p1").error_class == "ftp_host_unreachable"
    row = read_audit(database)
    assert (row.attempt, row.check_wanted, row.error_class) == (2, True, "ftp_host_unreachable")
    assert row.due_at is not None and row.due_at > utc_now()


def test_who_asks_meanwhile_gets_another_one(database: Database, settings: Settings) -> None:
    def ask(author: str, **wanted: bool) -> None:
        with database.write() as session:
            request_audits(session, settings, author=author, **wanted)

    ask("a", repair=True)
    provisioner = Answering(settings.state_dir)
    provisioner.outcome, provisioner.meanwhile = build(), lambda: ask("b", restore=True)
    assert Auditor(settings, database, provisioner).run_due(HOST)
    row = read_audit(database)
    assert (row.requested_by, row.repair, row.restore) == ("b", True, True)


def test_the_next_one_is_due_by_the_clock(database: Database, settings: Settings, audit: Any) -> None:
    audit(build())
    row = read_audit(database)
    assert row.due_at is not None and row.audited_at is not None
    assert row.due_at - row.audited_at == timedelta(hours=settings.audit_hours)


def test_a_paused_host_is_left_alone_until_somebody_asks(database: Database, settings: Settings) -> None:
    with database.write() as session:
        pause_hosts(session, settings, None, reason=None, author="a")
        begin_checks(session, settings)
        assert find_due_audits(session, settings) == set()
        request_audits(session, settings, author="a")
        assert find_due_audits(session, settings) == {HOST}


def test_an_unknown_host_is_refused(database: Database, settings: Settings) -> None:
    with database.write() as session, pytest.raises(HostNotFound):
        request_audits(session, settings, author="a", ftp_host="nobody")


def test_a_tombstone_beside_a_manifest_counts() -> None:
    facts = HostFacts.model_validate(
        {
            "time": utc_now(),
            "shares": [entry(), entry("p2", state="absent", generation=4)],
            "tombstones": [{"id": "p1", "generation": 1}, {"id": "p2", "generation": 3}],
        }
    )
    assert facts.live == {}
    assert {key: end.generation for key, end in facts.ended.items()} == {"p1": 1, "p2": 4}
    assert facts.generations == {"p1": 1, "p2": 4}
