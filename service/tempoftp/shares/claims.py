"""Step 4 of the flow: who works on what. A lease is taken by conditional UPDATEs that must change one row each.

Accounts are leased together with their shares, so that work on one account is serial even when two workers look at
the same moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, func, or_, select, update
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.hosts.holds import is_free_to_act
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import CLAIMABLE, ENDING, State

WORKER = "worker"
"""Author of what a worker writes to the history."""


def _is_free(table: type[Share] | type[Account], now: datetime) -> ColumnElement[bool]:
    return or_(table.lease_until.is_(None), table.lease_until <= now)


def _ends_access() -> ColumnElement[bool]:
    to_be_blocked = and_(
        Share.state == State.LISTO, or_(Share.wanted == "blocked", Account.blocked.is_(True))
    )
    return or_(Share.state.in_(ENDING), to_be_blocked)


def find_due_hosts(session: Session) -> set[str]:
    """Return the FTP hosts, paused ones left out, that have a share to be claimed now."""
    now = database_now(session)
    query = (
        select(Share.ftp_host)
        .join(Account, Account.name == Share.ftpuser)
        .where(
            Share.state.in_(CLAIMABLE),
            Share.due_at <= now,
            _is_free(Share, now),
            _is_free(Account, now),
            Share.ftp_host.not_in(select(FtpHost.name).where(FtpHost.paused.is_(True))),
            is_free_to_act(Share.ftp_host),
        )
        .distinct()
    )
    return set(session.scalars(query))


def find_next_due(session: Session, ftp_host: str) -> float | None:
    """Return the seconds until the next share of a host is due (0 when one is); None without any."""
    soonest = session.scalar(
        select(func.min(Share.due_at)).where(
            Share.ftp_host == ftp_host, Share.state.in_(CLAIMABLE), is_free_to_act(Share.ftp_host)
        )
    )
    return None if soonest is None else max((soonest - database_now(session)).total_seconds(), 0.0)


def find_stale_hosts(session: Session, settings: Settings) -> set[str]:
    """Return the configured FTP hosts of which nothing was heard for `facts_max_age_seconds`."""
    limit = database_now(session) - timedelta(seconds=settings.facts_max_age_seconds)
    heard = {
        row.name
        for row in session.scalars(select(FtpHost))
        if row.paused or any(moment is not None and moment > limit for moment in (row.facts_at, row.error_at))
    }
    return set(settings.ftp_host_names) - heard


def claim_shares(
    session: Session, ftp_host: str, run_id: str, limit: int, lease_seconds: float
) -> list[Share]:
    """Lease up to `limit` due shares of an FTP host for a run, inside a write transaction.

    Those whose access is to end go first: no backlog of copies keeps it open.

    A share in `recibido` goes to `preparando`: somebody works on it now.
    """
    row = session.get(FtpHost, ftp_host)
    if row is not None and row.paused:
        return []
    now = database_now(session)
    until = now + timedelta(seconds=lease_seconds)
    candidates = session.execute(
        select(Share.id, Share.ftpuser)
        .join(Account, Account.name == Share.ftpuser)
        .where(
            Share.ftp_host == ftp_host,
            Share.state.in_(CLAIMABLE),
            Share.due_at <= now,
            _is_free(Share, now),
            is_free_to_act(Share.ftp_host),
            _is_free(Account, now),  # else one busy account could fill the batch with what nobody may take
        )
        .order_by(_ends_access().desc(), Share.due_at, Share.id)
        .limit(limit)
    ).all()
    accounts: dict[str, bool] = {}
    claimed: list[Share] = []
    for share_id, ftpuser in candidates:
        if ftpuser not in accounts:
            accounts[ftpuser] = _take(session, Account, Account.name == ftpuser, run_id, now, until)
        if accounts[ftpuser] and _take(session, Share, Share.id == share_id, run_id, now, until):
            share = session.get_one(Share, share_id, populate_existing=True)
            if share.state == State.RECIBIDO:
                transition(
                    session, share, State.PREPARANDO, reason="a run took it up", author=WORKER, run_id=run_id
                )
            claimed.append(share)
    return claimed


def _take(
    session: Session,
    table: type[Share] | type[Account],
    is_it: ColumnElement[bool],
    run_id: str,
    now: datetime,
    until: datetime,
) -> bool:
    conditions = [is_it, _is_free(table, now)]
    if table is Share:
        # Somebody else may have finished it between our look and this.
        conditions += [Share.due_at <= now, Share.state.in_(CLAIMABLE)]
    statement = (
        update(table)
        .where(*conditions)
        .values(lease_run_id=run_id, lease_until=until)
        .execution_options(synchronize_session=False)
    )
    return _count(session.execute(statement)) == 1


def extend_leases(session: Session, run_id: str, lease_seconds: float) -> int:
    """Extend what a run still holds; returns how many shares that is. An expired lease is not revived."""
    now = database_now(session)
    until = now + timedelta(seconds=lease_seconds)
    counts = [
        _count(
            session.execute(
                update(table)
                .where(table.lease_run_id == run_id, table.lease_until > now)
                .values(lease_until=until)
                .execution_options(synchronize_session=False)
            )
        )
        for table in (Share, Account)
    ]
    return counts[0]


def release_leases(session: Session, run_id: str) -> None:
    """Give back everything a run holds; the shares stay due."""
    for table in (Share, Account):
        session.execute(
            update(table)
            .where(table.lease_run_id == run_id)
            .values(lease_run_id=None, lease_until=None)
            .execution_options(synchronize_session=False)
        )


def lock_claimed(session: Session, run_id: str, generations: dict[str, int]) -> dict[str, Share]:
    """Return, locked, those shares of a run that are still its own: lease alive and generation unchanged."""
    now = database_now(session)
    query = (
        select(Share)
        .where(Share.lease_run_id == run_id, Share.lease_until > now)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {
        share.id: share for share in session.scalars(query) if generations.get(share.id) == share.generation
    }


def lock_accounts(session: Session, run_id: str) -> dict[str, Account]:
    """Return, locked, the accounts whose lease a run still holds."""
    now = database_now(session)
    query = (
        select(Account)
        .where(Account.lease_run_id == run_id, Account.lease_until > now)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {account.name: account for account in session.scalars(query)}


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101 - what an UPDATE returns
    return result.rowcount
