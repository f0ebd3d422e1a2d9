"""The audits as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import HostAudit
from tempoftp.settings import Settings


def describe_audits(session: Session, settings: Settings) -> dict[str, Any]:
    """Return `GET /tmpftp/auditoria`: the last audit of each FTP host with its age, and a summary of all.

    `estado` is `pendiente` while a requested audit has not been made, `retenido` when a host is held because the
    database is older than the host, `sin_auditar`, `hallazgos` or `limpio`.
    """
    now = database_now(session)
    rows = {row.ftp_host: row for row in session.scalars(select(HostAudit))}
    hosts = {name: _describe_host(rows.get(name), now) for name in settings.ftp_host_names}
    wrong = sum(not finding["repaired"] for host in hosts.values() for finding in host["hallazgos"])
    return {"estado": _choose_word(list(hosts.values()), wrong), "total": wrong, "hosts": hosts}


def _describe_host(row: HostAudit | None, now: datetime) -> dict[str, Any]:
    audited = row.audited_at if row is not None else None
    return {
        "auditado_at": write_time(audited),
        "edad_segundos": round((now - audited).total_seconds()) if audited is not None else None,
        "pendiente": row is not None and row.requested_at is not None,
        "restaurado_at": write_time(row.restored_at) if row is not None else None,
        "retenido": _describe_hold(row),
        "cuentas": dict(row.counts or {}) if row is not None else {},
        "hallazgos": list(row.findings or ()) if row is not None else [],
        "fallos": list(row.failures or ()) if row is not None else [],
        "error": row.error_class if row is not None else None,
        "mensaje": row.error_message if row is not None else None,
    }


def _describe_hold(row: HostAudit | None) -> dict[str, Any] | None:
    if row is None or row.stale_since is None:
        return None
    return {"desde": write_time(row.stale_since), "razon": row.stale_reason}


def _choose_word(hosts: list[dict[str, Any]], wrong: int) -> str:
    if any(host["pendiente"] for host in hosts):
        return "pendiente"
    if any(host["retenido"] is not None for host in hosts):
        return "retenido"
    if any(host["auditado_at"] is None for host in hosts):
        return "sin_auditar"
    return "hallazgos" if wrong else "limpio"
