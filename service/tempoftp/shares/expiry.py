"""What has lived its days goes: from `listo` or `bloqueado` to `expirando`, by the database's clock.

The FTP host ends access by itself, to the second; this takes account and data away and tells when all is gone. Once
`expirando` a share stays so, whatever a clock says later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Downloads, Share
from tempoftp.hosts.holds import is_free_to_act
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, change_desired_state, is_lifetime_pending
from tempoftp.states import DELIVERED, State

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
        share.wanted = DesiredState.ABSENT
        change_desired_state(
            session,
            share,
            to=State.EXPIRANDO,
            reason=Phrase("lifetime_ended"),
            author=author,
            request_id=request_id,
        )
    return expired


def sweep_fetched(session: Session, settings: Settings, ftp_host: str) -> list[Share]:
    """Have every share taken away of which each file was fetched completely, and nothing more for some hours.

    Off unless `expire_after_download_hours` says how many. Called in the transaction that wrote fresh counts of this
    host: older ones may lack a download of just now.
    """
    hours = settings.expire_after_download_hours
    if not hours:
        return []
    query = (
        select(Share)
        .join(Downloads, Downloads.share_id == Share.id)
        .where(Share.ftp_host == ftp_host, Share.state == State.LISTO, is_free_to_act(Share.ftp_host))
        .where(Downloads.counted_at >= Share.created_at)
        .where(Downloads.files_complete == Downloads.files_total)
        .where(Downloads.last_download <= database_now(session) - timedelta(hours=hours))
        .order_by(Share.id)
        .with_for_update(of=Share)
    )
    # Who asks for more days has not had enough of it, and who blocks it wants it kept.
    fetched = [share for share in session.scalars(query) if share.confirmed_generation == share.generation]
    for share in fetched:
        share.wanted = DesiredState.ABSENT
        change_desired_state(
            session,
            share,
            to=State.EXPIRANDO,
            reason=Phrase("all_fetched", hours=hours),
            author=SWEEPER,
        )
    return fetched


def _is_being_extended(share: Share, now: datetime) -> bool:
    """An extension is given up with its deadline, so this does not hold for ever."""
    if share.due_at is None or not is_lifetime_pending(share) or share.ready_at is None:
        return False
    return share.ready_at + timedelta(days=share.lifetime_days) > now
