"""The application factory."""

from __future__ import annotations

from importlib.metadata import version

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.models.license import License
from flask_openapi3.openapi import OpenAPI

from tempoftp.accounts.keys import KeyCheck
from tempoftp.db.engine import open_database
from tempoftp.http import (  # noqa: F401 - each puts its routes on a blueprint
    accounts,
    audits,
    credentials,
    events,
    extensions,
    hosts,
    links,
    openapi,
    previews,
    routes,
    share_changes,
    shares,
    system,
)
from tempoftp.http.access import init_access, init_identity
from tempoftp.http.body import init_body_limit
from tempoftp.http.context import ApiContext, init_context
from tempoftp.http.measuring import init_measuring
from tempoftp.http.problems import build_validation_problem, init_problems
from tempoftp.http.rate_limits import init_rate_limits
from tempoftp.http.request_id import init_request_id
from tempoftp.portal.routes import PORTAL
from tempoftp.portal.sessions import find_by_session
from tempoftp.portal.start import init_portal
from tempoftp.settings import Settings

HSTS_SECONDS = 365 * 86400
BLUEPRINTS = (routes.system, routes.hosts, routes.shares, routes.links)


class ReadableJson(DefaultJSONProvider):
    """JSON in UTF-8, keys in the order the contract lists them."""

    ensure_ascii = False
    sort_keys = False


def create_app(settings: Settings) -> Flask:
    """Build the API and the portal for these settings. Call it after a fork: it opens the database.

    The database's schema must have been brought up to date before (`tempoftp db upgrade`).
    """
    app = OpenAPI(
        "tempoftp",
        info=Info(
            title="tempoftp",
            version=version("tempoftp"),
            description="Temporary FTP accounts with a copy of just the data somebody asked for. Texts and names of "
            "fields are Spanish. `docs/api.md` says the same at length.",
            license=License(name="GPL-3.0-or-later", identifier="GPL-3.0-or-later"),
        ),
        doc_ui=False,
        security_schemes={
            routes.SECURITY_SCHEME: {
                "type": "http",
                "scheme": "bearer",
                "description": "A token that the operator made (`tempoftp token create`). A host whose address is "
                "mapped (`TEMPOFTP_ADDRESS_ROLES`) needs none.",
            }
        },
        validation_error_callback=build_validation_problem,
        static_folder=None,
    )
    app.json = ReadableJson(app)
    # A redirect to a tidier path would answer a share's id with something that is not one.
    app.url_map.merge_slashes = False
    init_context(app, ApiContext(settings, open_database(settings), KeyCheck(settings.build_fernet())))
    init_measuring(app)
    init_request_id(app)
    init_problems(app)
    init_identity(app, settings, {PORTAL: find_by_session})
    init_rate_limits(app, settings)
    init_access(app)
    init_body_limit(app, settings.max_body_bytes)
    app.after_request(_protect)
    if settings.tls_certificate is not None:
        app.after_request(_require_tls)
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    init_portal(app, settings)
    return app


def _require_tls(response: Response) -> Response:
    # A browser then sends nothing in clear to this host, not even the first request to an address that was typed.
    response.headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"
    return response


def _protect(response: Response) -> Response:
    # Answers carry credentials and states that change by the second.
    response.headers.setdefault("Cache-Control", "no-store")
    # A log or a message with somebody else's words in it is no page and no script, whatever it looks like.
    response.headers["X-Content-Type-Options"] = "nosniff"
    # What is asked for may be named by a link or hold somebody's id.
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
