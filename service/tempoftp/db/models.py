"""The tables. Times are UTC; identifiers compare byte by byte in every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.mysql import DATETIME as MYSQL_DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored without zone in UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MySQL's DATETIME drops microseconds unless told."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(MYSQL_DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they were read off a local clock."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone was about to be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def identifier(length: int) -> TypeEngine[str]:
    """Return a string type that compares byte by byte (`A` is not `a`) in every database."""
    return (
        String(length, collation="BINARY")
        .with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")
        .with_variant(String(length, collation="C"), "postgresql")
    )


class Base(DeclarativeBase):
    """Base of the tables."""


class Account(Base):
    """A pure-ftpd account. Its name belongs for ever to the e-mail that took it first."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    email: Mapped[str] = mapped_column(identifier(254), unique=True)
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    token: Mapped[str | None] = mapped_column(Text)
    """Fernet token of the generated password; None when the account was there before us."""
    password_hash: Mapped[str | None] = mapped_column(Text)
    origin: Mapped[str | None] = mapped_column(String(16))
    """`created` or `adopted`, as the FTP host reports it; None until it did."""
    adopt: Mapped[bool] = mapped_column(default=False, server_default=false())
    """An operator said that this account, which may have been there before us, is this e-mail's."""
    exists_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the account was first seen in pure-ftpd's table; None while it is not there."""
    status: Mapped[str | None] = mapped_column(String(16))
    """`present` or `blocked`, as the last outcome found its row in pure-ftpd's table; None while it is not there."""
    blocked: Mapped[bool] = mapped_column(default=False)
    """Wish: no share of it may be reached, whatever each share's own wish is."""
    block_reason: Mapped[str | None] = mapped_column(Text)
    password_generation: Mapped[int] = mapped_column(Integer, default=0)
    """Counts the passwords that were generated for it; the FTP host refuses an older one."""
    password_confirmed: Mapped[int] = mapped_column(Integer, default=0)
    """The password of which an outcome said that it opens the account."""
    password_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the present password was generated: every share asked for before may be told its token."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    lease_run_id: Mapped[str | None] = mapped_column(identifier(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


class Share(Base):
    """One temporary share: what is wanted (upper half) and what is known of it (lower half)."""

    __tablename__ = "shares"
    __table_args__ = (Index("shares_due", "ftp_host", "due_at"), Index("shares_created", "created_at", "id"))

    id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)
    asked_generation: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    """The generation with which it was last asked for: an id that was asked for anew may be another person's."""
    link_number: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Counts the revocations of its recipient's links: a link names the number it was made with."""
    email: Mapped[str] = mapped_column(identifier(254), index=True)
    ftpuser: Mapped[str] = mapped_column(identifier(32), ForeignKey("accounts.name"), index=True)
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    source: Mapped[str] = mapped_column(Text)
    source_root: Mapped[str] = mapped_column(Text)
    """What the key is restricted to; empty when it is not."""
    ssh_user: Mapped[str] = mapped_column(String(32))
    ssh_key_file: Mapped[str | None] = mapped_column(Text)
    size_probe: Mapped[str] = mapped_column(String(8))
    local: Mapped[bool] = mapped_column(default=False)
    """On the FTP host itself."""
    method: Mapped[str] = mapped_column(String(8), default="auto")
    reuse: Mapped[bool] = mapped_column(default=False)
    checksums: Mapped[bool] = mapped_column(default=False)
    lifetime_days: Mapped[int] = mapped_column(Integer)
    writable: Mapped[bool] = mapped_column(default=False)
    wanted: Mapped[str] = mapped_column(String(8), default="present")
    """`present`, `blocked` or `absent`; see `tempoftp.shares.desired_state`."""
    block_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    """When the share was asked for; a retry is the same request."""
    wished_at: Mapped[datetime] = mapped_column(UtcDateTime())
    """When this generation was wished for."""
    author: Mapped[str] = mapped_column(String(254))
    request_id: Mapped[str] = mapped_column(identifier(64))

    state: Mapped[str] = mapped_column(String(16), index=True)
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    message: Mapped[str] = mapped_column(Text, default="")
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
    """The last generation of which an outcome said that the FTP host has it; of an ending share: access is gone."""
    lifetime_confirmed: Mapped[int | None] = mapped_column(Integer)
    """The days between `ready_at` and `expires`, as the FTP host keeps them."""

    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When a worker has to look at it; None when there is nothing to do."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """Transient failures in a row."""
    retry_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Set at the first transient failure in a row; after it the share is in `error`."""
    lease_run_id: Mapped[str | None] = mapped_column(identifier(40), index=True)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


class HistoryEntry(Base):
    """One transition of a share: from, to, who, why, when."""

    __tablename__ = "history"

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(254))
    run_id: Mapped[str | None] = mapped_column(identifier(40))
    request_id: Mapped[str | None] = mapped_column(identifier(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime())


class FtpHost(Base):
    """What the last runs learned about an FTP host."""

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
    """No new run starts; a run under way ends."""
    pause_reason: Mapped[str | None] = mapped_column(Text)
    paused_by: Mapped[str | None] = mapped_column(String(254))
    paused_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    transfers_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When a run was last told to count downloads."""
    transfers_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When downloads were last counted."""
    transfers_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """The same by the FTP host's own clock: from then on it tells what has changed."""
    transfers_problem: Mapped[str | None] = mapped_column(Text)
    """Why its log of transfers could not be read the last time."""


class Downloads(Base):
    """What was fetched of a share, as its FTP host counted it. No row: not known, which is not zero."""

    __tablename__ = "downloads"

    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime())
    """Of an earlier share of the same id, when it is before the share's `created_at`."""
    complete: Mapped[int] = mapped_column(BigInteger)
    partial: Mapped[int] = mapped_column(BigInteger)
    files_total: Mapped[int] = mapped_column(BigInteger)
    files_complete: Mapped[int] = mapped_column(BigInteger)
    never_fetched: Mapped[list[str]] = mapped_column(JSON)
    never_fetched_total: Mapped[int] = mapped_column(BigInteger)
    last_download: Mapped[datetime | None] = mapped_column(UtcDateTime())
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class HostAudit(Base):
    """The last audit of an FTP host, what is wanted of the next one, and whether the host may be acted on."""

    __tablename__ = "audits"

    ftp_host: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the next one was asked for; None when nobody waits for it."""
    requested_by: Mapped[str | None] = mapped_column(String(254))
    repair: Mapped[bool] = mapped_column(default=False)
    restore: Mapped[bool] = mapped_column(default=False)
    """The next one corrects rows from the host: the database came from a backup."""
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), index=True)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    check_wanted: Mapped[bool] = mapped_column(default=False)
    """A worker started: until it has compared the host with the rows, nothing is done there."""
    stale_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When the host was found to know more than the rows; until they are corrected, nothing is done there."""
    stale_reason: Mapped[str | None] = mapped_column(Text)
    audited_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    run_id: Mapped[str | None] = mapped_column(identifier(40))
    findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    failures: Mapped[list[str] | None] = mapped_column(JSON)
    counts: Mapped[dict[str, int] | None] = mapped_column(JSON)
    unknown_accounts: Mapped[list[str] | None] = mapped_column(JSON)
    """Accounts that tempoftp made on the host and that no row knows: their names are not given to anybody."""
    ended_generations: Mapped[dict[str, int] | None] = mapped_column(JSON)
    """Shares that ended on the host and that no row knows: who asks for such an id begins after that generation."""
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)


class Notice(Base):
    """Something that happened and that people are told: written in the transaction in which it happens."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("share_id", "generation", "kind", "occasion", name="notices_once"),
        Index("notices_unspread", "spread_at"),
    )

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    uid: Mapped[str] = mapped_column(identifier(32), unique=True)
    """Its name for receivers, the same at every try."""
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"))
    generation: Mapped[int] = mapped_column(Integer)
    """`asked_generation` of the share: whose share it was then."""
    kind: Mapped[str] = mapped_column(String(16))
    occasion: Mapped[str] = mapped_column(identifier(40))
    """What tells two of one kind apart: a retry's generation, an end, a request. With it each is written once."""
    email: Mapped[str] = mapped_column(identifier(254))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The share as it was then, as it goes over the wire; nothing of it is secret."""
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    spread_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When its deliveries were written, one for each channel there was; None until then."""


class NoticeDelivery(Base):
    """One notice on one channel: `correo`, or a webhook by its name."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        UniqueConstraint("notice_number", "channel", name="notice_deliveries_once"),
        Index("notice_deliveries_due", "channel", "due_at"),
        Index("notice_deliveries_ended", "state", "ended_at"),
    )

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    notice_number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), ForeignKey("notices.number")
    )
    channel: Mapped[str] = mapped_column(identifier(64))
    state: Mapped[str] = mapped_column(String(16))
    """`pending`, `sent`, `refused` (there is no such recipient) or `given_up` (tried until its deadline)."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """Failures in a row."""
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """When it is tried next; None once it has ended."""
    give_up_at: Mapped[datetime] = mapped_column(UtcDateTime())
    lease_id: Mapped[str | None] = mapped_column(identifier(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error: Mapped[str | None] = mapped_column(Text)
    """What the last try failed with."""


class ExtensionRequest(Base):
    """A recipient's wish for more days, which an operator grants or refuses."""

    __tablename__ = "extension_requests"

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    share_id: Mapped[str] = mapped_column(identifier(64), ForeignKey("shares.id"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    """`asked_generation` of the share."""
    days: Mapped[int] = mapped_column(Integer)
    """Days more than it has."""
    reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    """`pendiente`, `aceptada` or `rechazada`."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime())
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    decided_by: Mapped[str | None] = mapped_column(String(254))
    answer: Mapped[str | None] = mapped_column(Text)
    """What the operator says to it."""


class Preview(Base):
    """Somebody's question how much a source has and whether it fits; kept for a day."""

    __tablename__ = "previews"
    __table_args__ = (
        Index("previews_source", "ftp_host", "source_key"),
        Index("previews_waiting", "answered_at", "asked_at"),
    )

    id: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    """It says nothing, so that nobody guesses another's."""
    asker: Mapped[str] = mapped_column(identifier(128))
    """Name of the principal; nobody else sees it."""
    ftp_host: Mapped[str] = mapped_column(identifier(64))
    source_key: Mapped[str] = mapped_column(identifier(64))
    """Digest of `item`: what is the same for two of them is measured once."""
    item: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The source as the FTP host is asked for it."""
    request_id: Mapped[str] = mapped_column(identifier(64))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the FTP host said: `source` and `host`."""
    error_class: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
    lease_run_id: Mapped[str | None] = mapped_column(identifier(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


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
    """Ended runs of one kind and outcome on an FTP host that took about as long."""

    __tablename__ = "run_totals"

    ftp_host: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    kind: Mapped[str] = mapped_column(identifier(8), primary_key=True)
    """`shares`, `audit` or `preview`."""
    outcome: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    """`done`, `abandoned`, or the class of the run's failure."""
    bucket: Mapped[str] = mapped_column(identifier(8), primary_key=True)
    """They took at most so many seconds, and more than the next smaller bucket; `+Inf`: longer than all."""
    runs: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    """What they took together."""
    shares: Mapped[int] = mapped_column(BigInteger)
    """How many shares they carried together."""


class Token(Base):
    """A bearer token of the API, by its SHA-256: the token itself is shown once and kept nowhere."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    """What histories call its holder; never given to another token."""
    digest: Mapped[str] = mapped_column(identifier(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    emails: Mapped[list[str]] = mapped_column(JSON)
    """Whom it may act for; `["*"]` is everybody."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """To within some minutes: it is not written at every request."""
    expires: Mapped[datetime | None] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
