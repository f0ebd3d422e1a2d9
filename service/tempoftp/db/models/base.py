"""What all tables share: the types of their columns (times, identifiers, phrases), and the lease."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    String,
    Text,
)
from sqlalchemy.dialects.mysql import DATETIME as MYSQL_DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from tempoftp.phrases import VERBATIM, Phrase


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored without zone in UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MySQL for microseconds, which its DATETIME drops by default."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(MYSQL_DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without zone: it was read from a local clock."""
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


def big_integer() -> TypeEngine[int]:
    """Return the type of a row number. SQLite numbers rows by itself only in a column of type INTEGER."""
    return BigInteger().with_variant(Integer, "sqlite")


def build_number() -> MappedColumn[int]:
    """Return the primary key of a table whose rows the database numbers."""
    return mapped_column(big_integer(), primary_key=True, autoincrement=True)


class Base(DeclarativeBase):
    """Base of the tables."""


class Leased:
    """A row that one worker at a time may work on; see `tempoftp.db.leases`."""

    lease_run_id: Mapped[str | None] = mapped_column(identifier(40))
    """The run that holds the row; None: nobody does."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Until when; after it another run may take the row."""

    def clear_lease(self) -> None:
        """Let any run take the row."""
        self.lease_run_id = self.lease_until = None


class OnePhrase(TypeDecorator[Phrase]):
    """A phrase."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Phrase | None, dialect: Dialect) -> str | None:
        """Return the JSON text of a phrase."""
        return None if value is None else _write(_pack(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Phrase | None:
        """Return the phrase that a JSON text stands for."""
        return None if value is None else _unpack(_parse(value))


class Phrases(TypeDecorator[tuple[Phrase, ...]]):
    """Several phrases in a row; none at all are an empty text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Phrase, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text of the phrases."""
        return _write([_pack(phrase) for phrase in value]) if value else ""

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Phrase, ...]:
        """Return the phrases that a JSON text stands for."""
        if not value:
            return ()
        packed = _parse(value)
        return (_unpack(packed),) if isinstance(packed[0], str) else tuple(map(_unpack, packed))


def _parse(text: str) -> list[Any]:
    """Return what a JSON text holds. A text that is none came past this code, and is shown as it is."""
    try:
        packed = json.loads(text)
    except ValueError:
        packed = None
    return packed if isinstance(packed, list) and packed else [VERBATIM, {"text": text}]


def _write(packed: list[Any]) -> str:
    return json.dumps(packed, ensure_ascii=False)


def _pack(phrase: Phrase) -> list[Any]:
    return [phrase.code, dict(phrase.params)]


def _unpack(packed: list[Any]) -> Phrase:
    code, params = packed
    return Phrase(code, **params)
