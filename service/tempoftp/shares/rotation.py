"""A new password for an account: the only way to one. It opens every share of the account."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import renew_password
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import AccountNotOurs, IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.serializers import lock_share
from tempoftp.states import DELIVERED, ON_ITS_WAY

OPENABLE = ON_ITS_WAY | DELIVERED


def request_rotation(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> tuple[Share, Account]:
    """Give the account of a share a new password. Commit, then wake its host.

    The old one is forgotten here at once and works on the FTP host until an outcome confirms the new one. The token is
    committed before any run, and sent until it is confirmed: a crash in between loses no password.

    Raises ShareNotFound, IllegalTransition; AccountNotOurs for an account that was there before tempoftp.
    """
    share = lock_share(session, share_id, emails)
    if share.state not in OPENABLE:
        raise IllegalTransition("no_account_to_open", state=share.state)
    account = session.get_one(Account, share.ftpuser)
    if account.origin == "adopted" or (account.adopt and account.origin is None):
        raise AccountNotOurs("account_not_ours", name=account.name)
    renew_password(account, settings.build_fernet())
    share.request_id = request_id
    record_change(session, share, reason=Phrase("new_password_requested"), author=author)
    # The account carries the number of its password: no generation of the share is needed to tell late runs apart.
    share.attempt = 0
    share.wished_at = share.due_at = database_now(session)
    return share, account


def list_opened(session: Session, account: Account) -> list[str]:
    """Return the ids of the shares that the password of an account opens, or will once they are delivered."""
    query = select(Share.id).where(Share.ftpuser == account.name, Share.state.in_(OPENABLE))
    return list(session.scalars(query.order_by(Share.id)))
