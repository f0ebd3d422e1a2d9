"""Deliveries of notices: one row for each channel, leased while it is sent, tried again until its deadline.

A delivery is marked after it was sent. If the worker dies between the two, the notice is sent again: it may arrive
twice, but it is never lost. The receiver recognizes the second one by the notice's `uid`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.leases import count_changed, is_free, lock_held, take_row
from tempoftp.db.models import ExtensionRequest, Notice, NoticeDelivery, Share
from tempoftp.notices.expiring import name_end
from tempoftp.shares.apply_result import plan_backoff
from tempoftp.shares.notices import KINDS, Kind
from tempoftp.states import DELIVERED, ON_ITS_WAY, State

PENDING, SENT, OUTDATED, REFUSED, GIVEN_UP = DELIVERY_STATES = (
    "pending",
    "sent",
    "outdated",
    "refused",
    "given_up",
)
RETRY_SECONDS = 5.0
RETRY_SECONDS_MOST = 600.0
FAN_OUT_LIMIT = 200
ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to send notices: its name, the kinds that it sends, and whether it skips those that are no longer true."""

    name: str
    kinds: frozenset[Kind]
    only_current: bool = False


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that only this caller may send until the lease ends."""

    number: int
    lease_id: str
    attempt: int
    notice: Notice


def is_anything_to_fan_out(session: Session) -> bool:
    """Whether there are notices that have no deliveries yet."""
    return session.scalar(select(Notice.number).where(Notice.spread_at.is_(None)).limit(1)) is not None


def fan_out(session: Session, channels: Sequence[Channel], *, retry_hours: float) -> int:
    """Write the deliveries of new notices, inside a write transaction; returns the number of notices.

    A notice that no channel sends gets no delivery, now or later.
    """
    now = database_now(session)
    not_fanned_out = (
        select(Notice.number, Notice.kind)
        .where(Notice.spread_at.is_(None))
        .order_by(Notice.number)
        .limit(FAN_OUT_LIMIT)
    )
    count = 0
    for number, kind in session.execute(not_fanned_out).all():
        mine = update(Notice).where(Notice.number == number, Notice.spread_at.is_(None)).values(spread_at=now)
        if count_changed(session.execute(mine)) != 1:
            continue  # another worker does it
        count += 1
        session.add_all(
            NoticeDelivery(
                notice_number=number,
                channel=channel.name,
                state=PENDING,
                attempt=0,
                due_at=now,
                give_up_at=now + timedelta(hours=retry_hours),
            )
            for channel in channels
            if kind in channel.kinds
        )
    return count


def find_due_channels(session: Session) -> set[str]:
    """Return the channels that have something to send now."""
    now = database_now(session)
    query = (
        select(NoticeDelivery.channel)
        .where(NoticeDelivery.due_at <= now, is_free(NoticeDelivery, now))
        .distinct()
    )
    return set(session.scalars(query))


def claim_delivery(
    session: Session, channel: str, lease_id: str, *, lease_seconds: float
) -> ClaimedDelivery | None:
    """Lease the delivery of a channel that has been due longest, inside a write transaction; None without any."""
    now = database_now(session)
    due = (
        select(NoticeDelivery.number)
        .where(NoticeDelivery.channel == channel, NoticeDelivery.due_at <= now, is_free(NoticeDelivery, now))
        .order_by(NoticeDelivery.due_at, NoticeDelivery.number)
        .limit(10)
    )
    for number in session.scalars(due).all():
        still_due = (NoticeDelivery.number == number, NoticeDelivery.due_at <= now)
        if not take_row(session, NoticeDelivery, *still_due, holder=lease_id, now=now, seconds=lease_seconds):
            continue
        delivery = session.get_one(NoticeDelivery, number, populate_existing=True)
        notice = session.get_one(Notice, delivery.notice_number)
        return ClaimedDelivery(number, lease_id, delivery.attempt, notice)
    return None


def mark_sent(session: Session, claimed: ClaimedDelivery) -> bool:
    """Store that a delivery was sent; False when another worker has the lease now."""
    delivery = _find_own(session, claimed)
    if delivery is None:
        return False
    _end(delivery, SENT, database_now(session))
    delivery.error = None
    return True


def mark_outdated(session: Session, claimed: ClaimedDelivery) -> bool:
    """Store that a delivery is not sent because it is not true any more; False when another worker has the lease."""
    delivery = _find_own(session, claimed)
    if delivery is None:
        return False
    _end(delivery, OUTDATED, database_now(session))
    return True


def mark_failed(
    session: Session, claimed: ClaimedDelivery, error: str, *, refused: bool = False
) -> str | None:
    """Store why a delivery failed and when it is tried again; returns its state, None if another worker has the lease.

    The last try is made at the deadline. `refused`: a later try cannot succeed.
    """
    delivery = _find_own(session, claimed)
    if delivery is None:
        return None
    now = database_now(session)
    delivery.error = error[:ERROR_LENGTH]
    delivery.attempt += 1
    if refused or now >= delivery.give_up_at:
        _end(delivery, REFUSED if refused else GIVEN_UP, now)
        return delivery.state
    delivery.clear_lease()
    wait = plan_backoff(delivery.attempt, least=RETRY_SECONDS, most=RETRY_SECONDS_MOST)
    delivery.due_at = min(now + timedelta(seconds=wait), delivery.give_up_at)
    return delivery.state


def find_orphans(session: Session, channels: Collection[str]) -> list[NoticeDelivery]:
    """Return, locked, the deliveries of channels that are not configured any more, after their deadline."""
    now = database_now(session)
    query = select(NoticeDelivery).where(
        NoticeDelivery.state == PENDING,
        NoticeDelivery.channel.not_in(channels),
        NoticeDelivery.give_up_at <= now,
        is_free(NoticeDelivery, now),
    )
    return list(session.scalars(query.with_for_update()))


def give_up_orphans(session: Session, channels: Collection[str]) -> list[NoticeDelivery]:
    """Give these deliveries up, inside a write transaction."""
    orphans = find_orphans(session, channels)
    for delivery in orphans:
        delivery.error = delivery.error or "no worker is configured for this channel any more"
        _end(delivery, GIVEN_UP, database_now(session))
    return orphans


def _find_own(session: Session, claimed: ClaimedDelivery) -> NoticeDelivery | None:
    # A notice that was sent is marked as sent even if its lease is over: nobody else has begun to send it.
    return next(iter(lock_held(session, NoticeDelivery, claimed.lease_id, or_over=True)), None)


def _end(delivery: NoticeDelivery, state: str, now: datetime) -> None:
    delivery.state = state
    delivery.ended_at = now
    delivery.due_at = None
    delivery.clear_lease()


def is_current(session: Session, notice: Notice) -> bool:
    """Whether a notice is still true: it may have waited for a day."""
    share = session.get(Share, notice.share_id)
    if share is None or share.asked_generation != notice.generation:
        return False
    if notice.kind == Kind.LISTO:
        return share.state in DELIVERED
    if notice.kind == Kind.POR_VENCER:
        if share.state != State.LISTO or share.expires is None:
            return False
        return notice.occasion == name_end(share) and share.expires > database_now(session)
    if notice.kind == Kind.PRORROGA:
        request = session.get(ExtensionRequest, int(notice.occasion))
        is_waiting = request is not None and request.decided_at is None
        return is_waiting and share.state in ON_ITS_WAY | DELIVERED
    return KINDS.get(State(share.state)) == notice.kind
