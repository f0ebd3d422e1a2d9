"""Undelete: until when an ended share can be restored from the trash of its FTP host, and the request to do so.

The host says until when, at the end of the share: it keeps the data for `tempoftp_trash_hours`.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import ensure_password
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import HostGone, IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, change_desired_state
from tempoftp.shares.queries import lock_share
from tempoftp.shares.restorable import is_host_there, is_in_trash
from tempoftp.states import TERMINAL, State


def request_restore(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Bring an ended share back from the trash of its FTP host, as a new generation and without a copy.

    An end that is not over stays; else the days count anew. When the host has removed the data in between, they are
    copied again. Raises ShareNotFound, HostGone, and IllegalTransition when there is nothing to restore.
    """
    share = lock_share(session, share_id, emails, deleted=True)
    now = database_now(session)
    if share.state not in TERMINAL:
        raise IllegalTransition("nothing_to_restore", state=share.state)
    if not is_in_trash(share, now):
        raise IllegalTransition("not_restorable")
    account = session.get_one(Account, share.ftpuser)
    if not is_host_there(settings, share, account):
        raise HostGone("account_host_gone", name=account.name, ftp_host=share.ftp_host, shares=share.id)
    ensure_password(account, settings.build_fernet(), now)
    share.wanted, share.block_reason = DesiredState.PRESENT, None
    share.ready_at = share.expires = share.lifetime_confirmed = share.path = None
    change_desired_state(
        session,
        share,
        to=State.RECIBIDO,
        reason=Phrase("restore_requested"),
        author=author,
        request_id=request_id,
    )
    return share
