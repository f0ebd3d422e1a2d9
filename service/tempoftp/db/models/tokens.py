"""The tokens of the API, and who has asked for shares."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, UtcDateTime, identifier


class Token(Base):
    """A bearer token of the API, by its SHA-256. The token itself is shown once and stored nowhere."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    """The name of its holder in histories; never given to another token."""
    digest: Mapped[str] = mapped_column(identifier(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    emails: Mapped[list[str]] = mapped_column(JSON)
    """The e-mail addresses for which it may act; `["*"]`: all."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Exact to some minutes: it is not written at every request."""
    key: Mapped[str | None] = mapped_column(Text)
    """The Fernet key that passwords are encrypted with for its holder, itself encrypted with the service's key."""
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class Caller(Base):
    """Somebody who asked for a share or for whom one was asked: a row to lock while their shares are counted."""

    __tablename__ = "callers"

    name: Mapped[str] = mapped_column(identifier(254), primary_key=True)
    """An e-mail, or the name of a token or of a mapped address."""
