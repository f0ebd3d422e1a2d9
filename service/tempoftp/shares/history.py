"""What became of a share: its history, as it goes over the wire."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import write_time
from tempoftp.db.models import HistoryEntry
from tempoftp.states import TERMINAL, State


def read_events(
    session: Session, share_id: str, *, after: int = 0, limit: int = 1000
) -> list[dict[str, Any]]:
    """Return the events of a share since it was last asked for, oldest first; only those numbered above `after`.

    An id that was asked for anew may be somebody else's now: what was before is not told.
    """
    begun = select(func.max(HistoryEntry.number)).where(
        HistoryEntry.share_id == share_id,
        HistoryEntry.to_state == State.RECIBIDO,
        or_(HistoryEntry.from_state.is_(None), HistoryEntry.from_state.in_(TERMINAL)),
    )
    query = (
        select(HistoryEntry)
        .where(
            HistoryEntry.share_id == share_id,
            HistoryEntry.number > after,
            HistoryEntry.number >= begun.scalar_subquery(),
        )
        .order_by(HistoryEntry.number)
        .limit(limit)
    )
    return [describe_event(entry) for entry in session.scalars(query)]


def describe_event(entry: HistoryEntry) -> dict[str, Any]:
    """Return one event. `de` and `a` are the same when somebody changed their mind and the state stayed."""
    return {
        "numero": entry.number,
        "fecha": write_time(entry.at),
        "de": entry.from_state,
        "a": entry.to_state,
        "generacion": entry.generation,
        "razon": entry.reason,
        "autor": entry.author,
        "corrida": entry.run_id,
        "peticion": entry.request_id,
    }
