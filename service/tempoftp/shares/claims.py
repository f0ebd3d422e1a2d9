"""Step 4 of the flow: a run leases the shares that it works on (`tempoftp.db.leases`).

Accounts are leased together with their shares, so that only one run at a time works on an account, even when two
workers look at the same moment.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.leases import extend_leases, is_free, lock_held, release_leases, take_row
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.hosts.holds import is_free_to_act
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import CLAIMABLE, ENDING, State

WORKER = "worker"
"""Author of what a worker writes to the history."""


def _ends_access() -> ColumnElement[bool]:
    to_be_blocked = and_(
        Share.state == State.LISTO, or_(Share.wanted == "blocked", Account.blocked.is_(True))
    )
    return or_(Share.state.in_(ENDING), to_be_blocked)


def find_due_hosts(session: Session) -> set[str]:
    """Return the FTP hosts that have a share to be claimed now, without paused ones."""
    now = database_now(session)
    query = (
        select(Share.ftp_host)
        .join(Account, Account.name == Share.ftpuser)
        .where(
            Share.state.in_(CLAIMABLE),
            Share.due_at <= now,
            is_free(Share, now),
            is_free(Account, now),
            Share.ftp_host.not_in(select(FtpHost.name).where(FtpHost.paused.is_(True))),
            is_free_to_act(Share.ftp_host),
        )
        .distinct()
    )
    return set(session.scalars(query))


def find_next_due(session: Session, ftp_host: str) -> float | None:
    """Return the seconds until the next share of a host is due: 0 when one is due now, None without any."""
    soonest = session.scalar(
        select(func.min(Share.due_at)).where(
            Share.ftp_host == ftp_host, Share.state.in_(CLAIMABLE), is_free_to_act(Share.ftp_host)
        )
    )
    return None if soonest is None else max((soonest - database_now(session)).total_seconds(), 0.0)


def find_stale_hosts(session: Session, settings: Settings) -> set[str]:
    """Return the configured FTP hosts that no run has reached for `facts_max_age_seconds`."""
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

    Shares whose access must end come first, so that no backlog of copies keeps it open.

    A share in `recibido` goes to `preparando`, because a run works on it now.
    """
    row = session.get(FtpHost, ftp_host)
    if row is not None and row.paused:
        return []
    now = database_now(session)
    candidates = session.execute(
        select(Share.id, Share.ftpuser)
        .join(Account, Account.name == Share.ftpuser)
        .where(
            Share.ftp_host == ftp_host,
            Share.state.in_(CLAIMABLE),
            Share.due_at <= now,
            is_free(Share, now),
            is_free_to_act(Share.ftp_host),
            is_free(
                Account, now
            ),  # else the shares of one busy account, which nobody may take, could fill the batch
        )
        .order_by(_ends_access().desc(), Share.due_at, Share.id)
        .limit(limit)
    ).all()
    # Accounts first, then shares, each in order: so no two transactions wait for each other.
    take = partial(take_row, session, holder=run_id, now=now, seconds=lease_seconds)
    accounts = {
        name for name in sorted({ftpuser for _, ftpuser in candidates}) if take(Account, Account.name == name)
    }
    taken = {
        share_id
        for share_id, ftpuser in sorted(candidates)
        if ftpuser in accounts
        and take(Share, Share.id == share_id, Share.due_at <= now, Share.state.in_(CLAIMABLE))
    }
    claimed = [
        session.get_one(Share, share_id, populate_existing=True)
        for share_id, _ in candidates
        if share_id in taken
    ]
    for share in claimed:
        if share.state == State.RECIBIDO:
            transition(
                session, share, State.PREPARANDO, reason=Phrase("taken_up"), author=WORKER, run_id=run_id
            )
    return claimed


def extend_claim(session: Session, run_id: str, lease_seconds: float) -> int:
    """Extend the leases that a run still holds, and return the number of shares. An expired lease stays expired."""
    now = database_now(session)
    extend_leases(session, Account, holder=run_id, now=now, seconds=lease_seconds)
    return extend_leases(session, Share, holder=run_id, now=now, seconds=lease_seconds)


def release_claim(session: Session, run_id: str) -> None:
    """Release all leases of a run; its shares stay due."""
    release_leases(session, Account, run_id)
    release_leases(session, Share, run_id)


def lock_claimed(session: Session, run_id: str, generations: dict[str, int]) -> dict[str, Share]:
    """Lock and return the shares that a run still holds: the lease is valid and the generation is the same."""
    held = lock_held(session, Share, run_id)
    return {share.id: share for share in held if generations.get(share.id) == share.generation}


def lock_accounts(session: Session, run_id: str) -> dict[str, Account]:
    """Lock and return the accounts whose lease a run still holds."""
    return {account.name: account for account in lock_held(session, Account, run_id)}
