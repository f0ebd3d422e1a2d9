"""What is read, then written, is read under a lock: the second of two sees what the first has done (MariaDB)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.accounts.map import map_account, unmap_account
from tempoftp.audits.audits import request_audits
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.pauses import pause_hosts, resume_hosts
from tempoftp.refusals import AccountTaken, IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim
from tempoftp.shares.changes import request_account_deletion, request_block, request_unblock
from tempoftp.shares.claims import claim_shares, lock_accounts
from tempoftp.shares.create import create_share
from tempoftp.shares.credentials import request_rotation
from tempoftp.shares.outcomes import apply_failure
from tempoftp.shares.schemas import ShareRequest
from tests.support.on_mariadb import NEEDS, database, race, settings
from tests.support.race import Race

__all__ = ["database", "race", "settings"]

pytestmark = NEEDS
AUTHOR: dict[str, Any] = {"author": "tester", "request_id": "r1"}


def test_two_rotations_at_once_through_two_shares_of_an_account_are_two_passwords(
    settings: Settings, race: Race, accept_share: Callable[..., Share], database: Database
) -> None:
    accept_share("p1")
    accept_share("p2")
    answers: list[tuple[int, str | None]] = []

    def rotate(share_id: str) -> Callable[[Session], object]:
        def work(session: Session) -> None:
            _share, account = request_rotation(session, settings, share_id, **AUTHOR)
            answers.append((account.password_generation, account.token))

        return work

    race.run(rotate("p1"), rotate("p2"))
    assert race.refusal is None
    assert [number for number, _ in answers] == [2, 3]
    with database.read() as session:
        account = session.scalars(select(Account)).one()
    assert (account.password_generation, account.token) == answers[1]


def test_a_block_of_an_account_that_comes_during_another_one_changes_nothing_twice(
    race: Race, accept_share: Callable[..., Share], read_share: Callable[[str], Share], database: Database
) -> None:
    accept_share("p1")
    accept_share("p2")

    def block(share_id: str, reason: str) -> Callable[[Session], object]:
        return lambda session: request_block(session, share_id, whole_account=True, reason=reason, **AUTHOR)

    race.run(block("p2", "first"), block("p1", "second"))
    assert race.refusal is None
    assert [read_share(name).generation for name in ("p1", "p2")] == [2, 2]
    with database.read() as session:
        assert session.scalars(select(Account.block_reason)).one() == "second"


def test_an_unblock_of_a_share_that_comes_during_the_block_of_its_account_is_refused(
    race: Race, accept_share: Callable[..., Share]
) -> None:
    accept_share("p1")
    accept_share("p2")
    race.run(
        lambda session: request_block(session, "p1", whole_account=True, reason=None, **AUTHOR),
        lambda session: request_unblock(session, "p2", whole_account=False, **AUTHOR),
    )
    assert isinstance(race.refusal, IllegalTransition)


def test_a_rotation_that_comes_while_a_run_writes_its_outcome_is_not_confirmed_by_it(
    race: Race, settings: Settings, accept_share: Callable[..., Share], database: Database
) -> None:
    share = accept_share("p1")
    with database.write() as session:
        claim_shares(session, share.ftp_host, "run1", 50, 30)

    def report(session: Session) -> None:
        (account,) = lock_accounts(session, "run1").values()
        account.password_confirmed = account.password_generation

    race.run(report, lambda session: request_rotation(session, settings, "p1", **AUTHOR))
    assert race.refusal is None
    with database.read() as session:
        account = session.scalars(select(Account)).one()
    assert (account.password_generation, account.password_confirmed) == (2, 1)


def test_a_request_during_the_unmapping_of_its_account_keeps_the_account(
    race: Race, settings: Settings, database: Database, ftp_host: str
) -> None:
    with database.write() as session:
        map_account(session, "ana@dominio.example", "ana", ftp_host)
    request = ShareRequest(usuario="ana@dominio.example", id="p7", ruta="source1:/srv/datos/a")
    race.run(
        lambda session: create_share(session, settings, request, "tester", "r1"),
        lambda session: unmap_account(session, "ana@dominio.example"),
    )
    assert isinstance(race.refusal, AccountTaken)


def test_a_pause_that_comes_during_the_end_of_another_one_holds(
    race: Race, settings: Settings, database: Database, ftp_host: str
) -> None:
    def pause(session: Session) -> None:
        pause_hosts(session, settings, None, reason="disk", author="ana")

    with database.write() as session:
        pause(session)
    race.run(lambda session: resume_hosts(session, settings, None), pause)
    assert race.refusal is None
    with database.read() as session:
        host = session.get_one(FtpHost, ftp_host)
    assert (host.paused, host.pause_reason, host.paused_by) == (True, "disk", "ana")


def test_two_first_pauses_of_a_host_are_one_row(race: Race, settings: Settings, database: Database) -> None:
    def pause(session: Session) -> None:
        pause_hosts(session, settings, None, reason="disk", author="ana")

    race.run(pause, pause)
    assert race.refusal is None
    with database.read() as session:
        assert session.query(FtpHost).count() == 1


def test_two_requests_for_an_audit_at_once_get_what_both_ask_for(
    race: Race, settings: Settings, database: Database
) -> None:
    with database.write() as session:
        request_audits(session, settings, author="ana")
    race.run(
        lambda session: request_audits(session, settings, author="ana", repair=True),
        lambda session: request_audits(session, settings, author="eva", restore=True),
    )
    assert race.refusal is None
    with database.read() as session:
        audit = session.scalars(select(HostAudit)).one()
    assert (audit.repair, audit.restore) == (True, True)


def both_at_once(database: Database, *works: Callable[[Session], object]) -> list[BaseException]:
    failures: list[BaseException] = []

    def run(work: Callable[[Session], object]) -> None:
        try:
            database.transact(work)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures


def meet(*rows: Callable[[Session], object]) -> Callable[[Session], object]:
    """Do the first; then, at the first try, wait until the other has done its first too; then do the rest."""
    tried: list[int] = []

    def work(session: Session) -> None:
        tried.append(1)
        rows[0](session)
        session.flush()
        if len(tried) == 1:
            BARRIER.wait(20)
        for change in rows[1:]:
            change(session)

    return work


BARRIER = threading.Barrier(2)


@pytest.mark.parametrize("nested", [False, True], ids=["plain", "in_a_savepoint"])
def test_a_transaction_that_the_server_gives_up_for_another_one_is_repeated(
    database: Database, accept_share: Callable[..., Share], nested: bool
) -> None:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")

    def touch(share_id: str) -> Callable[[Session], object]:
        def change(session: Session) -> None:
            with session.begin_nested() if nested else nullcontext():
                session.get_one(Share, share_id, with_for_update=True).attempt += 1

        return change

    failures = both_at_once(database, meet(touch("p1"), touch("p2")), meet(touch("p2"), touch("p1")))
    assert failures == []
    with database.read() as session:
        assert list(session.scalars(select(Share.attempt).order_by(Share.id))) == [2, 2]


def test_claims_reports_and_requests_on_the_same_shares_never_wait_for_each_other(
    settings: Settings,
    database: Database,
    accept_share: Callable[..., Share],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All take accounts first, then shares, each by name. So nothing is given up, and nothing has to be repeated."""
    names = [f"p{number}" for number in range(6)]
    shares = [accept_share(name, usuario=f"u{i % 2}@dominio") for i, name in enumerate(names)]
    host = shares[0].ftp_host
    caplog.set_level("INFO", "tempoftp.db.engine")
    claim = Claim("run1", host, dict.fromkeys(names, 1))
    error = ShareError.of("run_failed", "it failed")

    def run(turn: int) -> None:
        mine = replace(claim, run_id=f"run{turn}")
        database.transact(lambda session: claim_shares(session, host, mine.run_id, 50, 30))
        database.transact(lambda session: apply_failure(session, settings, mine, error))

    def rotate(turn: int) -> None:
        name = names[-turn % len(names)]
        database.transact(lambda session: request_rotation(session, settings, name, **AUTHOR))

    def block(turn: int) -> None:
        name = names[turn % len(names)]
        change: Callable[..., Share] = (request_block, request_unblock)[turn % 2]
        more: dict[str, Any] = {"reason": None} if turn % 2 == 0 else {}
        database.transact(lambda session: change(session, name, whole_account=True, **more, **AUTHOR))

    def delete(turn: int) -> None:
        if turn == 20:
            account = shares[0].ftpuser
            database.transact(lambda session: request_account_deletion(session, account, **AUTHOR))

    def work(change: Callable[[int], None]) -> None:
        for turn in range(30):
            with suppress(IllegalTransition):
                change(turn)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, [run, rotate, block, block, delete]))
    assert "repeated" not in caplog.text
