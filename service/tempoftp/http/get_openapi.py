"""`GET /openapi.json`: the machine-readable description of this API."""

from __future__ import annotations

from typing import Any

from flask import current_app

from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.openapi_document import get_document
from tempoftp.http.routes import system


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
