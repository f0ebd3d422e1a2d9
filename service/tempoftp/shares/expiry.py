"""What has lived its days goes: from `listo` or `bloqueado` to `expirando`, by the database's clock.

The FTP host ends access by itself, to the second; this takes account and data away and tells when all is gone. Once
`expirando` a share stays so, whatever a clock says later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.shares.database import database_now
from tempoftp.shares.held_hosts import is_free_to_act
from tempoftp.shares.models import Share
from tempoftp.shares.states import DELIVERED, State
from tempoftp.shares.wishes import Wanted, change_wish, is_lifetime_pending

SWEEPER = "expiry"
"""Author of what the periodic sweep writes to the history."""


def find_expired(session: Session) -> list[Share]:
    """Return, locked, the delivered shares whose end has come, first those that are longest over it.

    One whose extension waits for its FTP host is left alone: only the host knows whether it came in time, and its
    answer settles it, one way or the other.
    """
    now = database_now(session)
    query = (
        select(Share)
        .where(Share.state.in_(DELIVERED), Share.expires <= now, is_free_to_act(Share.ftp_host))
        .order_by(Share.expires, Share.id)
        .with_for_update()
    )
    return [share for share in session.scalars(query) if not _is_being_extended(share, now)]


def sweep_expired(session: Session, *, author: str = SWEEPER, request_id: str | None = None) -> list[Share]:
    """Have every expired share taken away, inside a write transaction. Commit, then wake the hosts."""
    expired = find_expired(session)
    for share in expired:
        share.wanted = Wanted.ABSENT
        change_wish(
            session,
            share,
            to=State.EXPIRANDO,
            reason="its lifetime has ended",
            author=author,
            request_id=request_id,
        )
    return expired


def _is_being_extended(share: Share, now: datetime) -> bool:
    """An extension is given up with its deadline, so this does not hold for ever."""
    if share.due_at is None or not is_lifetime_pending(share) or share.ready_at is None:
        return False
    return share.ready_at + timedelta(days=share.lifetime_days) > now
