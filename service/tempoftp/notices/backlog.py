"""What waits on each channel, what was given up, and what of it is a problem: for health and metrics."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Notice, NoticeDelivery
from tempoftp.notices.deliveries import DELIVERY_STATES, GIVEN_UP, REFUSED

LATE_SECONDS = 900.0
"""A notice that waits longer than this is a problem of the system."""
GIVEN_UP_HOURS = 24
"""For this long, a notice that was given up is a problem of the system."""


def describe_backlog(session: Session) -> tuple[dict[str, Any], list[str]]:
    """Return what `GET /health` says about notices, and the problems with them."""
    now = database_now(session)
    recently = NoticeDelivery.ended_at > now - timedelta(hours=GIVEN_UP_HOURS)
    counts = session.execute(
        select(NoticeDelivery.state, func.count())
        .where(NoticeDelivery.state.in_((REFUSED, GIVEN_UP)), recently)
        .group_by(NoticeDelivery.state)
    )
    ended: dict[str, int] = {state: count for state, count in counts}
    waiting = session.execute(
        select(NoticeDelivery.channel, func.count(), func.min(Notice.at), func.max(NoticeDelivery.error))
        .join(Notice, Notice.number == NoticeDelivery.notice_number)
        .where(NoticeDelivery.due_at.is_not(None))
        .group_by(NoticeDelivery.channel)
        .order_by(NoticeDelivery.channel)
    ).all()
    problems = [
        f"{count} notices wait for {channel}, the oldest for {(now - oldest).total_seconds() / 60:.0f} min: "
        f"{error or 'is tempoftp-worker.service running?'}"
        for channel, count, oldest, error in waiting
        if (now - oldest).total_seconds() > LATE_SECONDS
    ]
    if ended.get(GIVEN_UP):
        problems.append(
            f"{ended[GIVEN_UP]} notices were given up in the last {GIVEN_UP_HOURS} h; the journal says which"
        )
    oldest_of_all: datetime | None = min((row[2] for row in waiting), default=None)
    backlog = {
        "pendientes": sum(row[1] for row in waiting),
        "edad_segundos": 0.0 if oldest_of_all is None else round((now - oldest_of_all).total_seconds(), 1),
        "abandonados": ended.get(GIVEN_UP, 0),
        "rechazados": ended.get(REFUSED, 0),
    }
    return backlog, problems


def count_deliveries(session: Session) -> dict[tuple[str, str], int]:
    """Return the number of deliveries of each channel in each state; a channel without any is missing."""
    query = select(NoticeDelivery.channel, NoticeDelivery.state, func.count()).group_by(
        NoticeDelivery.channel, NoticeDelivery.state
    )
    found = {(channel, state): count for channel, state, count in session.execute(query)}
    channels = {channel for channel, _state in found}
    return {
        (channel, state): found.get((channel, state), 0)
        for channel in sorted(channels)
        for state in DELIVERY_STATES
    }


def read_oldest_waiting(session: Session, now: datetime) -> dict[str, float]:
    """Return for how many seconds the oldest notice of each channel has waited; a channel without any is missing."""
    query = (
        select(NoticeDelivery.channel, func.min(Notice.at))
        .join(Notice, Notice.number == NoticeDelivery.notice_number)
        .where(NoticeDelivery.due_at.is_not(None))
        .group_by(NoticeDelivery.channel)
    )
    return {channel: (now - since).total_seconds() for channel, since in session.execute(query)}
