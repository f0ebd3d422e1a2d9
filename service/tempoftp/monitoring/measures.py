"""The numbers for `GET /metrics`, from the database.

They contain no e-mail, id or path: programs that read metrics keep them for long and show them to many people.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Downloads, FtpHost, HostAudit, Share
from tempoftp.errors import ERROR_CLASSES
from tempoftp.hosts.pauses import count_runs
from tempoftp.hosts.run_totals import RunDurations, read_run_totals
from tempoftp.monitoring.health import count_overdue, read_queue
from tempoftp.notices.backlog import count_deliveries, read_oldest_waiting
from tempoftp.settings import Settings
from tempoftp.states import DELIVERED, TERMINAL, UNFINISHED, State


@dataclass(frozen=True, slots=True)
class HostMeasures:
    """One FTP host. None means not known; sizes are bytes, ages are seconds."""

    name: str
    space_total: int | None
    space_free: int | None
    inodes_free: int | None
    ftpd_ok: bool | None
    database_ok: bool | None
    failing: str | None
    """Class of the failure of the last run; None when it succeeded."""
    facts_age: float | None
    paused: bool
    held: bool
    runs_active: int
    delivered_bytes: int
    copied_bytes: int
    """Of the copies that are going on."""
    left_bytes: int
    rate: float
    """Bytes per second of all its copies together."""
    audit_age: float | None
    findings: int | None


@dataclass(frozen=True, slots=True)
class Measures:
    """All numbers, at one moment."""

    shares: dict[State, int]
    oldest: dict[State, float]
    """For each state that a share leaves by itself: seconds that the oldest share has been in it; 0 without any."""
    failing: dict[str, int]
    """Shares that have not ended, by the class of their present failure; also shares in `error`."""
    queue: int
    queue_age: float
    overdue_ending: int
    overdue_expired: int
    accounts: dict[str, int]
    downloads: dict[str, int]
    notices: dict[tuple[str, str], int]
    """Deliveries of notices, by channel and state."""
    notices_oldest: dict[str, float]
    """Seconds that the oldest notice has waited, by channel; 0 without any."""
    hosts: tuple[HostMeasures, ...]
    runs: list[RunDurations]


def read_measures(session: Session, settings: Settings) -> Measures:
    """Read all numbers in one transaction."""
    now = database_now(session)
    queue, queue_age = read_queue(session, now)
    overdue_ending, overdue_expired = count_overdue(session, now)
    notices = count_deliveries(session)
    return Measures(
        shares=_count_states(session),
        oldest=_read_oldest(session, now),
        failing=_count_failing(session),
        queue=queue,
        queue_age=queue_age,
        overdue_ending=overdue_ending,
        overdue_expired=overdue_expired,
        accounts=_count_accounts(session),
        downloads=_count_downloads(session),
        notices=notices,
        notices_oldest={channel: 0.0 for channel, _state in notices} | read_oldest_waiting(session, now),
        hosts=_read_hosts(session, settings, now),
        runs=read_run_totals(session),
    )


def _count_states(session: Session) -> dict[State, int]:
    query = select(Share.state, func.count()).group_by(Share.state)
    found = {state: count for state, count in session.execute(query)}
    return {state: found.get(state, 0) for state in State}


def _read_oldest(session: Session, now: datetime) -> dict[State, float]:
    query = (
        select(Share.state, func.min(Share.state_changed_at))
        .where(Share.state.in_(UNFINISHED))
        .group_by(Share.state)
    )
    since = {state: moment for state, moment in session.execute(query)}
    return {
        state: (now - since[state]).total_seconds() if state in since else 0.0
        for state in State
        if state in UNFINISHED
    }


def _count_failing(session: Session) -> dict[str, int]:
    query = (
        select(Share.error_class, func.count())
        .where(Share.error_class.is_not(None), Share.state.not_in(TERMINAL))
        .group_by(Share.error_class)
    )
    return dict.fromkeys(ERROR_CLASSES, 0) | {str(name): count for name, count in session.execute(query)}


def _count_accounts(session: Session) -> dict[str, int]:
    query = (
        select(Account.origin, func.count()).where(Account.exists_since.is_not(None)).group_by(Account.origin)
    )
    found = {origin or "created": count for origin, count in session.execute(query)}
    return {origin: found.get(origin, 0) for origin in ("created", "adopted")}


def _count_downloads(session: Session) -> dict[str, int]:
    row = session.execute(select(func.sum(Downloads.complete), func.sum(Downloads.partial))).one()
    return {"complete": int(row[0] or 0), "partial": int(row[1] or 0)}


def _read_hosts(session: Session, settings: Settings, now: datetime) -> tuple[HostMeasures, ...]:
    rows = {row.name: row for row in session.scalars(select(FtpHost))}
    audits = {row.ftp_host: row for row in session.scalars(select(HostAudit))}
    runs = Counter(count_runs(session))
    copying = Share.state == State.TRASLADO
    volumes = {
        "delivered": _sum_by_host(session, Share.bytes_total, Share.state.in_(DELIVERED)),
        "copied": _sum_by_host(session, Share.bytes_done, copying),
        "total": _sum_by_host(session, Share.bytes_total, copying),
        "rate": _sum_by_host(session, Share.rate, copying),
    }
    return tuple(
        _measure_host(name, rows.get(name), audits.get(name), runs[name], volumes, now)
        for name in settings.ftp_host_names
    )


def _sum_by_host(session: Session, column: Any, condition: ColumnElement[bool]) -> dict[str, float]:
    query = select(Share.ftp_host, func.sum(column)).where(condition).group_by(Share.ftp_host)
    return {name: total or 0 for name, total in session.execute(query)}


def _measure_host(
    name: str,
    row: FtpHost | None,
    audit: HostAudit | None,
    runs: int,
    volumes: dict[str, dict[str, float]],
    now: datetime,
) -> HostMeasures:
    facts: dict[str, Any] = (row.facts or {}) if row is not None else {}
    database: dict[str, Any] = (row.database_facts or {}) if row is not None else {}
    volume = {key: by_host.get(name, 0) for key, by_host in volumes.items()}
    return HostMeasures(
        name=name,
        space_total=facts.get("space_total"),
        space_free=facts.get("space_free"),
        inodes_free=facts.get("inodes_free"),
        ftpd_ok=(facts.get("ftpd") or {}).get("ok"),
        database_ok=database.get("ok"),
        failing=row.error_class if row is not None else None,
        facts_age=_age(row.facts_at if row is not None else None, now),
        paused=row is not None and row.paused,
        held=audit is not None and audit.stale_since is not None,
        runs_active=runs,
        delivered_bytes=int(volume["delivered"]),
        copied_bytes=int(volume["copied"]),
        left_bytes=max(int(volume["total"] - volume["copied"]), 0),
        rate=float(volume["rate"]),
        audit_age=_age(audit.audited_at if audit is not None else None, now),
        findings=_count_findings(audit),
    )


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max((now - moment).total_seconds(), 0.0)


def _count_findings(audit: HostAudit | None) -> int | None:
    if audit is None or audit.audited_at is None:
        return None
    return sum(not finding["repaired"] for finding in audit.findings or ())
