"""The health of the system (`GET /health`), and the overview for operators: states, copies under way, failures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.access.sealing import warn_of_shared_key
from tempoftp.accounts.keys import describe_unreadable
from tempoftp.db.clock import database_now, write_time
from tempoftp.db.leases import is_free
from tempoftp.db.models import FtpHost, Run, Share
from tempoftp.errors import ERROR_CLASSES
from tempoftp.hosts.clocks import STALE_FACTOR, warn_of_clocks
from tempoftp.hosts.holds import find_holds
from tempoftp.hosts.pauses import count_runs, describe_pause
from tempoftp.hosts.workers import describe_silence
from tempoftp.notices.backlog import describe_backlog
from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.serializers import describe_progress
from tempoftp.shares.sources import read_sources
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, TERMINAL, State

GIGABYTE = 10**9
OVERDUE_LIMIT = 600.0
"""Seconds that a share may take to end; the removal of a large share takes long."""
QUEUE_AGE_LIMIT = 60.0
"""Seconds that a due share may wait; longer means that something is wrong with the workers."""
COPIES_LIMIT = 50
RUNS_HOURS = 24
FULL_SHARE = 0.01
"""A disk of an FTP host with less of it free is full."""
STATE_FREE_MIN = 50 * 10**6
"""Bytes that the service needs free for its database and its logs."""
FEW_INODES = 100


def read_health(session: Session, settings: Settings, *, unreadable: Sequence[str] = ()) -> dict[str, Any]:
    """Return `GET /health`: `status` is `ok` or `degraded`; `problemas` says what is wrong and where.
    `advertencias` says what works and should be changed all the same.

    Space is summed over the FTP hosts; `ftpd` and `database` are `ok`, `error` or `unknown` (the host's facts are
    old), the worst of all hosts. `unreadable` are accounts whose stored password no key can decrypt.
    """
    now = database_now(session)
    rows = {row.name: row for row in session.scalars(select(FtpHost))}
    runs = count_runs(session)
    hosts = {
        name: _describe_host(rows.get(name), settings, now)
        | describe_pause(rows.get(name), runs.get(name, 0))
        for name in settings.ftp_host_names
    }
    problems = [f"{name}: {text}" for name, host in hosts.items() for text in host["problemas"]]
    problems += [f"{name}: {reason}" for name, reason in find_holds(session).items() if name in hosts]
    problems += _find_gone_hosts(session, settings)
    problems += describe_silence(session)
    problems += describe_full_disk(settings.state_dir)
    waiting, age = read_queue(session, now)
    if age > QUEUE_AGE_LIMIT:
        problems.append(f"a share has waited {age:.0f} s for a worker; is tempoftp-worker.service running?")
    problems += _find_overdue(session, now)
    problems += _find_source_mistakes(settings)
    notices, untold = describe_backlog(session)
    problems += untold
    if unreadable:
        problems.append(describe_unreadable(unreadable))
    total = sum(host["space_total"] or 0 for host in hosts.values())
    free = sum(host["space_free"] or 0 for host in hosts.values())
    return {
        "status": "degraded" if problems else "ok",
        "space_free_gb": round(free / GIGABYTE, 3) if total else None,
        "space_total_gb": round(total / GIGABYTE, 3) if total else None,
        "space_used_pct": round(100 * (total - free) / total, 1) if total else None,
        "ftpd": _worst(host["ftpd"] for host in hosts.values()),
        "database": _worst(host["database"] for host in hosts.values()),
        "cola": {"pendientes": waiting, "edad_segundos": round(age, 1)},
        "avisos": notices,
        "hosts": hosts,
        "problemas": problems,
        "advertencias": warn_of_shared_key(session, settings) + warn_of_clocks(session, settings),
        "simulacro": settings.simulacro,
    }


def _describe_host(row: FtpHost | None, settings: Settings, now: datetime) -> dict[str, Any]:
    if row is None or (row.facts_at is None and not row.paused):
        reason = row.error_message if row is not None and row.error_message else "no run has reached it yet"
        return _build_host(None, None, None, [reason])
    if row.paused or row.facts_at is None:
        # No run asks the host: its last facts are no present problem.
        return _build_host(row.facts, None, row.facts_at, [])
    problems: list[str] = []
    if row.error_class is not None:
        problems.append(f"{row.error_class}: {row.error_message}")
    age = (now - row.facts_at).total_seconds()
    if age > STALE_FACTOR * settings.facts_max_age_seconds:
        problems.append(f"last heard of {age:.0f} s ago")
        return _build_host(row.facts, None, row.facts_at, problems)
    facts, database = row.facts or {}, row.database_facts or {}
    problems += _find_full(facts)
    root = facts.get("root") or {}
    if root.get("ok") is False:
        problems.append(f"root_missing: {root.get('error')}")
    clock = facts.get("clock") or {}
    if clock.get("ok") is False:
        problems.append(f"clock_unsure: {clock.get('error')}")
    if not (facts.get("ftpd") or {}).get("ok"):
        problems.append("pure-ftpd does not greet on its port")
    if not database.get("ok"):
        error = database.get("error") or {}
        problems.append(str(error.get("message") or "the database of pure-ftpd does not answer"))
    return _build_host(facts, database, row.facts_at, problems)


def _find_full(facts: dict[str, Any]) -> list[str]:
    free, total, inodes = facts.get("space_free"), facts.get("space_total"), facts.get("inodes_free")
    if total and free is not None and free < total * FULL_SHARE:
        return [f"its disk is full: {free} of {total} bytes are free"]
    return (
        [f"its disk is full: {inodes} inodes are free"] if inodes is not None and inodes < FEW_INODES else []
    )


def describe_full_disk(folder: Path) -> list[str]:
    """Return the problem that the disk of the state folder is full, if that is so."""
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return [f"the state folder {folder} cannot be read: {error.strerror}"]
    free = disk.f_bavail * disk.f_frsize
    if free < STATE_FREE_MIN:
        return [f"the disk of the state folder {folder} is full: {free} bytes are free"]
    if disk.f_files and disk.f_favail < FEW_INODES:
        return [f"the disk of the state folder {folder} is full: {disk.f_favail} inodes are free"]
    return []


def _find_gone_hosts(session: Session, settings: Settings) -> list[str]:
    query = (
        select(Share.ftp_host, func.count())
        .where(Share.state.not_in(TERMINAL), Share.ftp_host.not_in(settings.ftp_host_names))
        .group_by(Share.ftp_host)
        .order_by(Share.ftp_host)
    )
    return [
        f"{name}: {count} share(s) live there, but it is not in TEMPOFTP_FTP_HOSTS: nobody works on it. "
        "Put it back until they have ended"
        for name, count in session.execute(query)
    ]


def _build_host(
    facts: dict[str, Any] | None, database: dict[str, Any] | None, seen: datetime | None, problems: list[str]
) -> dict[str, Any]:
    known = facts or {}
    fresh = database is not None
    return {
        "space_total": known.get("space_total"),
        "space_free": known.get("space_free"),
        "inodes_free": known.get("inodes_free"),
        "ftpd": _word((known.get("ftpd") or {}).get("ok")) if fresh else "unknown",
        "database": _word((database or {}).get("ok")) if fresh else "unknown",
        "visto": write_time(seen),
        "problemas": problems,
    }


def _word(ok: object) -> str:
    return "ok" if ok else "error"


def _worst(words: Any) -> str:
    found = set(words)
    return next((word for word in ("error", "unknown") if word in found), "ok")


def _find_source_mistakes(settings: Settings) -> list[str]:
    """Return what is wrong with a sources file that was changed since the start: every request is refused then."""
    try:
        read_sources(settings)
    except SettingsError as error:
        return list(error.mistakes)
    return []


def _find_overdue(session: Session, now: datetime) -> list[str]:
    ending, expired = count_overdue(session, now)
    texts = (
        (ending, "shares have been ending for more than {} min without being gone"),
        (expired, "shares have expired more than {} min ago and nobody has begun to take them away"),
    )
    return [f"{count} {text.format(round(OVERDUE_LIMIT / 60))}" for count, text in texts if count]


def count_overdue(session: Session, now: datetime) -> tuple[int, int]:
    """Return how many shares should have ended by now, and how many should have begun to end; not on paused hosts.

    They are retried for ever, so they must be reported.
    """
    limit = now - timedelta(seconds=OVERDUE_LIMIT)
    running = Share.ftp_host.not_in(select(FtpHost.name).where(FtpHost.paused.is_(True)))
    ending = select(func.count()).where(Share.state.in_(ENDING), Share.state_changed_at < limit, running)
    expired = select(func.count()).where(Share.state.in_(DELIVERED), Share.expires < limit, running)
    return session.scalar(ending) or 0, session.scalar(expired) or 0


def read_queue(session: Session, now: datetime) -> tuple[int, float]:
    """Return how many due shares wait without a lease, and how many seconds the oldest waits; not on paused hosts."""
    paused = select(FtpHost.name).where(FtpHost.paused.is_(True))
    row = session.execute(
        select(func.count(), func.min(Share.due_at)).where(
            Share.due_at <= now,
            is_free(Share, now),
            Share.ftp_host.not_in(paused),
        )
    ).one()
    oldest: datetime | None = row[1]
    return int(row[0]), (now - oldest).total_seconds() if oldest is not None else 0.0


def read_overview(session: Session) -> dict[str, Any]:
    """Return `estados`, `copias` (oldest first, at most COPIES_LIMIT), and `fallos` by class, transient or not."""
    counted = select(Share.state, func.count()).where(Share.state.not_in(TERMINAL)).group_by(Share.state)
    found = {state: count for state, count in session.execute(counted)}
    return {
        "estados": {state.value: found[state] for state in State if state in found},
        "copias": _list_copies(session),
        "fallos": _count_failures(session),
    }


def _list_copies(session: Session) -> list[dict[str, Any]]:
    query = select(Share).where(Share.state.in_(ON_ITS_WAY)).order_by(Share.created_at, Share.id)
    return [
        {
            "id": share.id,
            "email": share.email,
            "estado": share.state,
            "host": share.ftp_host,
            "error": share.error_class,
            "progreso": describe_progress(share),
        }
        for share in session.scalars(query.limit(COPIES_LIMIT))
    ]


def _count_failures(session: Session) -> list[dict[str, Any]]:
    """Return for each error class how many shares it delays now and how many runs it ended in the last day."""
    since = database_now(session) - timedelta(hours=RUNS_HOURS)
    shares = select(Share.error_class, func.count()).where(
        Share.error_class.is_not(None), Share.state.not_in(TERMINAL)
    )
    runs = select(Run.error_class, func.count()).where(Run.error_class.is_not(None), Run.started_at >= since)
    by_share = {str(name): count for name, count in session.execute(shares.group_by(Share.error_class))}
    by_run = {str(name): count for name, count in session.execute(runs.group_by(Run.error_class))}
    return [
        {
            "clase": name,
            "transitorio": name in ERROR_CLASSES and ERROR_CLASSES[name].transient,
            "solicitudes": by_share.get(name, 0),
            "corridas": by_run.get(name, 0),
        }
        for name in sorted(set(by_share) | set(by_run))
    ]
