"""Why something became of a share: the codes of its history, in English for the API and in Spanish for the pages."""

from __future__ import annotations

from collections.abc import Iterator

from tempoftp.phrases import VERBATIM, Phrase, Translate, fill, keep
from tempoftp.shares.messages import FAILURES, say_phrase

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


def word_reason(reason: Phrase) -> str:
    """Return a reason as the API and the logs have it, in English."""
    return _word(reason, 0, keep)


def say_reason(reason: Phrase, translate: Translate = keep) -> str:
    """Return a reason as a page has it: in Spanish, or in the language that `translate` makes of that."""
    return _word(reason, 1, translate)


def list_texts() -> Iterator[str]:
    """Return what the pages say: the portal's catalogue has to translate it."""
    for _english, spanish in REASONS.values():
        yield spanish


def _word(reason: Phrase, language: int, translate: Translate) -> str:
    if reason.code == VERBATIM:
        return str(reason.params["text"])
    if reason.code in FAILURES:
        # The reason of a failure is the share's message, in Spanish for the API too. The class of the error is first.
        return f"{reason.params['error_class']}: {say_phrase(reason, translate)}"
    return fill(REASONS[reason.code][language], reason.params, translate)
