"""What the API and the portal say: one Spanish text for every code of a refusal.

The texts are also the message ids of the portal's catalogue (`portal/translations/`), so a page says the same code in
the language of its reader: it passes gettext as `translate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """The HTTP status of a refusal and its Spanish texts. `%(name)s` stands for a value."""

    http_status: int
    title: str
    detail: str


_DATA_TITLE = "Datos no válidos"
_QUOTA_TITLE = "Cuota alcanzada"
_STATE_TITLE = "El estado no lo permite"

REFUSALS: dict[str, Wording] = {
    # HTTP itself
    "malformed_body": Wording(
        400, "Petición mal formada", "El cuerpo no es JSON válido. Envíe un objeto JSON en UTF-8."
    ),
    "credential_required": Wording(
        401,
        "Credencial requerida",
        "Envíe la cabecera Authorization: Bearer con la credencial que le dio el operador.",
    ),
    "credential_missing": Wording(
        401,
        "Credencial requerida",
        "Falta la credencial. Envíe la cabecera `Authorization: Bearer …` con la que le dio el operador "
        "(`tempoftp token create`).",
    ),
    "credential_invalid": Wording(
        401,
        "Credencial requerida",
        "La credencial enviada no es válida, venció o fue revocada. Pida otra al operador "
        "(`tempoftp token create`).",
    ),
    "forbidden": Wording(403, "No permitido", "El servicio no permite esta petición."),
    "role_required": Wording(
        403, "No permitido", "Esta operación requiere el rol `%(role)s`; pídala a un operador."
    ),
    "foreign_origin": Wording(
        403,
        "No permitido",
        "La petición viene de una página de otro sitio. Hágala desde este servicio, o envíe una credencial.",
    ),
    "email_not_allowed": Wording(
        403,
        "No permitido",
        "Esta credencial no puede pedir nada para ese correo (`usuario`); pida al operador una que sí pueda.",
    ),
    "route_not_found": Wording(
        404, "No encontrado", "No existe ese recurso. Las rutas de la API están en /openapi.json."
    ),
    "method_not_allowed": Wording(
        405, "Método no permitido", "Esta ruta no admite ese método; la cabecera Allow dice cuáles admite."
    ),
    "request_timeout": Wording(
        408, "Tiempo agotado", "La petición no llegó completa a tiempo. Envíela de nuevo."
    ),
    "conflict": Wording(409, "En conflicto", "El estado actual no permite esta petición."),
    "body_too_large": Wording(
        413, "Cuerpo demasiado grande", "El cuerpo de la petición supera el tamaño que acepta el servicio."
    ),
    "url_too_long": Wording(
        414, "Dirección demasiado larga", "La dirección (URL) de la petición es demasiado larga."
    ),
    "unsupported_media_type": Wording(
        415,
        "Tipo de contenido no admitido",
        "Envíe el cuerpo con la cabecera Content-Type: application/json.",
    ),
    "host_unknown": Wording(
        421,
        "Nombre desconocido",
        "La cabecera Host no nombra este servicio. Use su dirección, o un nombre que el operador configuró "
        "(`TEMPOFTP_PUBLIC_URL`, `TEMPOFTP_HOST_NAMES`); o envíe una credencial.",
    ),
    "unprocessable": Wording(422, _DATA_TITLE, "El servicio no acepta estos datos."),
    "too_many_requests": Wording(
        429,
        "Demasiadas peticiones",
        "Espere los segundos que dice la cabecera Retry-After y repita la petición.",
    ),
    "rate_limited": Wording(
        429,
        "Demasiadas peticiones",
        "Se admiten %(amount)s cada %(every)s s. Espere %(wait)s s y repita la petición: nada se guardó de esta.",
    ),
    "headers_too_large": Wording(
        431, "Cabeceras demasiado grandes", "Las cabeceras de la petición superan lo que acepta el servicio."
    ),
    "refused": Wording(409, "Petición rechazada", "El servicio no pudo aceptar la petición."),
    "form_expired": Wording(
        400,
        "El formulario ya no vale",
        "Pasó demasiado tiempo, o la sesión cambió. Vuelva a la página, recárguela y envíelo otra vez.",
    ),
    # The service itself
    "internal_error": Wording(
        500,
        "Error interno",
        "El servicio falló al atender la petición. El detalle está en su bitácora con el identificador %(id)s.",
    ),
    "misconfigured": Wording(
        503,
        "Servicio mal configurado",
        "Falta una configuración del servicio o es errónea; avise al operador. El detalle está en la bitácora "
        "con el identificador %(id)s.",
    ),
    "database_unavailable": Wording(
        503,
        "Base de datos no disponible",
        "La base de datos del servicio no responde. Repita la petición en unos segundos.",
    ),
    "too_many_streams": Wording(
        503,
        "Demasiados flujos abiertos",
        "Hay demasiados flujos de eventos abiertos. Intente más tarde, o pida la historia como JSON.",
    ),
    "unavailable": Wording(503, "No disponible", "El servicio no puede atender la petición ahora."),
    "unhealthy": Wording(503, "El sistema no está del todo bien", "%(problems)s"),
    # Values of a request
    "fields_invalid": Wording(422, _DATA_TITLE, "%(fields)s"),
    "body_not_object": Wording(422, _DATA_TITLE, "El cuerpo debe ser un objeto JSON."),
    "body_too_deep": Wording(
        422, _DATA_TITLE, "El cuerpo tiene más de %(levels)s niveles de listas y objetos."
    ),
    "lifetime_out_of_bounds": Wording(422, _DATA_TITLE, "vigencia debe ser de %(least)s a %(most)s días"),
    "extension_out_of_bounds": Wording(422, _DATA_TITLE, "dias debe ser de 1 a %(most)s"),
    "extension_exhausted": Wording(
        422, _DATA_TITLE, "la solicitud ya tiene los %(days)s días que puede tener"
    ),
    "limit_out_of_bounds": Wording(422, _DATA_TITLE, "limite debe ser de 1 a %(most)s"),
    "state_unknown": Wording(422, _DATA_TITLE, "estado debe ser uno de %(states)s"),
    "cursor_invalid": Wording(422, _DATA_TITLE, "cursor debe ser el `siguiente` de una respuesta anterior"),
    # `ruta`
    "source_control_characters": Wording(
        422,
        "Ruta no válida",
        "la ruta tiene caracteres de control; escriba host:/ruta o usuario@host:/ruta",
    ),
    "source_malformed": Wording(
        422,
        "Ruta no válida",
        "la ruta debe ser host:/ruta o usuario@host:/ruta, con una ruta absoluta",
    ),
    "source_has_wildcards": Wording(
        422,
        "Ruta no válida",
        "la ruta tiene alguno de * ? [ ] { } \\, que no se admiten; nombre una carpeta o un archivo",
    ),
    "source_has_parent": Wording(
        422, "Ruta no válida", "la ruta no debe tener '..'; escriba la ruta directa"
    ),
    "source_too_long": Wording(422, "Ruta no válida", "la ruta es demasiado larga"),
    "source_is_root": Wording(
        422,
        "Ruta no válida",
        "la ruta nombra el origen entero; nombre una carpeta bajo una raíz permitida",
    ),
    "source_not_allowed": Wording(
        403,
        "Origen no permitido",
        "el origen %(host)r no está permitido; pregunte al operador cuáles lo están",
    ),
    "source_user_not_allowed": Wording(
        403,
        "Origen no permitido",
        "el origen %(host)r solo se lee como %(user)r; escriba ese usuario u omítalo",
    ),
    "source_path_not_allowed": Wording(
        403,
        "Origen no permitido",
        "%(path)s no está bajo una carpeta permitida de %(host)r (%(roots)s)",
    ),
    # Shares
    "share_not_found": Wording(
        404, "Solicitud no encontrada", "No existe una solicitud con ese id, o ya fue eliminada."
    ),
    "id_in_use": Wording(
        409, "Id en uso", "el id %(id)r es de otra solicitud; elimínela primero o elija otro id"
    ),
    "quota_person_shares": Wording(
        403,
        _QUOTA_TITLE,
        "ese correo ya tiene %(count)s solicitudes que no han terminado, y puede tener %(most)s; elimine alguna o "
        "pida a un operador que suba la cuota. Nada se guardó",
    ),
    "quota_person_open": Wording(
        429,
        _QUOTA_TITLE,
        "ese correo ya tiene %(count)s solicitudes en camino, y puede tener %(most)s; espere a que alguna esté lista "
        "y repita la petición. Nada se guardó",
    ),
    "quota_person_bytes": Wording(
        403,
        _QUOTA_TITLE,
        "las solicitudes de ese correo ya ocupan %(used)s GB de los %(most)s que puede tener; elimine alguna o "
        "pida a un operador que suba la cuota. Nada se guardó",
    ),
    "quota_token_shares": Wording(
        403,
        _QUOTA_TITLE,
        "con esta credencial ya hay %(count)s solicitudes que no han terminado, y puede haber %(most)s; elimine alguna "
        "o pida a un operador que suba la cuota. Nada se guardó",
    ),
    "quota_token_open": Wording(
        429,
        _QUOTA_TITLE,
        "con esta credencial ya hay %(count)s solicitudes en camino, y puede haber %(most)s; espere a que alguna esté "
        "lista y repita la petición. Nada se guardó",
    ),
    "quota_token_bytes": Wording(
        403,
        _QUOTA_TITLE,
        "lo que se pidió con esta credencial ya ocupa %(used)s GB de los %(most)s que puede haber; elimine alguna "
        "solicitud o pida a un operador que suba la cuota. Nada se guardó",
    ),
    "lifetime_in_past": Wording(
        409,
        "El fin quedaría en el pasado",
        "con %(days)s días ya habría vencido; elimine la solicitud si no debe seguir, o dé más días",
    ),
    "lifetime_settled": Wording(
        409,
        _STATE_TITLE,
        "la solicitud está en %(state)s; su vigencia ya no se puede cambiar, pida otra",
    ),
    "nothing_to_restore": Wording(
        409, _STATE_TITLE, "la solicitud está en %(state)s; solo se restaura una que terminó"
    ),
    "not_restorable": Wording(
        409,
        "Ya no se puede restaurar",
        "el servidor FTP ya no tiene sus datos; pídala de nuevo con el mismo id",
    ),
    "nothing_to_retry": Wording(
        409, _STATE_TITLE, "la solicitud está en %(state)s y nada de ella ha fallado"
    ),
    "not_blockable": Wording(
        409,
        _STATE_TITLE,
        "la solicitud está en %(state)s; solo se bloquea o desbloquea la que está en camino o entregada",
    ),
    "account_blocked": Wording(
        409,
        _STATE_TITLE,
        "la cuenta %(name)s está bloqueada entera; desbloquéela con alcance «cuenta»",
    ),
    "not_ready": Wording(
        409,
        _STATE_TITLE,
        "la solicitud está en %(state)s; solo la que está lista tiene cómo entrar",
    ),
    "credentials_not_ready": Wording(
        409,
        _STATE_TITLE,
        "la solicitud está en %(state)s; los datos de acceso se ven cuando está lista",
    ),
    "no_account_to_open": Wording(
        409, _STATE_TITLE, "la solicitud está en %(state)s; ya no hay cuenta que abrir para ella"
    ),
    "nothing_to_show": Wording(409, _STATE_TITLE, "la solicitud está en %(state)s; ya no hay qué mostrar"),
    "not_extensible": Wording(
        409, _STATE_TITLE, "la solicitud está en %(state)s; ya no se le pueden dar más días"
    ),
    "illegal_transition": Wording(
        409, _STATE_TITLE, "la solicitud %(id)s no puede pasar de %(origin)s a %(to)s"
    ),
    "extension_not_found": Wording(
        409, "Nadie pidió más días", "nadie espera más días para esta solicitud, o ya se decidió"
    ),
    "confirm_new_password": Wording(
        409,
        "Falta confirmar",
        "La contraseña anterior dejará de valer y se cerrarán las sesiones abiertas con ella. Confírmelo.",
    ),
    "confirm_new_password_of_others": Wording(
        409,
        "Falta confirmar",
        "La contraseña nueva abre también: %(opens)s. La contraseña anterior dejará de valer y se cerrarán las "
        "sesiones abiertas con ella. Confírmelo.",
    ),
    # Accounts, links, tokens, previews, hosts
    "account_not_found": Wording(404, "Cuenta no encontrada", "la cuenta FTP %(name)r no tiene solicitudes"),
    "account_host_gone": Wording(
        409,
        "El servidor FTP de la cuenta ya no está",
        "la cuenta %(name)s está en el servidor FTP %(ftp_host)s, que este servicio ya no atiende, y ahí siguen estas "
        "solicitudes: %(shares)s. Avise al operador: %(ftp_host)s debe volver a TEMPOFTP_FTP_HOSTS hasta que terminen; "
        "después, la próxima solicitud tendrá una cuenta en otro servidor",
    ),
    "account_not_ours": Wording(
        409,
        "La cuenta es de antes",
        "la cuenta %(name)s existía antes que tempoftp; su contraseña la cambia quien la administra",
    ),
    "link_not_found": Wording(
        404,
        "Enlace no válido",
        "Este enlace no es válido: venció, fue retirado o le falta una parte. Copie el enlace completo del último "
        "aviso, o pida otro a quien opera el servicio.",
    ),
    "token_not_found": Wording(404, "Token no encontrado", "No hay un token con ese nombre."),
    "preview_not_found": Wording(
        404,
        "Vista previa no encontrada",
        "no existe una vista previa con ese id, o ya pasó su día; pida otra",
    ),
    "too_many_previews": Wording(
        429,
        "Demasiadas vistas previas",
        "ya esperan %(count)s vistas previas suyas; espere a que terminen y pida otra",
    ),
    "host_not_found": Wording(
        404, "Servidor FTP no encontrado", "no hay un servidor FTP %(name)r; hay %(names)s"
    ),
}

HTTP_CODES: dict[int, str] = {
    400: "malformed_body",
    401: "credential_required",
    403: "forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "body_too_large",
    414: "url_too_long",
    415: "unsupported_media_type",
    421: "host_unknown",
    422: "unprocessable",
    429: "too_many_requests",
    431: "headers_too_large",
    503: "unavailable",
}
"""The code of an HTTP error that is raised without one, by its status. Another status below 500 is `refused`."""

FIELDS: dict[str, str] = {
    # The types of pydantic's errors, in the words of the person who has to correct the body.
    "missing": "falta este campo",
    "extra_forbidden": "campo desconocido",
    "string_type": "debe ser un texto",
    "string_unicode": "no es texto Unicode válido",
    "string_too_short": "demasiado corto: al menos %(min_length)s caracteres",
    "string_too_long": "demasiado largo: como mucho %(max_length)s caracteres",
    "string_pattern_mismatch": "no tiene la forma esperada",
    "int_type": "debe ser un número entero",
    "int_parsing": "debe ser un número entero",
    "int_from_float": "debe ser un número entero",
    "int_parsing_size": "número fuera de rango",
    "greater_than_equal": "debe ser al menos %(ge)s",
    "less_than_equal": "debe ser como mucho %(le)s",
    "enum": "debe ser uno de %(expected)s",
    "literal_error": "debe ser uno de %(expected)s",
    "model_type": "el cuerpo debe ser un objeto JSON",
    "model_attributes_type": "el cuerpo debe ser un objeto JSON",
    # Rules of single fields, which pydantic cannot word.
    "id_malformed": "1 a 64 letras sin acento, cifras, - y _; la primera, letra o cifra",
    "id_reserved": "es una palabra reservada; elija otro id",
    "email_malformed": "no es una dirección de correo válida (nombre@dominio)",
    "value_invalid": "valor no válido",
}
"""What is wrong with one field, by code."""


def list_texts() -> Iterator[str]:
    """Return every text of this file: what the portal's catalogue has to translate."""
    for wording in REFUSALS.values():
        yield from (wording.title, wording.detail)
    yield from FIELDS.values()
