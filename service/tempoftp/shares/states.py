"""The states of a share, the one table of legal transitions, and the one function that performs them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from tempoftp.shares.errors import IllegalTransition

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tempoftp.shares.models import Share


class State(enum.StrEnum):
    """A state as it goes over the wire (the seed's Spanish names)."""

    RECIBIDO = "recibido"
    PREPARANDO = "preparando"
    TRASLADO = "traslado"
    LISTO = "listo"
    BLOQUEADO = "bloqueado"
    EXPIRANDO = "expirando"
    EXPIRADO = "expirado"
    ELIMINANDO = "eliminando"
    ELIMINADO = "eliminado"
    ERROR = "error"


TRANSITIONS: dict[State, frozenset[State]] = {
    # A run may see several steps done at once, so the way to `listo` may skip forward, never back. A share that was
    # blocked on its way is delivered hidden; one whose host delivered and ended it while nobody looked ends here too.
    State.RECIBIDO: frozenset(
        {
            *(State.PREPARANDO, State.TRASLADO, State.LISTO, State.BLOQUEADO),
            *(State.ERROR, State.EXPIRANDO, State.ELIMINANDO),
        }
    ),
    State.PREPARANDO: frozenset(
        {
            *(State.TRASLADO, State.LISTO, State.BLOQUEADO),
            *(State.ERROR, State.EXPIRANDO, State.ELIMINANDO),
        }
    ),
    State.TRASLADO: frozenset({State.LISTO, State.BLOQUEADO, State.ERROR, State.EXPIRANDO, State.ELIMINANDO}),
    State.LISTO: frozenset({State.BLOQUEADO, State.EXPIRANDO, State.ERROR, State.ELIMINANDO}),
    State.BLOQUEADO: frozenset({State.LISTO, State.EXPIRANDO, State.ERROR, State.ELIMINANDO}),
    # Once expiring, always: no clock and no wish leads back.
    State.EXPIRANDO: frozenset({State.EXPIRADO, State.ELIMINANDO}),
    State.ERROR: frozenset({State.RECIBIDO, State.ELIMINANDO}),
    State.ELIMINANDO: frozenset({State.ELIMINADO}),
    # A terminal share whose id is asked for again starts a new generation.
    State.EXPIRADO: frozenset({State.RECIBIDO}),
    State.ELIMINADO: frozenset({State.RECIBIDO}),
}

ON_ITS_WAY = frozenset({State.RECIBIDO, State.PREPARANDO, State.TRASLADO})
"""The share is being made: GET answers 202."""

ENDING = frozenset({State.EXPIRANDO, State.ELIMINANDO})
"""Access and data are being taken away; retried for ever."""

TERMINAL = frozenset({State.EXPIRADO, State.ELIMINADO})
"""Account, sessions and data are verified gone."""

DELIVERED = frozenset({State.LISTO, State.BLOQUEADO})
"""The data are on the FTP host; worked on only while a wish waits to be carried out (`due_at`)."""

UNFINISHED = ON_ITS_WAY | ENDING
"""What a worker has to work on whatever anybody wishes."""

CLAIMABLE = UNFINISHED | DELIVERED
"""What a run may carry once it is due."""


def transition(
    session: Session,
    share: Share,
    to: State,
    *,
    reason: str,
    author: str,
    run_id: str | None = None,
    request_id: str | None = None,
    tell: bool = True,
) -> None:
    """Move a share to another state and write who, why and when to its history, in the caller's transaction.

    What people are told of it is written beside it, unless `tell` says that it is only a step on the way.
    Nothing else writes `share.state`. Raises IllegalTransition when the table does not have it.
    """
    from tempoftp.shares.models import HistoryEntry, utc_now
    from tempoftp.shares.notices import note_state

    origin = State(share.state)
    if to not in TRANSITIONS[origin]:
        raise IllegalTransition(f"share {share.id} cannot go from {origin} to {to}")
    now = utc_now()
    share.state = to
    share.state_changed_at = now
    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=origin,
            to_state=to,
            reason=reason,
            author=author,
            run_id=run_id,
            request_id=request_id or share.request_id,
            at=now,
        )
    )
    if tell:
        note_state(session, share)


def record_change(
    session: Session, share: Share, *, reason: str, author: str, run_id: str | None = None
) -> None:
    """Write a change of mind that leaves the state as it is to the share's history, in the caller's transaction."""
    from tempoftp.shares.models import HistoryEntry, utc_now

    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=share.state,
            to_state=share.state,
            reason=reason,
            author=author,
            run_id=run_id,
            request_id=share.request_id,
            at=utc_now(),
        )
    )


def record_birth(session: Session, share: Share, *, reason: str, author: str) -> None:
    """Write the first history row of a share that was just made in `recibido`."""
    from tempoftp.shares.models import HistoryEntry

    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=None,
            to_state=State.RECIBIDO,
            reason=reason,
            author=author,
            run_id=None,
            request_id=share.request_id,
            at=share.created_at,
        )
    )
