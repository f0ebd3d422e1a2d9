"""Requests to delete a share, or an account with all of its shares: access, sessions and data."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import AccountNotFound
from tempoftp.shares.desired_state import DesiredState, change_desired_state
from tempoftp.shares.serializers import lock_share
from tempoftp.states import TERMINAL, State


def request_deletion(
    session: Session, share_id: str, *, emails: frozenset[str] | None = None, author: str, request_id: str
) -> Share:
    """Mark a share to be removed, inside the caller's `Database.write()` transaction. Commit, then wake its host.

    A repeated request, or one for a share that has expired, changes nothing. `emails` limits whose shares are found.

    Raises ShareNotFound.
    """
    share = lock_share(session, share_id, emails)
    _end_share(session, share, reason=Phrase("deletion_requested"), author=author, request_id=request_id)
    return share


def request_account_deletion(session: Session, name: str, *, author: str, request_id: str) -> list[Share]:
    """Mark every share of an account to be removed; the account goes with the last one, unless it was there before us.

    Returns the shares that are not gone yet. Raises AccountNotFound when there is none and no account either.
    """
    account = session.get(Account, name)
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
