"""Downloads: when to ask the FTP hosts for the counts, how to store them, and how the API shows them.

A share without a row has unknown downloads, which does not mean zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import Downloads, FtpHost, Share
from tempoftp.downloads.results import TransfersReport, TransfersShare
from tempoftp.settings import Settings
from tempoftp.states import DELIVERED

BUSY_FACTOR = 4
"""A run with shares counts only when the counts are this many times older, because counting delays its shares."""
FILES_LIMIT = 100
"""Length limit of each list of names; the numbers are exact."""


@dataclass(frozen=True, slots=True)
class TransfersRequest:
    """What the FTP host must count in a run; `since`: only shares that have changed after this time."""

    since: datetime | None


def find_uncounted_hosts(session: Session, settings: Settings) -> set[str]:
    """Return the FTP hosts with a delivered share that have not counted for `transfers_seconds`."""
    return set(_list_waits(session, settings))


def plan_transfers(
    session: Session, settings: Settings, ftp_host: str, *, busy: bool
) -> TransfersRequest | None:
    """Return what this run must count, and store that it counts; None when it is too early. In a write transaction."""
    waited = _list_waits(session, settings).get(ftp_host)
    if waited is None or (busy and waited < BUSY_FACTOR * settings.transfers_seconds):
        return None
    host = session.get_one(FtpHost, ftp_host)
    host.transfers_asked_at = database_now(session)
    return TransfersRequest(None if _is_any_unknown(session, ftp_host) else host.transfers_since)


def _list_waits(session: Session, settings: Settings) -> dict[str, float]:
    """Return, for each FTP host that must count, the seconds since the last count, or since its first delivery."""
    if not settings.transfers_seconds:
        return {}
    now = database_now(session)
    query = (
        select(FtpHost.name, FtpHost.transfers_asked_at, func.min(Share.ready_at))
        .join(Share, Share.ftp_host == FtpHost.name)
        .where(FtpHost.name.in_(settings.ftp_host_names), FtpHost.paused.is_(False))
        .where(Share.state.in_(DELIVERED), Share.ready_at.is_not(None))
        .group_by(FtpHost.name, FtpHost.transfers_asked_at)
    )
    waits = {
        name: (now - max(asked_at or ready_at, ready_at)).total_seconds()
        for name, asked_at, ready_at in session.execute(query)
        if ready_at is not None
    }
    return {name: waited for name, waited in waits.items() if waited >= settings.transfers_seconds}


def _is_any_unknown(session: Session, ftp_host: str) -> bool:
    query = (
        select(Share.id)
        .outerjoin(Downloads, Downloads.share_id == Share.id)
        .where(Share.ftp_host == ftp_host, Share.state.in_(DELIVERED))
        .where(Downloads.share_id.is_(None) | (Downloads.generation < Share.asked_generation))
        .limit(1)
    )
    return session.scalar(query) is not None


def apply_transfers(session: Session, ftp_host: str, report: TransfersReport, now: datetime) -> bool:
    """Store what an FTP host has counted, inside a write transaction; returns whether the counts are up to date now."""
    host = session.get_one(FtpHost, ftp_host)
    host.transfers_problem = report.log.problem
    if report.log.problem is not None:
        return False
    if report.log.behind:
        host.transfers_asked_at = None  # the host has not read its whole log: the next run counts again
        return False
    for counted in report.shares:
        share = session.get(Share, counted.id)
        if share is None or share.ftp_host != ftp_host or share.state not in DELIVERED:
            continue
        # The id may belong to somebody else since the host counted.
        if share.asked_generation <= counted.generation <= share.generation:
            _store(session, counted, now)
    host.transfers_since = report.time
    host.transfers_at = now
    return True


def _store(session: Session, counted: TransfersShare, now: datetime) -> None:
    values = counted.model_dump(exclude={"id"})
    row = session.get(Downloads, counted.id)
    if row is not None:
        for name, value in values.items():
            setattr(row, name, value)
        row.counted_at = now
        return
    try:
        with session.begin_nested():
            session.add(Downloads(share_id=counted.id, counted_at=now, **values))
    except IntegrityError:
        return  # another worker has just stored the same


def find_downloads(session: Session, shares: Iterable[Share]) -> dict[str, Downloads]:
    """Return the downloads of these shares, without those of an earlier share of the same id."""
    asked = {share.id: share.asked_generation for share in shares}
    rows = session.scalars(select(Downloads).where(Downloads.share_id.in_(asked)))
    return {row.share_id: row for row in rows if row.generation >= asked[row.share_id]}


def describe_downloads(session: Session, share: Share) -> dict[str, Any]:
    """Return `descargas` as the API shows it. All its values are null while they are not known."""
    row = find_downloads(session, [share]).get(share.id)
    if row is None:
        return dict.fromkeys(DOWNLOADS_KEYS)
    host = session.get(FtpHost, share.ftp_host)
    return {
        "total_descargas": row.complete + row.partial,
        "ultima_descarga": write_time(row.last_download),
        "completos": row.complete,
        "parciales": row.partial,
        "archivos_total": row.files_total,
        "archivos_completos": row.files_complete,
        "archivos": [
            {
                "nombre": entry["name"],
                "completas": entry["complete"],
                "parciales": entry["partial"],
                "ultima": entry["last"],
            }
            for entry in row.files
        ],
        "sin_descargar": {"total": row.never_fetched_total, "lista": list(row.never_fetched)},
        "contado": write_time(row.counted_at if host is None else host.transfers_at or row.counted_at),
    }


DOWNLOADS_KEYS = (
    "total_descargas",
    "ultima_descarga",
    "completos",
    "parciales",
    "archivos_total",
    "archivos_completos",
    "archivos",
    "sin_descargar",
    "contado",
)
