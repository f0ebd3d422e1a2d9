"""The previews of sources."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, Leased, UtcDateTime, identifier


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
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The FTP host's answer: `source` and `host`."""
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
