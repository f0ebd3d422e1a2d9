"""Who works on what: one at a time, and only while the lease lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, HistoryEntry, Share
from tempoftp.settings import Settings
from tempoftp.shares.claims import (
    claim_shares,
    extend_claim,
    find_due_hosts,
    find_next_due,
    find_stale_hosts,
    lock_accounts,
    lock_claimed,
    release_claim,
)
from tempoftp.states import CLAIMABLE, DELIVERED, State

AcceptShare = Callable[..., Share]


def claim(database: Database, ftp_host: str, run_id: str, limit: int = 50, seconds: float = 30) -> set[str]:
    with database.write() as session:
        return {share.id for share in claim_shares(session, ftp_host, run_id, limit, seconds)}


def expire_leases(database: Database) -> None:
    past = utc_now() - timedelta(seconds=1)
    with database.write() as session:
        for table in (Share, Account):
            session.execute(update(table).where(table.lease_run_id.is_not(None)).values(lease_until=past))


def test_claims_what_is_due_and_says_so(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    assert claim(database, ftp_host, "run1") == {"p1"}
    with database.read() as session:
        share = session.get_one(Share, "p1")
        last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
    assert (share.state, share.lease_run_id) == (State.PREPARANDO, "run1")
    assert last is not None
    assert (last.to_state, last.run_id, last.author) == (State.PREPARANDO, "run1", "worker")


def test_nothing_is_claimed_twice(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    assert claim(database, ftp_host, "run1") == {"p1"}
    assert claim(database, ftp_host, "run2") == set()


def test_an_account_is_worked_on_by_one_run(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    assert claim(database, ftp_host, "run1") == {"p1"}
    accept_share("p2", ruta="source1:/srv/datos/b")
    accept_share("q1", usuario="otra@dominio")
    assert claim(database, ftp_host, "run2") == {"q1"}
    with database.write() as session:
        release_claim(session, "run1")
    assert claim(database, ftp_host, "run3") == {"p1", "p2"}


def test_expired_lease_may_be_taken(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    claim(database, ftp_host, "run1")
    expire_leases(database)
    assert claim(database, ftp_host, "run2") == {"p1"}
    with database.write() as session:
        assert extend_claim(session, "run1", 30) == 0
        assert lock_claimed(session, "run1", {"p1": 1}) == {}
        assert set(lock_claimed(session, "run2", {"p1": 1})) == {"p1"}


def test_expired_lease_is_not_revived(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    claim(database, ftp_host, "run1")
    expire_leases(database)
    with database.write() as session:
        assert extend_claim(session, "run1", 30) == 0


def test_an_account_is_locked_only_for_the_run_whose_lease_lasts(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    name = accept_share("p1").ftpuser
    claim(database, ftp_host, "run1")
    with database.write() as session:
        assert set(lock_accounts(session, "run1")) == {name}
        assert lock_accounts(session, "run2") == {}
    expire_leases(database)
    with database.write() as session:
        assert lock_accounts(session, "run1") == {}


def test_a_release_gives_back_the_leases_of_one_run_only(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    assert claim(database, ftp_host, "run1") == {"p1"}
    other = accept_share("q1", usuario="otra@dominio")
    assert claim(database, ftp_host, "run2") == {"q1"}
    with database.write() as session:
        release_claim(session, "run1")
    with database.write() as session:
        assert set(lock_claimed(session, "run2", {"q1": 1})) == {"q1"}
        assert set(lock_accounts(session, "run2")) == {other.ftpuser}


def test_shares_of_a_busy_account_take_no_place_in_a_batch(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    assert claim(database, ftp_host, "run1") == {"p1"}
    for share_id in ("p2", "p3"):
        accept_share(share_id, ruta=f"source1:/srv/datos/{share_id}")
    with database.read() as session:
        assert find_due_hosts(session) == set(), "a host with nothing that a run may take is not due"
    accept_share("q1", usuario="otra@dominio")
    assert claim(database, ftp_host, "run2", limit=2) == {"q1"}


def test_the_share_that_has_been_due_longest_is_claimed_first(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    for share_id in ("p1", "p2", "p3"):
        accept_share(share_id, usuario=f"{share_id}@dominio")
    with database.write() as session:
        session.get_one(Share, "p2").due_at = utc_now() - timedelta(hours=1)
    assert claim(database, ftp_host, "run1", limit=1) == {"p2"}


def test_heartbeat_extends(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    before = accept_share("p1")
    claim(database, ftp_host, "run1", seconds=5)
    with database.write() as session:
        assert extend_claim(session, "run1", 60) == 1
    with database.read() as session:
        until = session.get_one(Share, "p1").lease_until
        assert until is not None
        assert (until - before.created_at).total_seconds() > 50
        account_until = session.get_one(Account, before.ftpuser).lease_until
        assert account_until == until


def test_other_generation_is_not_ours(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    claim(database, ftp_host, "run1")
    with database.write() as session:
        assert lock_claimed(session, "run1", {"p1": 2}) == {}
        assert lock_claimed(session, "run1", {}) == {}


@pytest.mark.parametrize("state", sorted(set(State) - CLAIMABLE))
def test_settled_shares_are_left_alone(
    database: Database, accept_share: AcceptShare, ftp_host: str, state: State
) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = state
    assert claim(database, ftp_host, "run1") == set()
    with database.read() as session:
        assert find_due_hosts(session) == set()


@pytest.mark.parametrize("state", sorted(DELIVERED))
def test_delivered_shares_are_claimed_only_while_a_wish_is_due(
    database: Database, accept_share: AcceptShare, ftp_host: str, state: State
) -> None:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")
    with database.write() as session:
        for share_id in ("p1", "p2"):
            session.get_one(Share, share_id).state = state
        session.get_one(Share, "p1").due_at = None
    assert claim(database, ftp_host, "run1") == {"p2"}
    with database.read() as session:
        assert session.get_one(Share, "p2").state == state


def test_what_is_to_be_blocked_goes_before_what_is_to_be_copied(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    for number in range(4):
        accept_share(f"p{number}", usuario=f"u{number}@dominio")
    with database.write() as session:
        for share_id in ("p2", "p3"):
            session.get_one(Share, share_id).state = State.LISTO
        session.get_one(Share, "p2").wanted = "blocked"
        session.get_one(Account, session.get_one(Share, "p3").ftpuser).blocked = True
    assert claim(database, ftp_host, "run1", limit=2) == {"p2", "p3"}


def test_deletions_go_first_and_the_batch_is_bounded(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    for number in range(6):
        accept_share(f"p{number}", usuario=f"u{number}@dominio")
    with database.write() as session:
        session.get_one(Share, "p5").state = State.ELIMINANDO
    assert claim(database, ftp_host, "run1", limit=3) == {"p5", "p0", "p1"}
    assert claim(database, ftp_host, "run2", limit=3) == {"p2", "p3", "p4"}


def test_not_before_it_is_due_nor_for_another_host_nor_paused(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    assert claim(database, "other", "run1") == set()
    with database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now() + timedelta(seconds=60)
    assert claim(database, ftp_host, "run1") == set()
    with database.read() as session:
        assert find_due_hosts(session) == set()
    with database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now()
    with database.read() as session:
        assert find_due_hosts(session) == {ftp_host}
    with database.write() as session:
        session.add(FtpHost(name=ftp_host, paused=True))
    assert claim(database, ftp_host, "run1") == set()
    with database.read() as session:
        assert find_due_hosts(session) == set()


def test_due_hosts(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    with database.read() as session:
        assert find_due_hosts(session) == {ftp_host}
    claim(database, ftp_host, "run1")
    with database.read() as session:
        assert find_due_hosts(session) == set()


def test_next_due(database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    def next_due() -> float | None:
        with database.read() as session:
            return find_next_due(session, ftp_host)

    assert next_due() is None
    accept_share("p1")
    assert next_due() == 0
    with database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now() + timedelta(seconds=100)
    assert next_due() == pytest.approx(100, abs=20)
    with database.write() as session:
        session.get_one(Share, "p1").state = State.ERROR
    assert next_due() is None


def test_stale_hosts(settings: Settings, database: Database, ftp_host: str) -> None:
    def stale() -> set[str]:
        with database.read() as session:
            return find_stale_hosts(session, settings)

    assert stale() == {ftp_host}
    with database.write() as session:
        session.add(FtpHost(name=ftp_host, facts_at=utc_now(), paused=False))
    assert stale() == set()
    old = utc_now() - timedelta(seconds=settings.facts_max_age_seconds + 1)
    with database.write() as session:
        session.get_one(FtpHost, ftp_host).facts_at = old
    assert stale() == {ftp_host}
    with database.write() as session:
        session.get_one(FtpHost, ftp_host).error_at = utc_now()
    assert stale() == set()
    with database.write() as session:
        session.get_one(FtpHost, ftp_host).error_at = old
    assert stale() == {ftp_host}
    with database.write() as session:
        session.get_one(FtpHost, ftp_host).paused = True
    assert stale() == set()


def test_threads_compete_and_each_share_has_one_winner(
    database: Database, accept_share: AcceptShare, ftp_host: str
) -> None:
    ids = {f"p{number}" for number in range(30)}
    for share_id in ids:
        accept_share(share_id, usuario=f"{share_id[:2]}@dominio", ruta=f"source1:/srv/datos/{share_id}")
    barrier = threading.Barrier(6)

    def compete(number: int) -> list[str]:
        barrier.wait(10)
        won: list[str] = []
        while found := claim(database, ftp_host, f"run{number}", limit=4):
            won += found
        return won

    with ThreadPoolExecutor(6) as pool:
        wins = list(pool.map(compete, range(6)))
    everything = [share_id for won in wins for share_id in won]
    assert sorted(everything) == sorted(set(everything))
    # Shares of an account whose lease another run holds stay for later; nobody else's is left.
    with database.read() as session:
        for share in session.scalars(select(Share)):
            account = session.get_one(Account, share.ftpuser)
            assert share.lease_run_id in (None, account.lease_run_id)
            assert account.lease_run_id is not None
            assert (share.id in everything) == (share.lease_run_id is not None)
