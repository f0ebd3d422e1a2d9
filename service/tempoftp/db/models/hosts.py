"""The FTP hosts and the runs on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, UtcDateTime, identifier


class FtpHost(Base):
    """What the last runs reported about an FTP host."""

    __tablename__ = "ftp_hosts"

    name: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`host` of the last outcome file: space, ftpd's banner, the server file."""
    database_facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`database` of the last outcome file: reachable, password schemes."""
    facts_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    paused: Mapped[bool] = mapped_column(default=False)
    """1: no new run starts; a run that has started continues to its end."""
    pause_reason: Mapped[str | None] = mapped_column(Text)
    paused_by: Mapped[str | None] = mapped_column(String(254))
    paused_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    transfers_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When a run was last asked to count downloads."""
    transfers_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When downloads were last counted."""
    transfers_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """The same time by the FTP host's own clock: the next count begins there."""
    transfers_problem: Mapped[str | None] = mapped_column(Text)
    """Why its log of transfers could not be read at the last count."""


class Run(Base):
    """One playbook execution."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(identifier(40), primary_key=True)
    ftp_host: Mapped[str] = mapped_column(identifier(64), index=True)
    shares: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)


class RunTotal(Base):
    """Number of ended runs of one kind, outcome and duration class on an FTP host."""

    __tablename__ = "run_totals"

    ftp_host: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    kind: Mapped[str] = mapped_column(identifier(8), primary_key=True)
    """`shares`, `audit` or `preview`."""
    outcome: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    """`done`, `abandoned`, or the class of the run's failure."""
    bucket: Mapped[str] = mapped_column(identifier(8), primary_key=True)
    """Duration class: at most this many seconds, and more than the next smaller class; `+Inf`: more than all."""
    runs: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    """Duration of all of them together."""
    shares: Mapped[int] = mapped_column(BigInteger)
    """Number of shares in all of them together."""
