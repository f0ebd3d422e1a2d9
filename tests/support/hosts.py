"""FTP hosts as the service knows them, for tests in which no run reaches one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.leases import lock_or_add
from tempoftp.db.models import FtpHost


def hear_of(session: Session, ftp_host: str, said: datetime | None = None) -> None:
    """Store that a host has reported just now. `said`: its clock; by default it is right."""
    row = lock_or_add(session, FtpHost, ftp_host, paused=False)
    row.facts_at = utc_now()
    row.facts = {**(row.facts or {}), "time": write_time(said or utc_now())}
