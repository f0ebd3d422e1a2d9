"""The history of a share: the events as they go over the wire, and the text of each reason.

A reason is stored as a code with values. The API has it in English, the portal in the language of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import write_time
from tempoftp.db.models import HistoryEntry
from tempoftp.phrases import VERBATIM, Phrase, Translate, fill, keep
from tempoftp.refusals import InvalidRequest
from tempoftp.shares.messages import FAILURES, say_phrase
from tempoftp.states import TERMINAL, State

REASONS: dict[str, tuple[str, str]] = {
    "requested": ("requested", "Pedida."),
    "requested_again": ("requested again", "Pedida otra vez."),
    "taken_up": ("a run took it up", "Una corrida empezó a trabajar en ella."),
    "host_reported": ("reported by the FTP host", "El servidor FTP lo informó."),
    "gone": ("account, sessions and data are gone", "Ya no hay cuenta, sesiones ni datos."),
    "deletion_requested": ("deletion requested", "Se pidió eliminarla."),
    "account_deletion_requested": ("deletion of its account requested", "Se pidió eliminar su cuenta."),
    "lifetime_requested": (
        "lifetime of %(days)s days requested instead of %(before)s",
        "Se pidieron %(days)s días de vigencia en vez de %(before)s.",
    ),
    "lifetime_kept": (
        "lifetime stays at %(days)s days: %(why)s",
        "La vigencia sigue en %(days)s días (%(why)s).",
    ),
    "lifetime_ended": ("its lifetime has ended", "Terminó su vigencia."),
    "all_fetched": (
        "every file was fetched, and nothing more for %(hours)g h",
        "Se descargó todo, y nada más en %(hours)g h.",
    ),
    "block_requested": ("block requested", "Se pidió bloquearla."),
    "block_requested_because": ("block requested: %(why)s", "Se pidió bloquearla: %(why)s"),
    "account_block_requested": ("block of its account requested", "Se pidió bloquear su cuenta."),
    "account_block_requested_because": (
        "block of its account requested: %(why)s",
        "Se pidió bloquear su cuenta: %(why)s",
    ),
    "unblock_requested": ("unblock requested", "Se pidió desbloquearla."),
    "account_unblock_requested": ("unblock of its account requested", "Se pidió desbloquear su cuenta."),
    "new_password_requested": ("new password requested", "Se pidió una contraseña nueva."),
    "password_shown": ("password shown", "Se mostró la contraseña."),
    "access_shown": (
        "credentials shown (%(shown)s)",
        "Se mostró cómo entrar; la contraseña no se pudo mostrar.",
    ),
    "link_made": ("a link for the recipient was made", "Se hizo un enlace para quien la recibe."),
    "links_revoked": (
        "the recipient's links were revoked",
        "Se retiraron los enlaces para quien la recibe.",
    ),
    "password_shown_to_recipient": (
        "credentials shown to the recipient (visible)",
        "Se mostró la contraseña a quien tiene el enlace.",
    ),
    "access_shown_to_recipient": (
        "credentials shown to the recipient (%(shown)s)",
        "Quien tiene el enlace vio cómo entrar; la contraseña no se pudo mostrar.",
    ),
    "days_asked": ("%(days)s more days asked for", "Se pidieron %(days)s días más."),
    "days_refused": ("%(days)s more days refused", "No se dieron los %(days)s días más que se pidieron."),
    "restore_requested": ("restore requested", "Se pidió restaurar."),
    "retry_requested": ("retry requested", "Se pidió reintentar."),
    "host_ended": (
        "the FTP host had ended it (%(why)s)",
        "El servidor FTP ya la había terminado (%(why)s).",
    ),
    "host_counts_until": (
        "the FTP host counts until %(when)s",
        "El servidor FTP cuenta hasta %(when)s.",
    ),
    "restored": (
        "restored: %(why)s",
        "Corregida desde el servidor FTP tras restaurar la base de datos (%(why)s).",
    ),
}

"""Code → the English text of the API, and the Spanish text of the pages."""


def word_reason(reason: Phrase) -> str:
    """Return a reason as the API and the logs have it, in English."""
    return _word(reason, 0, keep)


def say_reason(reason: Phrase, translate: Translate = keep) -> str:
    """Return a reason as a page has it: in Spanish, or in the language that `translate` makes of that."""
    return _word(reason, 1, translate)


def list_texts() -> Iterator[str]:
    """Return the Spanish texts, which the portal's catalogue has to translate."""
    for _english, spanish in REASONS.values():
        yield spanish


def _word(reason: Phrase, language: int, translate: Translate) -> str:
    if reason.code == VERBATIM:
        return str(reason.params["text"])
    if reason.code in FAILURES:
        # The reason of a failure is the share's message, in Spanish for the API too. The class of the error is first.
        return f"{reason.params['error_class']}: {say_phrase(reason, translate)}"
    return fill(REASONS[reason.code][language], reason.params, translate)


EVENTS_MAX = 1000
"""Most events at once."""


def read_events(
    session: Session,
    share_id: str,
    *,
    after: int = 0,
    before: int | None = None,
    newest: bool = False,
    limit: int = EVENTS_MAX,
    word: Callable[[Phrase], str] = word_reason,
) -> list[dict[str, Any]]:
    """Return the events of a share since it was last asked for, oldest first, numbered between `after` and `before`.

    When there are more than `limit`, they are the oldest ones, or with `newest` the newest ones. An id that was asked
    for again may belong to another person now, so its earlier events are left out. `word` says each reason, by default
    in English as the API does.
    """
    begun = session.execute(
        select(HistoryEntry.number, HistoryEntry.generation)
        .where(
            HistoryEntry.share_id == share_id,
            HistoryEntry.to_state == State.RECIBIDO,
            or_(HistoryEntry.from_state.is_(None), HistoryEntry.from_state.in_(TERMINAL)),
        )
        .order_by(HistoryEntry.number.desc())
        .limit(1)
    ).first()
    if begun is None:
        return []
    query = (
        select(HistoryEntry)
        .where(
            HistoryEntry.share_id == share_id,
            HistoryEntry.number > after,
            HistoryEntry.number >= begun.number,
        )
        .order_by(HistoryEntry.number.desc() if newest else HistoryEntry.number)
        .limit(limit)
    )
    if before is not None:
        query = query.where(HistoryEntry.number < before)
    entries = sorted(session.scalars(query), key=lambda entry: entry.number)
    return [_describe_event(entry, word, begun.generation) for entry in entries]


def read_event_page(
    session: Session, share_id: str, *, limit: int = EVENTS_MAX, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the newest events, or those before a cursor, oldest first, and the cursor of the page with older ones.

    Raises InvalidRequest.
    """
    if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise InvalidRequest("cursor", "cursor_invalid")
    before = None if cursor is None else int(cursor)
    events = read_events(session, share_id, before=before, newest=True, limit=limit + 1)
    page = events[-limit:]
    return page, str(page[0]["numero"]) if len(events) > limit else None


def _describe_event(entry: HistoryEntry, word: Callable[[Phrase], str], first: int) -> dict[str, Any]:
    """Return one event. `de` and `a` are equal for a request that does not change the state by itself.

    `first` is the generation of the request: how many changes an earlier share of this id had is not told.
    """
    return {
        "numero": entry.number,
        "fecha": write_time(entry.at),
        "de": entry.from_state,
        "a": entry.to_state,
        "generacion": entry.generation - first + 1,
        "razon": word(entry.reason),
        "autor": entry.author,
        "corrida": entry.run_id,
        "peticion": entry.request_id,
    }
