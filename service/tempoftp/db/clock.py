"""The present time, by this machine and by the database, and times as they go over the wire."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from tempoftp.db.engine import SERVERS


def write_time(value: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with `Z`, to the second."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def database_now(session: Session) -> datetime:
    """Return the time of the database's clock, so that workers with different clocks agree about leases.

    SQLite has no clock of its own: its database is on this machine, so this machine's time is right.
    """
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        return utc_now()
    query = "SELECT UTC_TIMESTAMP(6)" if dialect in SERVERS else "SELECT clock_timestamp()"
    now: datetime = session.execute(text(query)).scalar_one()
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
