"""Leases: one worker at a time works on a row, and only until a time by the database's clock.

A lease is taken by an UPDATE whose conditions say that the row is free, and that must change exactly one row: of two
workers that found the same row, one gets it. A worker that dies loses its leases when their time is over. Before a
result is written, `lock_held` tells which rows still belong to the run.

`holder` is the id of the run (of a notice: of the try). Every function runs inside a write transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CursorResult, inspect, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Base, Leased

Row = TypeVar("Row", bound=Leased)
Found = TypeVar("Found", bound=Base)


def is_free(table: type[Leased], now: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody holds a row, or that its lease is over."""
    return or_(table.lease_until.is_(None), table.lease_until <= now)


def take_row(
    session: Session,
    table: type[Leased],
    *conditions: ColumnElement[bool],
    holder: str,
    now: datetime,
    seconds: float,
) -> bool:
    """Lease the one row that these conditions select, if it is free; returns whether that succeeded.

    The conditions must repeat what made the row worth taking: since it was found, another one may have changed it.
    """
    statement = (
        update(table)
        .where(*conditions, is_free(table, now))
        .values(lease_run_id=holder, lease_until=now + timedelta(seconds=seconds))
        .execution_options(synchronize_session=False)
    )
    return count_changed(session.execute(statement)) == 1


def extend_leases(
    session: Session, table: type[Leased], *, holder: str, now: datetime, seconds: float
) -> int:
    """Extend the leases of a holder; returns how many. A lease that is over stays over."""
    statement = (
        update(table)
        .where(table.lease_run_id == holder, table.lease_until > now)
        .values(lease_until=now + timedelta(seconds=seconds))
        .execution_options(synchronize_session=False)
    )
    return count_changed(session.execute(statement))


def release_leases(session: Session, table: type[Leased], holder: str) -> None:
    """End the leases of a holder: another one may take the rows at once."""
    session.execute(
        update(table)
        .where(table.lease_run_id == holder)
        .values(lease_run_id=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def lock_held(session: Session, table: type[Row], holder: str, *, or_over: bool = False) -> Sequence[Row]:
    """Return, locked in the order of their keys, the rows whose lease this holder still has.

    `or_over`: also those whose lease is over but that nobody else has taken.
    """
    key = inspect(table).primary_key[0]
    # Looked for by the lease, the server would lock rows in another order, and wait for rows of other holders.
    keys = session.scalars(select(key).where(table.lease_run_id == holder)).all()
    query = select(table).where(key.in_(keys), table.lease_run_id == holder)
    if not or_over:
        query = query.where(table.lease_until > database_now(session))
    query = query.order_by(key).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).all()


def lock_or_add(session: Session, table: type[Found], key: str, **values: object) -> Found:
    """Return the row with this primary key, locked; if there is none, add one with these values."""
    session.flush()  # populate_existing would overwrite changes that have not been flushed
    for _ in range(2):
        row = session.get(table, key, with_for_update=True, populate_existing=True)
        if row is not None:
            return row
        row = table(**{inspect(table).primary_key[0].name: key}, **values)
        try:
            with session.begin_nested():
                session.add(row)
            return row
        except IntegrityError:
            continue  # another transaction has just added it
    raise AssertionError("a row is there and is not there")


def count_changed(result: Any) -> int:
    """Return how many rows an UPDATE changed."""
    assert isinstance(result, CursorResult)  # noqa: S101 - what an UPDATE returns
    return result.rowcount
