"""`GET /openapi.json`: the machine-readable description of this API."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app
from flask_openapi3.openapi import OpenAPI

from tempoftp.api.access import PUBLIC, allow
from tempoftp.api.routes import system


@system.get(
    "/openapi.json",
    summary="Descripción OpenAPI",
    responses={200: {"description": "OpenAPI 3.1", "content": {"application/json": {}}}},
)
@allow(PUBLIC)
def get_openapi() -> dict[str, Any]:
    """Answer the OpenAPI 3.1 document of the routes that this service has."""
    document: dict[str, Any] = cast(OpenAPI, current_app).api_doc
    return document
