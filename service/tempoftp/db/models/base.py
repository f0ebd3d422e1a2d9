"""What all tables share: the types of their columns, and the lease."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    String,
)
from sqlalchemy.dialects.mysql import DATETIME as MYSQL_DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine


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
