"""Space on the FTP hosts: free space now, and free space when the delivered shares have ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import FtpHost, Share
from tempoftp.settings import Settings
from tempoftp.states import DELIVERED, ON_ITS_WAY

OWN_COPIES = frozenset({"rsync", "copy"})
"""Deliveries whose space becomes free when they end; linked or mounted data has another owner too."""


@dataclass(frozen=True, slots=True)
class HostSpace:
    """One FTP host at the last run, in bytes; None before the first run."""

    name: str
    free: int | None
    total: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class SpacePoint:
    """From `at` on, `free` bytes are free. Of these, `freed` became free by the end of `shares` shares."""

    at: datetime
    free: int
    freed: int
    shares: int


@dataclass(frozen=True, slots=True)
class SpaceForecast:
    """Free space of all FTP hosts over the coming days. `needed` is what the present copies will still need."""

    total: int
    needed: int
    points: list[SpacePoint]


def read_space(session: Session, settings: Settings) -> list[HostSpace]:
    """Return the space of every configured FTP host."""
    rows = {row.name: row for row in session.scalars(select(FtpHost))}
    return [_describe_space(name, rows.get(name)) for name in settings.ftp_host_names]


def _describe_space(name: str, row: FtpHost | None) -> HostSpace:
    facts = (row.facts or {}) if row is not None else {}
    return HostSpace(
        name, facts.get("space_free"), facts.get("space_total"), row is not None and bool(row.paused)
    )


def forecast_space(session: Session, settings: Settings, *, days: int) -> SpaceForecast | None:
    """Return how free space grows while delivered shares end, without new requests; None when it is unknown."""
    hosts = [host for host in read_space(session, settings) if host.free is not None]
    if not hosts:
        return None
    names = [host.name for host in hosts]
    now = database_now(session)
    under_way = session.execute(
        select(Share.bytes_total, Share.bytes_done).where(
            Share.ftp_host.in_(names), Share.state.in_(ON_ITS_WAY), Share.bytes_total.is_not(None)
        )
    )
    needed = sum(max((total or 0) - (done or 0), 0) for total, done in under_way)
    ending = session.execute(
        select(Share.expires, Share.bytes_total).where(
            Share.ftp_host.in_(names), Share.state.in_(DELIVERED), Share.delivered_by.in_(OWN_COPIES)
        )
    )
    coming = [(expires, size or 0) for expires, size in ending if expires is not None]
    free = sum(host.free or 0 for host in hosts)
    total = sum(host.total or 0 for host in hosts)
    return SpaceForecast(total, needed, plan_space(free - needed, coming, now, days=days))


def plan_space(
    free: int, coming: Iterable[tuple[datetime, int]], now: datetime, *, days: int
) -> list[SpacePoint]:
    """Return one point for now and one for the end of each of the coming days, from (end, bytes) of shares."""
    ends = sorted(coming)
    points = [SpacePoint(now, max(free, 0), 0, 0)]
    for day in range(1, days + 1):
        after, until = now + timedelta(days=day - 1), now + timedelta(days=day)
        # An overdue share may end at any moment: it counts for the first day.
        sizes = [size for end, size in ends if (end > after or day == 1) and end <= until]
        free += sum(sizes)
        points.append(SpacePoint(until, max(free, 0), sum(sizes), len(sizes)))
    return points
