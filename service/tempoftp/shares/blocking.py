"""Blocking and unblocking: one share, or the account with every share of it.

What is blocked is hidden from its account and the account's open sessions end. The FTP host itself blocks the login
when no share of the account is left to be seen; `cuenta` blocks it in any case, and holds for shares still to come.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition
from tempoftp.shares.desired_state import DesiredState, change_desired_state
from tempoftp.shares.serializers import lock_share
from tempoftp.states import DELIVERED, ON_ITS_WAY

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
    """Have a share hidden, or with `whole_account` its account and all of its shares. Commit, then wake its host.

    Asked again it only takes over the reason. Raises ShareNotFound, IllegalTransition.
    """
    share, account = _find_blockable(session, share_id, emails)
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
        for affected in _list_affected(session, share, whole_account=whole_account):
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
    """Have a share shown again, or with `whole_account` every share that is not blocked for itself.

    Raises ShareNotFound; IllegalTransition also for a share whose account is blocked: that block is the one to lift.
    """
    share, account = _find_blockable(session, share_id, emails)
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
        for affected in _list_affected(session, share, whole_account=whole_account):
            change_desired_state(session, affected, reason=why, author=author, request_id=request_id)
    return share


def _find_blockable(session: Session, share_id: str, emails: frozenset[str] | None) -> tuple[Share, Account]:
    share = lock_share(session, share_id, emails)
    if share.state not in BLOCKABLE:
        raise IllegalTransition("not_blockable", state=share.state)
    return share, session.get_one(Account, share.ftpuser)


def _list_affected(session: Session, share: Share, *, whole_account: bool) -> list[Share]:
    if not whole_account:
        return [share]
    query = select(Share).where(Share.ftpuser == share.ftpuser, Share.state.in_(BLOCKABLE))
    return list(session.scalars(query.order_by(Share.id).with_for_update()))
