"""`GET /`: a sign of life that touches nothing; a browser is led to the portal."""

from __future__ import annotations

from typing import Literal, cast

from flask import Response, jsonify, redirect, request, url_for
from pydantic import BaseModel

from tempoftp.http.access import PUBLIC, allow
from tempoftp.http.routes import system


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
