"""Reminders: a notice for each share that ends soon and was not downloaded completely."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import Downloads, Notice, Share
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import is_lifetime_pending
from tempoftp.shares.notices import Kind, build_notice
from tempoftp.states import State


def find_expiring(session: Session, settings: Settings) -> list[Share]:
    """Return the shares that end soon, were not downloaded completely, and have no reminder of this end yet.

    A share in the first half of its life gets no reminder, because the notice that it is ready is still new. Unknown
    downloads count as none.
    """
    if not settings.notice_before_hours:
        return []
    now = database_now(session)
    unfetched = (
        Downloads.share_id.is_(None)
        | (Downloads.generation < Share.asked_generation)
        | (Downloads.files_complete < Downloads.files_total)
    )
    query = (
        select(Share)
        .outerjoin(Downloads, Downloads.share_id == Share.id)
        .where(Share.state == State.LISTO, Share.expires > now, unfetched)
        .where(Share.expires <= now + timedelta(hours=settings.notice_before_hours))
        .order_by(Share.expires, Share.id)
    )
    shares = [
        share
        for share in session.scalars(query)
        if _is_past_half(share, now) and not is_lifetime_pending(share)
    ]
    known = session.execute(
        select(Notice.share_id, Notice.generation, Notice.occasion).where(
            Notice.kind == Kind.POR_VENCER, Notice.share_id.in_([share.id for share in shares])
        )
    )
    noted = {tuple(row) for row in known}
    return [share for share in shares if (share.id, share.asked_generation, name_end(share)) not in noted]


def note_expiring(session: Session, settings: Settings) -> list[str]:
    """Write the notices of the shares that end soon, inside a write transaction; returns their ids."""
    noted = []
    for share in find_expiring(session, settings):
        try:
            with session.begin_nested():
                session.add(build_notice(session, share, Kind.POR_VENCER, name_end(share)))
        except IntegrityError:
            continue  # another worker wrote the same just now
        noted.append(share.id)
    return noted


def _is_past_half(share: Share, now: datetime) -> bool:
    assert share.expires is not None  # noqa: S101 - the query asks for it
    begin = share.ready_at or share.created_at
    return now >= begin + (share.expires - begin) / 2


def name_end(share: Share) -> str:
    """Return the occasion of a reminder: a new end is a new occasion."""
    return write_time(share.expires) or ""
