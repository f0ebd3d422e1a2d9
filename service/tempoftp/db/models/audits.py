"""The audits of the FTP hosts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, UtcDateTime, identifier


class HostAudit(Base):
    """The last audit of an FTP host, the request for the next one, and whether runs may change the host."""

    __tablename__ = "audits"

    ftp_host: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When somebody requested the next audit; None: nobody did."""
    requested_by: Mapped[str | None] = mapped_column(String(254))
    repair: Mapped[bool] = mapped_column(default=False)
    restore: Mapped[bool] = mapped_column(default=False)
    """The next audit corrects rows from the host, because the database came from a backup."""
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), index=True)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    check_wanted: Mapped[bool] = mapped_column(default=False)
    """A worker has started. Until it has compared the host with the rows, it changes nothing on the host."""
    stale_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When an audit found that the host knows more than the rows. Until they are corrected, runs leave it alone."""
    stale_reason: Mapped[str | None] = mapped_column(Text)
    audited_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    run_id: Mapped[str | None] = mapped_column(identifier(40))
    findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    failures: Mapped[list[str] | None] = mapped_column(JSON)
    counts: Mapped[dict[str, int] | None] = mapped_column(JSON)
    unknown_accounts: Mapped[list[str] | None] = mapped_column(JSON)
    """Accounts that tempoftp created on the host and that have no row: no other person gets their names."""
    ended_generations: Mapped[dict[str, int] | None] = mapped_column(JSON)
    """Shares that ended on the host and that have no row: a new share with such an id starts after that generation."""
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
