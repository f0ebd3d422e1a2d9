"""What became of a share: its history, as it goes over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import write_time
from tempoftp.db.models import HistoryEntry
from tempoftp.phrases import Phrase
from tempoftp.shares.reasons import word_reason
from tempoftp.states import TERMINAL, State


def read_events(
    session: Session,
    share_id: str,
    *,
    after: int = 0,
    limit: int = 1000,
    word: Callable[[Phrase], str] = word_reason,
) -> list[dict[str, Any]]:
    """Return the events of a share since it was last asked for, oldest first; only those numbered above `after`.

    An id that was asked for again may belong to another person now, so its earlier events are left out. `word` says
    each reason, by default in English as the API does.
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
    return [_describe_event(entry, word) for entry in session.scalars(query)]


def _describe_event(entry: HistoryEntry, word: Callable[[Phrase], str]) -> dict[str, Any]:
    """Return one event. `de` and `a` are the same when somebody changed their mind and the state stayed."""
    return {
        "numero": entry.number,
        "fecha": write_time(entry.at),
        "de": entry.from_state,
        "a": entry.to_state,
        "generacion": entry.generation,
        "razon": word(entry.reason),
        "autor": entry.author,
        "corrida": entry.run_id,
        "peticion": entry.request_id,
    }
