"""`GET /docs`: the API's description for people, by Swagger UI; its files come from this service, from no other."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flask import Response, send_from_directory
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.problems import document_refusals
from tempoftp.http.routes import system

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
# Nothing but our own files: no CDN, no validator elsewhere, no script in the page. Swagger UI sets styles by itself.
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
