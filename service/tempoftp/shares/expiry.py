"""Ends shares whose lifetime is over: from `listo` or `bloqueado` to `expirando`, by the clock of the database.

The FTP host ends access by itself, to the second. This part removes account and data, and reports when all is gone. A
share that is `expirando` never goes back, whatever a clock says later: so none gets there by a clock that runs ahead of
its FTP host's (`tempoftp.hosts.clocks`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Downloads, Share
from tempoftp.hosts.clocks import find_hosts_to_end_by
from tempoftp.hosts.holds import is_free_to_act
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, change_desired_state, is_lifetime_pending
from tempoftp.states import DELIVERED, State

SWEEPER = "expiry"
"""Author of what the periodic sweep writes to the history."""


def find_expired(session: Session, settings: Settings) -> list[Share]:
    """Lock and return the delivered shares whose end has passed, oldest end first.

    A share whose extension waits for its FTP host is left out: only the host knows whether the extension came in
    time. So are the shares of a host whose clock does not confirm the service's.
    """
    now = database_now(session)
    query = (
        select(Share)
        .where(Share.state.in_(DELIVERED), Share.expires <= now, is_free_to_act(Share.ftp_host))
        .where(Share.ftp_host.in_(find_hosts_to_end_by(session, settings)))
        .order_by(Share.id)
        .with_for_update()
    )
    expired = [share for share in session.scalars(query) if not _is_being_extended(share, now)]
    return sorted(expired, key=lambda share: (share.expires or now, share.id))


def sweep_expired(
    session: Session, settings: Settings, *, author: str = SWEEPER, request_id: str | None = None
) -> list[Share]:
    """End every share whose lifetime is over, in a write transaction. The caller commits, then wakes the hosts."""
    expired = find_expired(session, settings)
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
    """End every share of which all files were fetched, some hours after the last download.

    This is off unless `expire_after_download_hours` is set. The caller counts the downloads of this host in the same
    transaction; older counts may lack a recent download.
    """
    hours = settings.expire_after_download_hours
    if not hours or ftp_host not in find_hosts_to_end_by(session, settings):
        return []
    query = (
        select(Share)
        .join(Downloads, Downloads.share_id == Share.id)
        .where(Share.ftp_host == ftp_host, Share.state == State.LISTO, is_free_to_act(Share.ftp_host))
        .where(Downloads.generation >= Share.asked_generation)
        .where(Downloads.files_complete == Downloads.files_total)
        .where(Downloads.last_download <= database_now(session) - timedelta(hours=hours))
        .order_by(Share.id)
        .with_for_update(of=Share)
    )
    # A share that is being changed (more days, a block) is still needed, so only confirmed ones end.
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
    """Whether an extension waits for the FTP host. It is given up at its deadline, so this ends."""
    if share.due_at is None or not is_lifetime_pending(share) or share.ready_at is None:
        return False
    return share.ready_at + timedelta(days=share.lifetime_days) > now
