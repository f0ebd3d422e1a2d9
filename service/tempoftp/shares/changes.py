"""What a person may ask for a share that exists: block, unblock, delete, retry, another lifetime.

Each function writes the desired state inside the caller's write transaction. The caller commits, then wakes the FTP
host. `emails` limits a function to the shares of these people; other shares raise ShareNotFound.

A blocked share is hidden from its account, and the open sessions of the account end. The FTP host blocks the login
when the account has no visible share left. A block of the whole account always blocks the login, and also hides shares
that are requested later.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import ensure_password, lock_account
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import AccountNotFound, HostGone, IllegalTransition, InvalidRequest, LifetimeInPast
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, change_desired_state
from tempoftp.shares.queries import lock_share, lock_with_siblings
from tempoftp.states import DELIVERED, ON_ITS_WAY, TERMINAL, State

BLOCKABLE = ON_ITS_WAY | DELIVERED


def request_block(
    session: Session,
    share_id: str,
    *,
    whole_account: bool,
    reason: str | None,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Block a share, or with `whole_account` its account and all of its shares.

    For a share that is blocked already, only the reason changes. Raises ShareNotFound, IllegalTransition.
    """
    share, account, affected_shares = _lock_blockable(session, share_id, emails, whole_account=whole_account)
    if whole_account:
        already, account.blocked, account.block_reason = account.blocked, True, reason
    else:
        already, share.wanted, share.block_reason = (
            share.wanted == DesiredState.BLOCKED,
            DesiredState.BLOCKED,
            reason,
        )
    if not already:
        code = "account_block_requested" if whole_account else "block_requested"
        why = Phrase(f"{code}_because", why=reason) if reason else Phrase(code)
        for affected in affected_shares:
            change_desired_state(session, affected, reason=why, author=author, request_id=request_id)
    return share


def request_unblock(
    session: Session,
    share_id: str,
    *,
    whole_account: bool,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Unblock a share, or with `whole_account` its account and every share that has no block of its own.

    Raises ShareNotFound, and IllegalTransition also for a share whose whole account is blocked.
    """
    share, account, affected_shares = _lock_blockable(session, share_id, emails, whole_account=whole_account)
    if whole_account:
        already, account.blocked, account.block_reason = not account.blocked, False, None
    elif account.blocked:
        raise IllegalTransition("account_blocked", name=account.name)
    else:
        already, share.wanted, share.block_reason = (
            share.wanted == DesiredState.PRESENT,
            DesiredState.PRESENT,
            None,
        )
    if not already:
        why = Phrase("account_unblock_requested" if whole_account else "unblock_requested")
        for affected in affected_shares:
            change_desired_state(session, affected, reason=why, author=author, request_id=request_id)
    return share


def _lock_blockable(
    session: Session, share_id: str, emails: frozenset[str] | None, *, whole_account: bool
) -> tuple[Share, Account, list[Share]]:
    """Return a share, its account, and the shares that a block of this scope concerns."""
    if whole_account:
        share, siblings = lock_with_siblings(session, share_id, emails)
    else:
        share = lock_share(session, share_id, emails)
        siblings = [share]
    if share.state not in BLOCKABLE:
        raise IllegalTransition("not_blockable", state=share.state)
    affected = [sibling for sibling in siblings if sibling.state in BLOCKABLE]
    return share, session.get_one(Account, share.ftpuser), affected


def request_deletion(
    session: Session, share_id: str, *, emails: frozenset[str] | None = None, author: str, request_id: str
) -> Share:
    """Ask for the removal of a share: its access, sessions and data. Raises ShareNotFound.

    For a share that is being deleted or has ended, nothing changes.
    """
    share = lock_share(session, share_id, emails)
    _end_share(session, share, reason=Phrase("deletion_requested"), author=author, request_id=request_id)
    return share


def request_account_deletion(session: Session, name: str, *, author: str, request_id: str) -> list[Share]:
    """Ask for the removal of every share of an account, and return the shares that have not ended yet.

    The account is removed with its last share, unless it existed before tempoftp. Raises AccountNotFound when no
    account has this name, or when all of its shares have ended.
    """
    account = lock_account(session, name)
    query = (
        select(Share)
        .where(Share.ftpuser == name, Share.state.not_in(TERMINAL))
        .order_by(Share.id)
        .with_for_update()
    )
    shares = list(session.scalars(query))
    if account is None or not shares:
        raise AccountNotFound("account_not_found", name=name)
    for share in shares:
        _end_share(
            session,
            share,
            reason=Phrase("account_deletion_requested"),
            author=author,
            request_id=request_id,
        )
    return shares


def list_living_shares(session: Session, ftpuser: str) -> list[str]:
    """Return the ids of an account's shares that have not ended."""
    query = select(Share.id).where(Share.ftpuser == ftpuser, Share.state.not_in(TERMINAL))
    return list(session.scalars(query.order_by(Share.id)))


def _end_share(session: Session, share: Share, *, reason: Phrase, author: str, request_id: str) -> None:
    if share.state in TERMINAL or share.state == State.ELIMINANDO:
        return
    share.wanted = DesiredState.ABSENT
    change_desired_state(
        session, share, to=State.ELIMINANDO, reason=reason, author=author, request_id=request_id
    )


def request_retry(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Start a failed share again as a new generation. Data that are copied already are not copied again.

    A share that waits for its next automatic try is tried now. Raises ShareNotFound, IllegalTransition when nothing of
    the share has failed, and HostGone when no worker works on its FTP host any more.
    """
    share = lock_share(session, share_id, emails)
    if share.state == State.ERROR:
        account = session.get_one(Account, share.ftpuser)
        if share.ftp_host not in settings.ftp_host_names:
            raise HostGone("account_host_gone", name=account.name, ftp_host=share.ftp_host, shares=share.id)
        ensure_password(account, settings.build_fernet(), database_now(session))
        share.wanted = DesiredState.PRESENT if share.wanted == DesiredState.ABSENT else share.wanted
        # The lifetime starts again when the share is ready, because nothing of it is available now.
        share.ready_at = share.expires = share.lifetime_confirmed = share.path = None
        change_desired_state(
            session,
            share,
            to=State.RECIBIDO,
            reason=Phrase("retry_requested"),
            author=author,
            request_id=request_id,
        )
    elif share.error_class is not None and share.due_at is not None:
        share.due_at = database_now(session)
        share.attempt = 0
    else:
        raise IllegalTransition("nothing_to_retry", state=share.state)
    return share


def check_lifetime(settings: Settings, days: int) -> None:
    """Raise InvalidRequest for a lifetime outside the bounds of the settings."""
    if not settings.lifetime_min <= days <= settings.lifetime_max:
        least, most = settings.lifetime_min, settings.lifetime_max
        raise InvalidRequest("vigencia", "lifetime_out_of_bounds", least=least, most=most)


def request_lifetime(
    session: Session,
    settings: Settings,
    share_id: str,
    days: int,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Set the lifetime of a share in days, counted from when it was ready.

    The earlier end is valid until the FTP host confirms the new one, and the sweep waits for that. A share that has
    begun to end cannot be extended. Raises ShareNotFound, InvalidRequest, IllegalTransition, LifetimeInPast.
    """
    check_lifetime(settings, days)
    share = lock_share(session, share_id, emails)
    if share.state not in ON_ITS_WAY | DELIVERED:
        raise IllegalTransition("lifetime_settled", state=share.state)
    if share.ready_at is not None and share.ready_at + timedelta(days=days) <= database_now(session):
        raise LifetimeInPast("lifetime_in_past", days=days)
    if days != share.lifetime_days:
        reason = Phrase("lifetime_requested", days=days, before=share.lifetime_days)
        share.lifetime_days = days
        change_desired_state(session, share, reason=reason, author=author, request_id=request_id)
    return share
