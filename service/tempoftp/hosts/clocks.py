"""The clock of the service beside those of the FTP hosts: nothing ends by a clock that runs ahead of the host's.

A share ends by the service only while its FTP host has said lately what time it is, and the service is not ahead of
that. Otherwise the share waits, and the host ends access by its own clock. All times here are of the database's clock,
by which the service acts; it is the one that may have jumped, so an old report counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import (
    Account,
    FtpHost,
    HostAudit,
    NoticeDelivery,
    Preview,
    Run,
    Share,
    Token,
    WorkerProcess,
)
from tempoftp.settings import Settings

APART = timedelta(minutes=5)
"""Two clocks that differ by more than this are not the same. A host's report is older than the run that brings it."""
STALE_FACTOR = 3
"""Facts older than this many times `facts_max_age_seconds` do not count as present facts."""

NOTED: tuple[InstrumentedAttribute[Any], ...] = (
    Share.state_changed_at,
    Share.wished_at,
    Run.started_at,
    Run.ended_at,
    Preview.asked_at,
    Preview.answered_at,
    HostAudit.stale_since,
    Token.last_used_at,
)
"""When something happened. The service compares these times with the present one."""


def find_hosts_to_end_by(session: Session, settings: Settings) -> set[str]:
    """Return the FTP hosts whose shares may be ended by the service's clock: it is known not to run ahead of theirs."""
    now = database_now(session)
    return {
        row.name
        for row in session.scalars(select(FtpHost))
        if is_present(row.facts_at, now, settings)
        and (ahead := measure_ahead(row.facts, row.facts_at)) is not None
        and ahead <= APART
    }


def is_present(facts_at: datetime | None, now: datetime, settings: Settings) -> bool:
    """Whether a host's facts are of lately. Facts from the future are of a clock that was wrong."""
    if facts_at is None:
        return False
    age = (now - facts_at).total_seconds()
    return -APART.total_seconds() <= age <= STALE_FACTOR * settings.facts_max_age_seconds


def measure_ahead(facts: Mapping[str, Any] | None, facts_at: datetime | None) -> timedelta | None:
    """Return how far the service's clock is ahead of a host's (negative: behind), with the length of a run as error.

    None when the host has not said its time.
    """
    said = (facts or {}).get("time")
    if facts_at is None or not isinstance(said, str):
        return None
    try:
        host_time = datetime.fromisoformat(said)
    except ValueError:
        return None
    return facts_at - (host_time if host_time.tzinfo else host_time.replace(tzinfo=UTC))


def warn_of_clocks(session: Session, settings: Settings) -> list[str]:
    """Return a warning for each FTP host whose clock differs from the service's."""
    now = database_now(session)
    warnings = []
    for row in session.scalars(select(FtpHost).where(FtpHost.name.in_(settings.ftp_host_names))):
        ahead = measure_ahead(row.facts, row.facts_at)
        if ahead is None or abs(ahead) <= APART or not is_present(row.facts_at, now, settings):
            continue
        word, effect = ("ahead of", "no share is ended by it") if ahead > APART else ("behind", "")
        warnings.append(
            f"{row.name}: the clock of this service (that of its database) is {_say(abs(ahead))} {word} "
            f"the clock of this FTP host{': ' + effect if effect else ''}. "
            "Set the wrong one right (timedatectl set-ntp true)"
        )
    return warnings


def forget_future(session: Session, settings: Settings) -> None:
    """Make due what a clock that ran ahead has put off, in a write transaction: tries, leases, and what was heard.

    Without this, a share that was tried while the clock was a year ahead would be tried again in a year, an audit would
    compare it in a year, since it leaves out what changes at the moment, and a preview would be fresh for a year. The
    signs of life of that time tell that it was: without one nothing is searched.
    """
    now = database_now(session)
    limit = now + APART
    last = session.scalar(select(func.max(WorkerProcess.seen_at)))
    if last is None or last <= limit:
        return
    over = limit + timedelta(seconds=settings.lease_seconds)
    later = {
        Share.due_at: limit,
        NoticeDelivery.due_at: limit + timedelta(hours=settings.notice_retry_hours),
        HostAudit.due_at: limit + timedelta(hours=settings.audit_hours),
    }
    for column, most in later.items():
        _change(session, column, most, {column.key: now})
    hours = timedelta(hours=settings.retry_until_hours)
    _change(session, Share.retry_until, limit + hours, {"retry_until": None})
    hours = timedelta(hours=settings.notice_retry_hours)
    _change(session, NoticeDelivery.give_up_at, limit + hours, {"give_up_at": now + hours})
    for noted in NOTED:
        _change(session, noted, limit, {noted.key: now})
    for table in (Share, Account, HostAudit, Preview, NoticeDelivery):
        _change(session, table.lease_until, over, {"lease_run_id": None, "lease_until": None})
    for column in (FtpHost.facts_at, FtpHost.error_at, FtpHost.transfers_asked_at):
        _change(session, column, limit, {column.key: None})
    session.execute(delete(WorkerProcess).where(WorkerProcess.seen_at > limit))


def _change(
    session: Session, column: InstrumentedAttribute[Any], most: datetime, values: dict[str, Any]
) -> None:
    session.execute(
        update(column.class_).where(column > most).values(values).execution_options(synchronize_session=False)
    )


def _say(span: timedelta) -> str:
    """Return a length of time, to its largest unit."""
    seconds = span.total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"
