"""Pauses of FTP hosts for maintenance: no new run starts, a run that has started ends. A pause survives a restart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.leases import lock_or_add
from tempoftp.db.models import FtpHost, Share
from tempoftp.refusals import HostNotFound
from tempoftp.settings import Settings


def pause_hosts(
    session: Session, settings: Settings, name: str | None, *, reason: str | None, author: str
) -> list[FtpHost]:
    """Pause a host, or all configured hosts. Raises HostNotFound."""
    now = database_now(session)
    hosts = _find_hosts(session, settings, name)
    for host in hosts:
        if not host.paused:
            host.paused, host.paused_since, host.paused_by = True, now, author
        host.pause_reason = reason if reason is not None else host.pause_reason
    return hosts


def resume_hosts(session: Session, settings: Settings, name: str | None) -> list[FtpHost]:
    """End the pause of a host, or of all configured hosts. Commit, then wake them. Raises HostNotFound."""
    hosts = _find_hosts(session, settings, name)
    for host in hosts:
        host.paused = False
        host.pause_reason = host.paused_by = host.paused_since = None
    return hosts


def count_runs(session: Session) -> dict[str, int]:
    """Return the number of running runs of each FTP host that has any. They are counted by their leases."""
    query = (
        select(Share.ftp_host, func.count(Share.lease_run_id.distinct()))
        .where(Share.lease_until > database_now(session))
        .group_by(Share.ftp_host)
    )
    return {name: count for name, count in session.execute(query)}


def describe_pause(host: FtpHost | None, runs: int) -> dict[str, Any]:
    """Return a host's pause as the API shows it."""
    paused = host is not None and host.paused
    return {
        "pausado": paused,
        "razon": host.pause_reason if host is not None and paused else None,
        "autor": host.paused_by if host is not None and paused else None,
        "desde": write_time(host.paused_since) if host is not None and paused else None,
        "corridas": runs,
    }


def _find_hosts(session: Session, settings: Settings, name: str | None) -> list[FtpHost]:
    names = settings.ftp_host_names
    if name is not None and name not in names:
        raise HostNotFound("host_not_found", name=name, names=list(names))
    wanted = sorted(names) if name is None else [name]
    hosts = {one: lock_or_add(session, FtpHost, one, paused=False) for one in wanted}
    return [hosts[one] for one in names if one in hosts]
