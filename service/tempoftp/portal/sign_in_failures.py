"""Why a sign-in through the provider failed: the classes of failures, their HTTP statuses and their texts."""

from __future__ import annotations

from enum import StrEnum

from flask_babel import gettext

RETRY_SECONDS = 30


class Failure(StrEnum):
    """The class of a failure; the log has this word."""

    UNREACHABLE = "provider_unreachable"
    SLOW = "provider_slow"
    BUSY = "too_many_sign_ins"
    ANSWER = "provider_answer"
    DENIED = "denied"
    STATE = "state"
    TOKEN = "id_token"  # noqa: S105 - no password
    NO_ROLE = "no_role"
    NO_EMAIL = "no_email"
    REVOKED = "revoked"


STATUSES = {
    Failure.UNREACHABLE: 503,
    Failure.SLOW: 503,
    Failure.BUSY: 503,
    Failure.ANSWER: 503,
    Failure.DENIED: 403,
    Failure.STATE: 400,
    Failure.TOKEN: 403,
    Failure.NO_ROLE: 403,
    Failure.NO_EMAIL: 403,
    Failure.REVOKED: 403,
}


class SignInFailed(Exception):  # noqa: N818 - what happened, not a bug
    """A sign-in failed. `detail` is for the log; it contains no token, code or secret."""

    def __init__(self, failure: Failure, detail: str = "") -> None:
        super().__init__(f"{failure}: {detail}" if detail else str(failure))
        self.failure = failure


def explain(failure: Failure) -> str:
    """Return the text for the page, with what to do, in its language."""
    texts = {
        Failure.UNREACHABLE: gettext(
            "El servicio de identidad no responde. Pruebe otra vez en unos minutos, o entre con un token: eso sigue "
            "funcionando."
        ),
        Failure.SLOW: gettext(
            "El servicio de identidad tarda demasiado. Pruebe otra vez en unos minutos, o entre con un token: eso "
            "sigue funcionando."
        ),
        Failure.BUSY: gettext(
            "Demasiadas personas esperan al servicio de identidad. Pruebe otra vez en unos segundos, o entre con un "
            "token: eso sigue funcionando."
        ),
        Failure.ANSWER: gettext(
            "El servicio de identidad respondió algo que no se entiende. Avise al operador; mientras tanto, entre con "
            "un token: eso sigue funcionando."
        ),
        Failure.DENIED: gettext(
            "El servicio de identidad no le dio acceso, o usted lo canceló. Puede probar otra vez."
        ),
        Failure.STATE: gettext(
            "Esta entrada ya se usó, venció o se empezó en otro navegador o dirección. Empiece otra vez."
        ),
        Failure.TOKEN: gettext(
            "Lo que afirma el servicio de identidad no se pudo comprobar, así que nadie entró. Empiece otra vez; si se "
            "repite, avise al operador."
        ),
        Failure.NO_ROLE: gettext(
            "Su cuenta es válida, pero no tiene permiso para usar este servicio. Pida al operador que la agregue."
        ),
        Failure.NO_EMAIL: gettext(
            "Su cuenta no trae un correo verificado, y las solicitudes se reconocen por él. Verifíquelo en su cuenta, "
            "o pida un token al operador."
        ),
        Failure.REVOKED: gettext("Un operador retiró el acceso de su cuenta. Hable con él."),
    }
    return str(texts[failure])
