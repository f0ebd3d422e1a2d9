"""The blueprint that the pages put their routes on, and the portal's static files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Response, redirect, send_from_directory, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from tempoftp.http.access import PUBLIC, allow, find_principal
from tempoftp.http.routes import LINK_ROUTE

PORTAL = "portal"
PREFIX = "/portal"
STATIC = Path(__file__).parent / "static"
STATIC_SECONDS = 86400

portal = Blueprint(PORTAL, __name__, url_prefix=PREFIX, template_folder="templates")
SHARE = "/solicitudes/<id>"
LINK = LINK_ROUTE


@portal.get("/")
@allow(PUBLIC)
def get_start() -> WerkzeugResponse:
    """Redirect to the list of shares, or to the sign-in."""
    return redirect(url_for("portal.list_page" if find_principal() else "portal.sign_in_page"), 303)


@portal.get("/static/<name>")
@allow(PUBLIC)
def get_static(name: str) -> Response:
    """Answer a file of the portal."""
    return send_from_directory(STATIC, name, max_age=STATIC_SECONDS)


@lru_cache
def _digest_static(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of a static file; it changes with the content, so that browsers may cache it."""
    return url_for("portal.get_static", name=name, v=_digest_static(name))
