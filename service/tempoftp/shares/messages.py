"""What a share says of itself (`mensaje` on the wire): its row has codes and values, which are worded here.

The texts are Spanish, and the message ids of the portal's catalogue. `translate` puts each of them into another
language. The technical words of rsync, ssh or MySQL stay as they came, behind «Detalle:», for the operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tempoftp.db.models import Share
from tempoftp.errors import ShareError
from tempoftp.phrases import Phrase, Translate, fill, keep
from tempoftp.states import State

STATE_MESSAGES: dict[State, str] = {
    State.RECIBIDO: "Solicitud aceptada; espera su turno.",
    State.PREPARANDO: "Se revisan el origen y el espacio del servidor FTP.",
    State.TRASLADO: "Se copian los datos al servidor FTP.",
    State.LISTO: "Listo: entre con la cuenta FTP.",
    State.BLOQUEADO: "Bloqueado por un operador.",
    State.EXPIRANDO: "Venció; se retiran el acceso y los datos.",
    State.EXPIRADO: "Venció; ya no hay acceso ni datos.",
    State.ELIMINANDO: "Se retiran el acceso y los datos.",
    State.ELIMINADO: "Ya no hay acceso ni datos.",
    State.ERROR: "La solicitud falló.",
}
READY_WITH_EARLIER_PASSWORD = "Listo: la cuenta ya existía; su contraseña anterior sigue siendo válida."  # noqa: S105

ERROR_MESSAGES: dict[str, str] = {
    "source_unreachable": "El servidor de origen no responde; se reintentará.",
    "ftp_host_unreachable": "El servidor FTP no responde; se reintentará.",
    "root_missing": "El disco del servidor FTP no está montado y nada se toca; se reintentará.",
    "clock_unsure": "El reloj del servidor FTP no es de fiar y nada se borra; se reintentará.",
    "database_unavailable": "La base de datos de cuentas (MySQL/MariaDB) no responde; se reintentará.",
    "no_space": "No hay espacio libre en el servidor FTP por ahora; se reintentará.",
    "no_inodes": "No caben más archivos en el servidor FTP por ahora; se reintentará.",
    "run_timeout": "El paso no terminó a tiempo; se reintentará.",
    "run_failed": "El paso falló; se reintentará.",
    "copy_failed": "La copia se interrumpió; se reintentará desde donde quedó.",
    "password_scheme": "El servidor FTP no acepta un cifrado seguro de contraseñas; avise al operador.",
    "source_not_found": "El origen no tiene esa carpeta ni ese archivo; corrija la ruta y pida otra vez.",
    "source_denied": "El origen no permite leer toda la ruta; pida permiso de lectura y vuelva a pedirla.",
    "source_shell": "La sesión de ssh en el origen imprime texto que estorba a rsync; avise al operador.",
    "source_changing": "El origen cambiaba mientras se copiaba; pida otra vez cuando nadie escriba ahí.",
    "too_large": "Los datos no caben en el servidor FTP ni aun vacío, o son demasiados archivos; pida menos.",
    "account_conflict": "Ya existe una cuenta FTP con ese nombre y no se puede usar; avise al operador.",
    "destination_occupied": "Hay algo ajeno en el lugar de la entrega; avise al operador o elija otro id.",
    "invalid": "El servidor FTP rechazó la solicitud por inválida; avise al operador.",
    "stale": "El servidor FTP ya conoce una versión más nueva de esta solicitud; no se cambió nada.",
    "ended": "La entrega ya terminó; pídala otra vez.",
    "not_delivered": "Los datos ya no están en el servidor FTP; reintente para copiarlos otra vez.",
    "managed_elsewhere": "Un operador usa ese id en el servidor FTP; elija otro id o avise al operador.",
}

GIVEN_UP_MESSAGES: dict[str, str] = {
    name: f"{text.partition('; se reintentará')[0].rstrip('.')}." for name, text in ERROR_MESSAGES.items()
}
"""The same after the last try: nothing promises another one."""
GIVEN_UP = "Se abandonó tras %(hours)g h de reintentos."
LIFETIME_KEPT = "La vigencia no se pudo cambiar y sigue en %(days)s días."
DETAIL = "Detalle:"

FAILURES = frozenset({"error", "given_up"})
"""Codes of phrases about a failure; `error_class` and `detail` are values of both."""

PENDING_MESSAGES: dict[str, str] = {
    "bloquear": "Se bloqueará en cuanto el servidor FTP lo confirme.",
    "desbloquear": "Se desbloqueará en cuanto el servidor FTP lo confirme.",
    "vigencia": "La vigencia nueva vale en cuanto el servidor FTP la confirme.",
    "password": "La contraseña nueva vale en cuanto el servidor FTP la confirme.",
    "cambio": "Espera a que el servidor FTP confirme el último cambio.",
}
PAUSED_MESSAGE = "El servidor FTP está en pausa por mantenimiento; lo pendiente sigue cuando termine."

SOURCE_EMPTY = "En el origen no hay ningún archivo: la entrega queda vacía."
READY_EMPTY = "El origen no tenía ningún archivo: la entrega está vacía."

PREVIEW_PENDING = "Se mide el origen."
PREVIEW_FITS = "Cabe en el servidor FTP."
PREVIEW_LEAST = "No se terminó de contar a tiempo: es al menos esto, y no se sabe si cabe."
PREVIEW_UNKNOWN = "El origen no se terminó de medir a tiempo; no se sabe cuánto es ni si cabe."
PREVIEW_GIVEN_UP = "Nadie lo midió a tiempo; avise al operador o pídalo sin vista previa."
PREVIEW_SHORTAGES: dict[str, str] = {
    "no_space": "Ahora no cabe en el servidor FTP; si lo pide, espera a que haya lugar.",
    "no_inodes": "Ahora no caben tantos archivos en el servidor FTP; si lo pide, espera a que haya lugar.",
    "too_large": "No cabe en el disco del servidor FTP ni aun vacío; pida menos.",
}
PREVIEW_ERRORS: dict[str, str] = {
    "source_unreachable": "El servidor de origen no responde.",
    "ftp_host_unreachable": "El servidor FTP no responde.",
    "source_not_found": "El origen no tiene esa carpeta ni ese archivo; corrija la ruta.",
    "source_denied": "El origen no permite leer toda la ruta; pida permiso de lectura.",
    "source_shell": "La sesión de ssh en el origen imprime texto que estorba a rsync; avise al operador.",
    "source_changing": "El origen cambia mientras se mide; intente otra vez cuando nadie escriba ahí.",
    "too_large": "Son más archivos de los que el servidor FTP puede manejar; pida menos.",
    "invalid": "El servidor FTP rechazó la ruta por inválida; avise al operador.",
}
PREVIEW_FAILED = "No se pudo medir; intente otra vez."


def list_texts() -> Iterator[str]:
    """Return every text of this file: what the portal's catalogue has to translate."""
    for texts in (STATE_MESSAGES, ERROR_MESSAGES, GIVEN_UP_MESSAGES, PENDING_MESSAGES):
        yield from texts.values()
    yield from (SOURCE_EMPTY, READY_EMPTY)
    yield from (GIVEN_UP, LIFETIME_KEPT, DETAIL, PAUSED_MESSAGE, READY_WITH_EARLIER_PASSWORD)
    yield from (
        PREVIEW_PENDING,
        PREVIEW_FITS,
        PREVIEW_LEAST,
        PREVIEW_UNKNOWN,
        PREVIEW_GIVEN_UP,
        PREVIEW_FAILED,
    )
    yield from (*PREVIEW_SHORTAGES.values(), *PREVIEW_ERRORS.values())


def explain_preview_error(error_class: str, detail: str | None, translate: Translate = keep) -> str:
    """Return why a source could not be measured, with the technical detail behind it."""
    return _add_detail(translate(PREVIEW_ERRORS.get(error_class, PREVIEW_FAILED)), detail, translate)


def explain_state(share: Share, pending: Iterable[str], *, paused: bool, translate: Translate = keep) -> str:
    """Return the state of a share in words: what failed last, else the state; and what waits for its FTP host."""
    parts = [say_message(share, translate)]
    parts += [translate(PENDING_MESSAGES[word]) for word in pending]
    if paused:
        parts.append(translate(PAUSED_MESSAGE))
    return " ".join(parts)


def say_message(share: Share, translate: Translate = keep) -> str:
    """Return what failed last of a share, else its state."""
    if not share.message:
        parts = [translate(STATE_MESSAGES[State(share.state)])]
        if is_delivered_empty(share):
            parts.append(translate(READY_EMPTY))
        return " ".join(parts)
    return say_phrases(share.message, translate)


def is_delivered_empty(share: Share) -> bool:
    """Whether a share is ready and has not one file."""
    return share.state == State.LISTO and share.files_total == 0


def describe_emptiness(translate: Translate = keep, *, delivered: bool = False) -> dict[str, str]:
    """Return the warning, as answers have it, that there is no file in a source, or was none."""
    return {"codigo": "source_empty", "mensaje": translate(READY_EMPTY if delivered else SOURCE_EMPTY)}


def say_phrases(message: Iterable[Phrase], translate: Translate = keep) -> str:
    """Return the phrases of a message one after the other."""
    return " ".join(say_phrase(phrase, translate) for phrase in message)


def say_phrase(phrase: Phrase, translate: Translate = keep) -> str:
    """Return one phrase of a message."""
    params = phrase.params
    match phrase.code:
        case "error":
            return _add_detail(translate(ERROR_MESSAGES[params["error_class"]]), params["detail"], translate)
        case "given_up":
            why = translate(GIVEN_UP_MESSAGES[params["error_class"]])
            return _add_detail(f"{fill(GIVEN_UP, params, translate)} {why}", params["detail"], translate)
        case "lifetime_kept":
            return fill(LIFETIME_KEPT, params, translate)
    return str(params["text"])


def _add_detail(text: str, detail: str | None, translate: Translate) -> str:
    return f"{text} {translate(DETAIL)} {detail}" if detail else text


def describe_error(error: ShareError) -> Phrase:
    """Return what went wrong, with the technical detail."""
    return Phrase("error", error_class=error.error_class, detail=error.message)


def describe_giving_up(error: ShareError, hours: float) -> Phrase:
    """Return the same for an error that was retried until its deadline."""
    return Phrase("given_up", error_class=error.error_class, hours=hours, detail=error.message)
