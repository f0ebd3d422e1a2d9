"""The states of a share and the one table of legal transitions. `shares/lifecycle.py` performs them."""

from __future__ import annotations

import enum


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
    # Once expiring, always: no clock and no request leads back.
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
"""The data are on the FTP host; worked on only while a change waits to be carried out (`due_at`)."""

UNFINISHED = ON_ITS_WAY | ENDING
"""A worker has to work on these, whatever is requested."""

CLAIMABLE = UNFINISHED | DELIVERED
"""What a run may carry once it is due."""
