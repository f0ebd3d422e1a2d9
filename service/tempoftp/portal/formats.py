"""The filters of the templates: how pages show sizes, times and states."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from flask_babel import format_datetime, format_decimal, gettext, lazy_gettext, ngettext
from markupsafe import Markup

from tempoftp.access.identities import show_holder
from tempoftp.portal.languages import say
from tempoftp.states import State
from tempoftp.units import format_bytes

STATE_WORDS = {
    State.RECIBIDO: lazy_gettext("Recibida"),
    State.PREPARANDO: lazy_gettext("En preparación"),
    State.TRASLADO: lazy_gettext("Copiando"),
    State.LISTO: lazy_gettext("Lista"),
    State.BLOQUEADO: lazy_gettext("Bloqueada"),
    State.EXPIRANDO: lazy_gettext("Venciendo"),
    State.EXPIRADO: lazy_gettext("Vencida"),
    State.ELIMINANDO: lazy_gettext("Eliminándose"),
    State.ELIMINADO: lazy_gettext("Eliminada"),
    State.ERROR: lazy_gettext("Con error"),
}


def show_bytes(count: float | None) -> str:
    """`1536000` → `1,5 MB`."""
    if count is None:
        return "–"
    return format_bytes(count, _write_number)


def _write_number(value: float, digits: int) -> str:
    return str(format_decimal(value, format="#,##0" if digits == 0 else "#,##0.0"))


def show_seconds(seconds: float | None) -> str:
    """`3700` → `1 h 1 min`: the two largest units that are not zero."""
    if seconds is None:
        return "–"
    left = max(0, round(seconds))
    if left < 60:
        return f"{left} s"
    parts = []
    for size, name in ((86400, None), (3600, "h"), (60, "min")):
        count, left = divmod(left, size)
        if count and name is None:
            parts.append(ngettext("%(num)s día", "%(num)s días", count))
        elif count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def parse_time(text: str) -> datetime:
    """Return the time of a text in ISO 8601, as the API writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def show_time(moment: str | datetime | None) -> str | Markup:
    """Return a `time` element: UTC for people and, in its attribute, for machines."""
    if moment is None:
        return "–"
    at = parse_time(moment) if isinstance(moment, str) else moment
    return Markup('<time datetime="{}">{} UTC</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), format_datetime(at, "d MMM y, HH:mm")
    )


def show_left(moment: str | None) -> str:
    """Return how long it is until a time: `quedan 2 días 3 h`."""
    if moment is None:
        return ""
    seconds = (parse_time(moment) - datetime.now(UTC)).total_seconds()
    if seconds <= 0:
        return str(gettext("ya venció"))
    return str(gettext("quedan %(time)s", time=show_seconds(seconds)))


def show_number(value: float | None) -> str:
    """Return a number with the separators of the language."""
    return "–" if value is None else format_decimal(value)


def show_state(state: str) -> str:
    """Return the word for a state, in the language of the page."""
    return str(STATE_WORDS[State(state)])


def init_formats(app: Flask) -> None:
    """Add these filters to the templates of `app`."""
    app.jinja_env.filters.update(
        bytes=show_bytes,
        seconds=show_seconds,
        moment=show_time,
        left=show_left,
        number=show_number,
        state=show_state,
        holder=show_holder,
        say=say,
    )
