"""The FTP hosts, the workers, the runs on them, and what is asked of them: audits and previews."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    Index,
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, Leased, UtcDateTime, identifier


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


class WorkerProcess(Base):
    """A worker process, and when it last said that it works. Its row is removed a day after its end."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    """Its machine and the number of its process there."""
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime())


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


class HostAudit(Leased, Base):
    """The last audit of an FTP host, the request for the next one, and whether runs may change the host.

    The lease belongs to the worker that audits the host now.
    """

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


class Preview(Leased, Base):
    """A question how large a source is and whether it fits; kept for a day."""

    __tablename__ = "previews"
    __table_args__ = (
        Index("previews_source", "ftp_host", "source_key"),
        Index("previews_waiting", "answered_at", "asked_at"),
    )

    id: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    """Random, so that nobody can guess the id of another person's preview."""
    asker: Mapped[str] = mapped_column(identifier(128))
    """Name of the principal that asked; no other principal sees the preview."""
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    source_key: Mapped[str] = mapped_column(identifier(64))
    """Digest of `item`: two previews with the same digest are measured once."""
    item: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The source as the request file names it."""
    request_id: Mapped[str] = mapped_column(identifier(64))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    shown: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the asker got the answer: asking again then measures again."""
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The FTP host's answer: `source` and `host`."""
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
