"""Sentences of the domain that hold values: as patterns, to be said in another language.

tests/service/portal/test_languages.py asks the domain for each of them and fails when one is worded otherwise.
"""

from __future__ import annotations

REFUSALS: tuple[str, ...] = (
    "el id '%(id)s' es de otra solicitud; elimínela primero o elija otro id",
    "vigencia debe ser de %(least)s a %(most)s días",
    "la solicitud está en %(state)s; su vigencia ya no se puede cambiar, pida otra",
    "con %(days)s días ya habría vencido; elimine la solicitud si no debe seguir, o dé más días",
    "la solicitud está en %(state)s y nada de ella ha fallado",
    "la solicitud está en %(state)s; ya no hay cuenta que abrir para ella",
    "la solicitud está en %(state)s; solo se bloquea o desbloquea la que está en camino o entregada",
    "la solicitud está en %(state)s; solo la que está lista tiene cómo entrar",
    "la solicitud está en %(state)s; ya no se le pueden dar más días",
    "la solicitud está en %(state)s; los datos de acceso se ven cuando está lista",
    "la solicitud ya tiene los %(days)s días que puede tener",
    "dias debe ser de 1 a %(most)s",
    "nadie espera más días para esta solicitud, o ya se decidió",
    "Este enlace no es válido: venció, fue retirado o le falta una parte. Copie el enlace completo del último aviso, o "
    "pida otro a quien opera el servicio.",
    "la solicitud está en %(state)s; ya no hay qué mostrar",
    "la cuenta %(name)s existía antes que tempoftp; su contraseña la cambia quien la administra",
    "la cuenta %(name)s está bloqueada entera; desbloquéela con alcance «cuenta»",
    "no hay un servidor FTP '%(name)s'; hay %(names)s",
    "el origen '%(host)s' no está permitido; pregunte al operador cuáles lo están",
    "el origen '%(host)s' solo se lee como '%(user)s'; escriba ese usuario u omítalo",
    "%(path)s no está bajo una carpeta permitida de '%(host)s' (%(roots)s)",
    "la ruta tiene caracteres de control; escriba host:/ruta o usuario@host:/ruta",
    "la ruta debe ser host:/ruta o usuario@host:/ruta, con una ruta absoluta",
    "la ruta tiene alguno de * ? [ ] { } \\, que no se admiten; nombre una carpeta o un archivo",
    "la ruta no debe tener '..'; escriba la ruta directa",
    "la ruta es demasiado larga",
    "la ruta nombra el origen entero; nombre una carpeta bajo una raíz permitida",
    "cursor debe ser el `siguiente` de una respuesta anterior",
    "el cursor debe ser el `siguiente` de una respuesta anterior",
    "Se admiten %(amount)s cada %(every)s s. Espere %(wait)s s y repita la petición: nada se guardó de esta.",
    "Esta operación requiere el rol `%(role)s`; pídala a un operador.",
    "El servicio falló al atender la petición. El detalle está en su bitácora con el identificador %(id)s.",
    "Falta una configuración del servicio o es errónea; avise al operador. El detalle está en la bitácora con el "
    "identificador %(id)s.",
    "Se abandonó tras %(hours)s h de reintentos. %(why)s.",
    "La vigencia no se pudo cambiar y sigue en %(days)s días. %(why)s",
    "ya esperan %(count)s vistas previas suyas; espere a que terminen y pida otra",
    "no existe una vista previa con ese id, o ya pasó su día; pida otra",
    "El formulario ya no vale",
    "Pasó demasiado tiempo, o la sesión cambió. Vuelva a la página, recárguela y envíelo otra vez.",
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
