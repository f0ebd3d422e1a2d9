"""The service itself: a sign of life, its health, its metrics, and the description of its API."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

from flask import Response, current_app, jsonify, redirect, request, send_from_directory, url_for
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from tempoftp.http.access import PUBLIC, Role, allow, find_principal
from tempoftp.http.context import get_context
from tempoftp.http.metrics import write_measures
from tempoftp.http.openapi import get_document
from tempoftp.http.problems import Problem, build_problem, document_refusals
from tempoftp.http.routes import hosts, system
from tempoftp.monitoring.health import read_health
from tempoftp.monitoring.measures import read_measures
from tempoftp.shares.quotas import list_near


class RootAnswer(BaseModel):
    """The process answers; whether the system works is `GET /health`."""

    status: Literal["active"]


@system.get(
    "/",
    summary="Señal de vida",
    responses={200: RootAnswer, 303: {"description": "To the portal, for who prefers HTML."}},
)
@allow(PUBLIC)
def get_root() -> Response:
    """Answer that the API is up, without looking at anything else; 303 to the portal when `Accept` prefers HTML."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        response = redirect(url_for("portal.get_start"), 303)
    else:
        response = jsonify({"status": "active"})
    response.headers["Vary"] = "Accept"
    return cast(Response, response)


UNTOLD = "Algo no funciona; con una credencial de operador se dice qué y dónde."
Word = Literal["ok", "error", "unknown"]


class Queue(BaseModel):
    """What waits for a worker."""

    pendientes: int
    edad_segundos: float


class NoticeQueue(BaseModel):
    """Mails and webhooks."""

    pendientes: int
    edad_segundos: float = Field(description="How long the oldest waits.")
    abandonados: int = Field(description="Given up in the last 24 h, after TEMPOFTP_NOTICE_RETRY_HOURS.")
    rechazados: int = Field(description="Mails whose recipient does not exist, in the last 24 h.")


class HostHealth(BaseModel):
    """One FTP host as the last run saw it."""

    space_total: int | None
    space_free: int | None
    inodes_free: int | None
    ftpd: Word
    database: Word
    visto: str | None = Field(description="When: ISO 8601, UTC.")
    problemas: list[str]
    pausado: bool = Field(description="No new run starts on it.")
    razon: str | None = Field(description="Why it is paused.")
    autor: str | None = Field(description="Who paused it.")
    desde: str | None = Field(description="Since when: ISO 8601, UTC.")
    corridas: int = Field(description="Runs that are under way.")


class QuotaPart(BaseModel):
    """How much there is, and how much there may be."""

    hay: int
    limite: int | None = Field(description="null: no limit.")


class QuotaUse(BaseModel):
    """What a person or a token has of its quotas."""

    de: Literal["persona", "token"]
    nombre: str = Field(description="E-mail of the person, or name of the token or mapped address.")
    porcentaje: float = Field(description="Of the quota that is nearest to its limit.")
    solicitudes: QuotaPart = Field(description="Shares that have not ended.")
    abiertas: QuotaPart = Field(description="Those that are on their way.")
    bytes: QuotaPart


class HealthAnswer(BaseModel):
    """The system's state; 503 with the same keys and `title`, `detail` when something is wrong."""

    status: Literal["ok", "degraded"]
    space_free_gb: float | None
    space_total_gb: float | None
    space_used_pct: float | None
    ftpd: Word
    database: Word = Field(description="MariaDB/MySQL of pure-ftpd.")
    cola: Queue
    avisos: NoticeQueue
    hosts: dict[str, HostHealth]
    cuotas: list[QuotaUse] = Field(
        description="Who uses at least 80 % of a quota, the nearest first; only operators see them."
    )
    problemas: list[str]
    advertencias: list[str] = Field(
        description="What works and should be changed all the same; it does not change `status`."
    )
    simulacro: bool


@system.get("/health", summary="Estado del sistema", responses={200: HealthAnswer, **document_refusals(503)})
@allow(PUBLIC)
def get_health() -> Response:
    """Answer 200 when everything works, else 503. What does not, and where, is for those who act for everybody.

    It names hosts and other people's accounts.
    """
    context = get_context()
    with context.database.read() as session:
        health: dict[str, Any] = read_health(
            session, context.settings, unreadable=context.key_check.read(session)
        )
        principal = find_principal()
        is_operator = principal is not None and principal.role is Role.OPERADOR
        health["cuotas"] = list_near(session, context.settings) if is_operator else []
    if principal is None or principal.emails is not None:
        health |= {"hosts": {}, "problemas": [UNTOLD] if health["problemas"] else [], "advertencias": []}
    if health["status"] == "ok":
        response: Response = jsonify(health)
        return response
    return build_problem(Problem("unhealthy", {"problems": "; ".join(health["problemas"])}, members=health))


@hosts.get(
    "/metrics",
    summary="Medidas para Prometheus",
    responses={
        200: {
            "description": "Prometheus' text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **document_refusals(403, 503),
    },
)
@allow(Role.OPERADOR)
def get_metrics() -> Response:
    """Answer the present numbers: shares, ages, bytes, runs, failures, space, requests. Nobody's data are in them."""
    context = get_context()
    with context.database.read() as session:
        measures = read_measures(session, context.settings)
    return Response(
        write_measures(measures) + context.requests.write(), content_type=CONTENT_TYPE_PLAIN_0_0_4
    )


@system.get(
    "/openapi.json",
    summary="Descripción OpenAPI",
    responses={
        200: {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
@allow(PUBLIC)
def get_openapi() -> dict[str, Any]:
    """Answer the OpenAPI 3.1 document of the routes that this service has."""
    return get_document(current_app)


DOCS_ROUTE = "/docs"
_SWAGGER = Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"
_FILES = {
    "swagger-ui.css": ("css/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("js/swagger-ui-bundle.js", "text/javascript"),
}
_START = "start.js"
_PAGE = """<!DOCTYPE html>
<html lang="es">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tempoftp: API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<noscript><p>Esta página necesita JavaScript; la misma descripción está en <a href="openapi.json">openapi.json</a>.</p>
</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_SCRIPT = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", deepLinking: true, validatorUrl: null});\n'
# Only files of this service: no CDN, no validator of others, no inline script. Swagger UI sets inline styles.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class DocsPath(BaseModel):
    """A file of the page."""

    archivo: str = Field(description="`swagger-ui.css`, `swagger-ui-bundle.js` or `start.js`.")


@system.get(
    DOCS_ROUTE,
    summary="Descripción de la API para personas",
    responses={
        200: {"description": "Swagger UI", "content": {"text/html": {"schema": {"type": "string"}}}},
    },
)
@allow(PUBLIC)
def get_docs() -> Response:
    """Answer a page that shows `GET /openapi.json` and lets one try it out with a token."""
    response = Response(_PAGE, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@system.get(
    f"{DOCS_ROUTE}/<archivo>",
    summary="Archivos de esa página",
    responses={
        200: {
            "description": "A style sheet or a script",
            "content": {
                "text/css": {"schema": {"type": "string"}},
                "text/javascript": {"schema": {"type": "string"}},
            },
        },
        **document_refusals(404),
    },
)
@allow(PUBLIC)
def get_docs_file(path: DocsPath) -> Response:
    """Answer a file of the page."""
    if path.archivo == _START:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")
    if path.archivo not in _FILES:
        raise NotFound
    name, kind = _FILES[path.archivo]
    return send_from_directory(_SWAGGER, name, mimetype=kind)
