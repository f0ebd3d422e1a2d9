"""The notices and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, Leased, UtcDateTime, big_integer, build_number, identifier


class Notice(Base):
    """Something that happened and that people must know. It is written in the transaction in which it happens."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("share_id", "generation", "kind", "occasion", name="notices_once"),
        Index("notices_unspread", "spread_at"),
    )

    number: Mapped[int] = build_number()
    uid: Mapped[str] = mapped_column(identifier(32), unique=True)
    """Its identifier for receivers, the same at every try."""
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"))
    generation: Mapped[int] = mapped_column(Integer)
    """The share's `asked_generation` at that time: another generation may belong to another person."""
    kind: Mapped[str] = mapped_column(String(16))
    occasion: Mapped[str] = mapped_column(identifier(40))
    """Distinguishes two notices of one kind: a retry's generation, an end, a request. So each is written once."""
    email: Mapped[str] = mapped_column(identifier(254))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The share at that time, as the API shows it; it contains no secret."""
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    spread_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When its deliveries were written, one for each channel; None: not yet."""


class NoticeDelivery(Leased, Base):
    """One notice on one channel: `correo`, or a webhook by its name."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        UniqueConstraint("notice_number", "channel", name="notice_deliveries_once"),
        Index("notice_deliveries_due", "channel", "due_at"),
        Index("notice_deliveries_ended", "state", "ended_at"),
    )

    number: Mapped[int] = build_number()
    notice_number: Mapped[int] = mapped_column(big_integer(), ForeignKey("notices.number"))
    channel: Mapped[str] = mapped_column(identifier(64))
    state: Mapped[str] = mapped_column(String(16))
    """`pending`, `sent`, `outdated`, `refused` (no such recipient) or `given_up` (its deadline is over)."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """Number of failures in a row."""
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When it is tried next; None: it has ended."""
    give_up_at: Mapped[datetime] = mapped_column(UtcDateTime())
    lease_run_id: Mapped[str | None] = mapped_column("lease_id", identifier(40))
    """A name for the try that holds the row: a delivery belongs to no run."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error: Mapped[str | None] = mapped_column(Text)
    """The error of the last try."""
