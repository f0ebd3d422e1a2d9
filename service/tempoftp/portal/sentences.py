"""Sentences of the domain that hold values: as patterns, to be said in another language.

tests/service/portal/test_languages.py asks the domain for each of them and fails when one is worded otherwise.
"""

from __future__ import annotations

MESSAGES: tuple[str, ...] = (
    "Se abandonó tras %(hours)s h de reintentos. %(why)s.",
    "La vigencia no se pudo cambiar y sigue en %(days)s días. %(why)s",
)

HISTORY: dict[str, str] = {
    "requested": "Pedida.",
    "requested again": "Pedida otra vez.",
    "a run took it up": "Una corrida empezó a trabajar en ella.",
    "reported by the FTP host": "El servidor FTP lo informó.",
    "deletion requested": "Se pidió eliminarla.",
    "deletion of its account requested": "Se pidió eliminar su cuenta.",
    "lifetime of %(days)s days requested instead of %(before)s": (
        "Se pidieron %(days)s días de vigencia en vez de %(before)s."
    ),
    "lifetime stays at %(days)s days: %(why)s": "La vigencia sigue en %(days)s días (%(why)s).",
    "its lifetime has ended": "Terminó su vigencia.",
    "every file was fetched, and nothing more for %(hours)s h": "Se descargó todo, y nada más en %(hours)s h.",
    "block requested": "Se pidió bloquearla.",
    "block requested: %(why)s": "Se pidió bloquearla: %(why)s",
    "block of its account requested": "Se pidió bloquear su cuenta.",
    "block of its account requested: %(why)s": "Se pidió bloquear su cuenta: %(why)s",
    "unblock requested": "Se pidió desbloquearla.",
    "unblock of its account requested": "Se pidió desbloquear su cuenta.",
    "new password requested": "Se pidió una contraseña nueva.",
    "password shown": "Se mostró la contraseña.",
    "a link for the recipient was made": "Se hizo un enlace para quien la recibe.",
    "the recipient's links were revoked": "Se retiraron los enlaces para quien la recibe.",
    "credentials shown to the recipient (visible)": "Se mostró la contraseña a quien tiene el enlace.",
    "credentials shown to the recipient (%(shown)s)": (
        "Quien tiene el enlace vio cómo entrar; la contraseña no se pudo mostrar."
    ),
    "%(days)s more days asked for": "Se pidieron %(days)s días más.",
    "%(days)s more days refused": "No se dieron los %(days)s días más que se pidieron.",
    "retry requested": "Se pidió reintentar.",
    "the FTP host had ended it (%(why)s)": "El servidor FTP ya la había terminado (%(why)s).",
    "the FTP host counts until %(when)s": "El servidor FTP cuenta hasta %(when)s.",
    "restored: %(why)s": "Corregida desde el servidor FTP tras restaurar la base de datos (%(why)s).",
}
"""What the history says, in English, and how the pages say it."""
