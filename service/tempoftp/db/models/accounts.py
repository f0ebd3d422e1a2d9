"""The accounts of pure-ftpd."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, Leased, UtcDateTime, identifier


class Account(Leased, Base):
    """An account of pure-ftpd. Its name stays with the first e-mail address that got it, for ever."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    email: Mapped[str] = mapped_column(identifier(254), unique=True)
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    token: Mapped[str | None] = mapped_column(Text)
    """Fernet token of the generated password; None: the account existed before tempoftp."""
    password_hash: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str | None] = mapped_column(String(16))
    """`created` or `adopted`, as the FTP host reports it; None before its first report."""
    adopt: Mapped[bool] = mapped_column(default=False, server_default=false())
    """An operator said that this account belongs to this e-mail address, even if it existed before tempoftp."""
    exists_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the account was first seen in pure-ftpd's table; None while it is not there."""
    status: Mapped[str | None] = mapped_column(String(16))
    """`present` or `blocked`, as the last outcome found its row in pure-ftpd's table; None: it has no row."""
    blocked: Mapped[bool] = mapped_column(default=False)
    """Desired: no share of this account can be reached, whatever is desired for each share."""
    block_reason: Mapped[str | None] = mapped_column(Text)
    password_generation: Mapped[int] = mapped_column(Integer, default=0)
    """Number of passwords that were generated for it; the FTP host refuses an older one."""
    password_confirmed: Mapped[int] = mapped_column(Integer, default=0)
    """Number of the password with which an outcome said that the account can be opened."""
    password_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the present password was generated. Every share that was requested before may show its token."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
