"""Every refusal of the API as `application/problem+json` (RFC 9457): `title`, `detail`, sometimes `errores`.

The integer member `status` of the RFC is left out on purpose: clients of this API read a share's state in `status`.
Texts are Spanish, as the people who read them. Nothing here repeats what the client sent, nor an exception's text.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Flask, Response
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from tempoftp.http.request_id import get_request_id
from tempoftp.refusals import (
    AccountNotFound,
    AccountNotOurs,
    ConfirmationNeeded,
    ExtensionNotFound,
    HostNotFound,
    IdInUse,
    IllegalTransition,
    InvalidRequest,
    InvalidSource,
    LifetimeInPast,
    LinkNotFound,
    PreviewNotFound,
    ShareNotFound,
    ShareRefused,
    SourceNotAllowed,
    TooManyPreviews,
)
from tempoftp.settings import SettingsError

PROBLEM_JSON = "application/problem+json"
DATABASE_RETRY_SECONDS = 5
BUSY_RETRY_SECONDS = 5

logger = logging.getLogger(__name__)

_HTTP_TEXTS: dict[int, tuple[str, str]] = {
    400: ("Petición mal formada", "El cuerpo no es JSON válido. Envíe un objeto JSON en UTF-8."),
    401: (
        "Credencial requerida",
        "Envíe la cabecera Authorization: Bearer con la credencial que le dio el operador.",
    ),
    403: ("No permitido", "El servicio no permite esta petición."),
    404: ("No encontrado", "No existe ese recurso. Las rutas de la API están en /openapi.json."),
    405: ("Método no permitido", "Esta ruta no admite ese método; la cabecera Allow dice cuáles admite."),
    408: ("Tiempo agotado", "La petición no llegó completa a tiempo. Envíela de nuevo."),
    409: ("En conflicto", "El estado actual no permite esta petición."),
    413: ("Cuerpo demasiado grande", "El cuerpo de la petición supera el tamaño que acepta el servicio."),
    414: ("Dirección demasiado larga", "La dirección (URL) de la petición es demasiado larga."),
    415: ("Tipo de contenido no admitido", "Envíe el cuerpo con la cabecera Content-Type: application/json."),
    422: ("Datos no válidos", "El servicio no acepta estos datos."),
    429: (
        "Demasiadas peticiones",
        "Espere los segundos que dice la cabecera Retry-After y repita la petición.",
    ),
    431: ("Cabeceras demasiado grandes", "Las cabeceras de la petición superan lo que acepta el servicio."),
    503: ("No disponible", "El servicio no puede atender la petición ahora."),
}
_OTHER_REFUSAL = ("Petición rechazada", "El servicio no pudo aceptar la petición.")

# pydantic's error types, in the words of the person who has to correct the body.
_FIELD_TEXTS: dict[str, str] = {
    "missing": "falta este campo",
    "extra_forbidden": "campo desconocido",
    "string_type": "debe ser un texto",
    "string_unicode": "no es texto Unicode válido",
    "string_too_short": "demasiado corto: al menos {min_length} caracteres",
    "string_too_long": "demasiado largo: como mucho {max_length} caracteres",
    "string_pattern_mismatch": "no tiene la forma esperada",
    "int_type": "debe ser un número entero",
    "int_parsing": "debe ser un número entero",
    "int_from_float": "debe ser un número entero",
    "int_parsing_size": "número fuera de rango",
    "greater_than_equal": "debe ser al menos {ge}",
    "less_than_equal": "debe ser como mucho {le}",
    "enum": "debe ser uno de {expected}",
    "literal_error": "debe ser uno de {expected}",
    "model_type": "el cuerpo debe ser un objeto JSON",
    "model_attributes_type": "el cuerpo debe ser un objeto JSON",
}


# Rules of single fields that pydantic cannot word.
_RULES: dict[tuple[str, str], str] = {
    ("id", "string_pattern_mismatch"): "1 a 64 letras sin acento, cifras, - y _; la primera, letra o cifra",
    ("id", "value_error"): "es una palabra reservada; elija otro id",
    ("usuario", "value_error"): "no es una dirección de correo válida (nombre@dominio)",
}

_NOT_FOUND = ("Solicitud no encontrada", "No existe una solicitud con ese id, o ya fue eliminada.")
_NO_DATABASE = (
    "Base de datos no disponible",
    "La base de datos del servicio no responde. Repita la petición en unos segundos.",
)
_MISCONFIGURED = "Servicio mal configurado"
_INTERNAL = "Error interno"
_FIXED_TEXTS = (
    *_NOT_FOUND,
    *_NO_DATABASE,
    _MISCONFIGURED,
    _INTERNAL,
    "valor no válido",
    "Petición rechazada",
)

# The domain's refusals: the first class that fits. Its `detail` says what was wrong and what to do.
_SHARE_REFUSALS: tuple[tuple[type[ShareRefused], tuple[int, str]], ...] = (
    (InvalidSource, (422, "Ruta no válida")),
    (InvalidRequest, (422, "Datos no válidos")),
    (SourceNotAllowed, (403, "Origen no permitido")),
    (IdInUse, (409, "Id en uso")),
    (LifetimeInPast, (409, "El fin quedaría en el pasado")),
    (AccountNotOurs, (409, "La cuenta es de antes")),
    (AccountNotFound, (404, "Cuenta no encontrada")),
    (LinkNotFound, (404, "Enlace no válido")),
    (ConfirmationNeeded, (409, "Falta confirmar")),
    (ExtensionNotFound, (409, "Nadie pidió más días")),
    (PreviewNotFound, (404, "Vista previa no encontrada")),
    (TooManyPreviews, (429, "Demasiadas vistas previas")),
    (HostNotFound, (404, "Servidor FTP no encontrado")),
    (IllegalTransition, (409, "El estado no lo permite")),
)


class FieldError(BaseModel):
    """One thing that is wrong with what was sent."""

    campo: str
    mensaje: str


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457), without the integer `status`: that name is a share's state."""

    title: str
    detail: str = Field(description="What is wrong and what to do, in Spanish.")
    errores: list[FieldError] = Field(
        default_factory=list, description="Field by field, where fields are wrong."
    )


class Problem(Exception):  # noqa: N818 - the RFC's word
    """A refusal that an endpoint raises; answered as problem details with this HTTP status."""

    def __init__(
        self,
        http_status: int,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(title)
        self.http_status = http_status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def build_problem(problem: Problem) -> Response:
    """Translate a `Problem` into its answer."""
    body = {"title": problem.title, "detail": problem.detail, **problem.members}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n"
    response = Response(text, status=problem.http_status, content_type=PROBLEM_JSON)
    response.headers.update(problem.headers)
    return response


def build_not_found() -> Problem:
    """The answer for a share that is unknown or already deleted: the two are not told apart."""
    return Problem(404, *_NOT_FOUND)


def describe_field_errors(error: ValidationError) -> list[dict[str, str]]:
    """One `{campo, mensaje}` for each thing wrong, without the values the client sent."""
    described = []
    for item in error.errors(include_url=False, include_input=False):
        field = ".".join(str(part) for part in item["loc"]) or "cuerpo"
        described.append({"campo": _clip_field(field), "mensaje": _describe_error(item)})
    return described


def _describe_error(item: Mapping[str, object]) -> str:
    context = item.get("ctx")
    values = dict(context) if isinstance(context, Mapping) else {}
    place = item["loc"]
    field = str(place[0]) if isinstance(place, tuple) and place else ""
    if (field, item["type"]) in _RULES:
        return _RULES[field, str(item["type"])]
    text = _FIELD_TEXTS.get(str(item["type"]), "valor no válido")
    if "expected" in values:
        values["expected"] = str(values["expected"]).replace(" or ", " o ")
    return text.format_map(values)


def _clip_field(name: str) -> str:
    """An unknown key is the client's own text: kept short, and free of control characters and surrogates."""
    readable = "".join(character if character.isprintable() else "?" for character in name)
    return readable if len(readable) <= 64 else readable[:63] + "…"


def build_validation_problem(error: ValidationError) -> Response:
    """422 that names every wrong field at once, so that one correction is enough."""
    errors = describe_field_errors(error)
    detail = "; ".join(f"{entry['campo']}: {entry['mensaje']}" for entry in errors[:10])
    return build_problem(Problem(422, "Datos no válidos", detail, members={"errores": errors[:50]}))


def _answer_http_exception(error: HTTPException) -> WerkzeugResponse:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()
    title, detail = _HTTP_TEXTS.get(error.code, _OTHER_REFUSAL)
    if error.code >= 500:
        title, detail = _describe_failure()
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = _join_methods(error.valid_methods)
    return build_problem(Problem(error.code, title, detail, headers=headers))


def _join_methods(methods: Iterable[str]) -> str:
    return ", ".join(sorted(methods))


def _describe_failure() -> tuple[str, str]:
    return (
        _INTERNAL,
        "El servicio falló al atender la petición. El detalle está en su bitácora con el identificador "
        f"{get_request_id()}.",
    )


def _answer_share_refused(error: ShareRefused) -> Response:
    if isinstance(error, ShareNotFound):
        return build_problem(build_not_found())
    http_status, title = next(
        (answer for kind, answer in _SHARE_REFUSALS if isinstance(error, kind)), (409, "Petición rechazada")
    )
    members: dict[str, object] = {}
    if isinstance(error, InvalidRequest):
        members["errores"] = [{"campo": error.field, "mensaje": error.detail}]
    if isinstance(error, ConfirmationNeeded):
        members["abre"] = error.opens
    headers = {"Retry-After": str(BUSY_RETRY_SECONDS)} if http_status == 429 else {}
    return build_problem(Problem(http_status, title, error.detail, headers=headers, members=members))


def _answer_settings_error(error: SettingsError) -> Response:
    logger.error("a setting of the service is wrong: %s", error)
    return build_problem(
        Problem(
            503,
            _MISCONFIGURED,
            "Falta una configuración del servicio o es errónea; avise al operador. El detalle está en la bitácora "
            f"con el identificador {get_request_id()}.",
        )
    )


def _answer_database_error(error: Exception) -> Response:
    _hide_values(error)
    logger.error("the service's database did not answer: %s", type(error).__name__, exc_info=error)
    return build_problem(
        Problem(
            503,
            *_NO_DATABASE,
            headers={"Retry-After": str(DATABASE_RETRY_SECONDS)},
        )
    )


def _hide_values(error: Exception) -> None:
    # A statement's values are tokens, hashes and e-mails: not for the journal.
    if isinstance(error, StatementError):
        error.hide_parameters = True


def _answer_failure(error: Exception) -> Response:
    _hide_values(error)
    logger.error("unhandled %s", type(error).__name__, exc_info=error)
    title, detail = _describe_failure()
    return build_problem(Problem(500, title, detail))


def init_problems(app: Flask) -> None:
    """Make every error of `app`, expected or not, a problem answer."""
    app.register_error_handler(Problem, build_problem)
    app.register_error_handler(ShareRefused, _answer_share_refused)
    app.register_error_handler(SettingsError, _answer_settings_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(OperationalError, _answer_database_error)
    app.register_error_handler(PoolTimeoutError, _answer_database_error)
    app.register_error_handler(Exception, _answer_failure)


def document_limits() -> dict[str | int, Any]:
    """The OpenAPI descriptions of what the HTTP server refuses by itself, before the API sees it: as HTML."""
    return {
        http_status: {
            "description": f"{_HTTP_TEXTS[http_status][0]}. Answered before the API sees the request.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        }
        for http_status in (414, 431)
    }


def list_texts() -> list[str]:
    """Return every text of these refusals, values as `%(name)s`: the portal says them in other languages too."""
    pairs = (*_HTTP_TEXTS.values(), _OTHER_REFUSAL, *(text for _kind, text in _SHARE_REFUSALS))
    texts = [text for pair in pairs for text in pair if isinstance(text, str)]
    fields = [re.sub(r"\{(\w+)\}", r"%(\1)s", text) for text in _FIELD_TEXTS.values()]
    return [*dict.fromkeys((*texts, *fields, *_RULES.values(), *_FIXED_TEXTS))]


def document_refusals(*http_statuses: int) -> dict[str | int, Any]:
    """The OpenAPI descriptions of an endpoint's refusals."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        http_status: {
            "description": _HTTP_TEXTS.get(http_status, _OTHER_REFUSAL)[0],
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        for http_status in http_statuses
    }
