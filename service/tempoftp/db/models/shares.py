"""The shares, their history, their downloads, and the requests for more days."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from tempoftp.db.models.base import Base, Leased, OnePhrase, Phrases, UtcDateTime, build_number, identifier
from tempoftp.phrases import Phrase


def draw_nonce() -> str:
    """Return a new text that nobody can guess (128 bits)."""
    return secrets.token_urlsafe(16)


class Share(Leased, Base):
    """One temporary share: what is desired (upper half) and what is known (lower half)."""

    __tablename__ = "shares"
    __table_args__ = (
        Index("shares_due", "ftp_host", "due_at"),
        Index("shares_created", "created_at", "id"),
        Index("shares_author", "author", "state"),
    )

    id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)
    asked_generation: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    """The generation of the last request for this id: a new request may come from another person."""
    link_nonce: Mapped[str] = mapped_column(identifier(32), default=draw_nonce)
    """What a recipient's link must contain. Revoking the links, and asking for the id again, draws another one."""
    email: Mapped[str] = mapped_column(identifier(254), index=True)
    ftpuser: Mapped[str] = mapped_column(identifier(32), ForeignKey("accounts.name"), index=True)
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    source: Mapped[str] = mapped_column(Text)
    source_root: Mapped[str] = mapped_column(Text)
    """The folder to which the ssh key is restricted; empty: it is not restricted."""
    ssh_user: Mapped[str] = mapped_column(String(32))
    ssh_key_file: Mapped[str | None] = mapped_column(Text)
    size_probe: Mapped[str] = mapped_column(String(8))
    local: Mapped[bool] = mapped_column(default=False)
    """Whether the source is on the FTP host itself."""
    method: Mapped[str] = mapped_column(String(8), default="auto")
    reuse: Mapped[bool] = mapped_column(default=False)
    checksums: Mapped[bool] = mapped_column(default=False)
    lifetime_days: Mapped[int] = mapped_column(Integer)
    body_digests: Mapped[list[str] | None] = mapped_column(JSON)
    """Digests of the body that was accepted, with its source as written and as resolved. None: there was no body."""
    writable: Mapped[bool] = mapped_column(default=False)
    wanted: Mapped[str] = mapped_column(String(8), default="present")
    """`present`, `blocked` or `absent`; see `tempoftp.shares.desired_state`."""
    block_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    """When the share was requested; a retry is the same request."""
    wished_at: Mapped[datetime] = mapped_column(UtcDateTime())
    """When this generation was requested."""
    author: Mapped[str] = mapped_column(String(254))
    request_id: Mapped[str] = mapped_column(identifier(64))

    state: Mapped[str] = mapped_column(String(16), index=True)
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    message: Mapped[tuple[Phrase, ...]] = mapped_column(Phrases(), default=())
    error_class: Mapped[str | None] = mapped_column(String(32))
    bytes_total: Mapped[int | None] = mapped_column(BigInteger)
    bytes_done: Mapped[int | None] = mapped_column(BigInteger)
    files_total: Mapped[int | None] = mapped_column(BigInteger)
    files_done: Mapped[int | None] = mapped_column(BigInteger)
    percent: Mapped[float | None] = mapped_column(Float)
    rate: Mapped[float | None] = mapped_column(Float)
    """Bytes per second."""
    eta: Mapped[float | None] = mapped_column(Float)
    """Seconds until the copy is expected to be done."""
    path: Mapped[str | None] = mapped_column(Text)
    skipped: Mapped[list[str] | None] = mapped_column(JSON)
    skipped_total: Mapped[int | None] = mapped_column(BigInteger)
    delivered_by: Mapped[str | None] = mapped_column(String(8))
    """`rsync`, `copy`, `reflink`, `links` or `bind`; None before the delivery."""
    checksums_by: Mapped[str | None] = mapped_column(String(8))
    """Where `SHA256SUMS` was computed, `source` or on `arrival`; None without one."""
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime(), index=True)

    confirmed_generation: Mapped[int] = mapped_column(Integer, default=0)
    """The last generation that an outcome confirmed on the FTP host; for a share that ends: access has ended."""
    lifetime_confirmed: Mapped[int | None] = mapped_column(Integer)
    restorable_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Until when its FTP host keeps the data of an ended share. On a share that is on its way: it is being restored."""
    """The days between `ready_at` and `expires`, as the FTP host keeps them."""

    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When a worker must work on it; None: there is nothing to do."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """Number of transient failures in a row."""
    retry_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Set at the first transient failure in a row; after this time the share goes to `error`."""
    lease_run_id: Mapped[str | None] = mapped_column(identifier(40), index=True)


class HistoryEntry(Base):
    """One transition of a share: from, to, who, why, when."""

    __tablename__ = "history"

    number: Mapped[int] = build_number()
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[Phrase] = mapped_column(OnePhrase())
    author: Mapped[str] = mapped_column(String(254))
    run_id: Mapped[str | None] = mapped_column(identifier(40))
    request_id: Mapped[str | None] = mapped_column(identifier(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime())


class Downloads(Base):
    """What was downloaded of a share, as its FTP host counted it. No row means not known; it does not mean zero."""

    __tablename__ = "downloads"

    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer, server_default="0")
    """If this is before the share's `asked_generation`, the counts are of an earlier share with the same id."""
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime())
    complete: Mapped[int] = mapped_column(BigInteger)
    partial: Mapped[int] = mapped_column(BigInteger)
    files_total: Mapped[int] = mapped_column(BigInteger)
    files_complete: Mapped[int] = mapped_column(BigInteger)
    never_fetched: Mapped[list[str]] = mapped_column(JSON)
    never_fetched_total: Mapped[int] = mapped_column(BigInteger)
    last_download: Mapped[datetime | None] = mapped_column(UtcDateTime())
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class ExtensionRequest(Base):
    """A recipient's request for more days, which an operator grants or refuses."""

    __tablename__ = "extension_requests"

    number: Mapped[int] = build_number()
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    """The share's `asked_generation`."""
    days: Mapped[int] = mapped_column(Integer)
    """Number of days to add."""
    reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    """`pendiente`, `aceptada` or `rechazada`."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime())
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    decided_by: Mapped[str | None] = mapped_column(String(254))
    answer: Mapped[str | None] = mapped_column(Text)
    """The operator's answer to the recipient."""
