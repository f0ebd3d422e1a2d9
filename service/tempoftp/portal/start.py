"""Adds the portal to the application: sessions, languages, filters, headers, and a page for every refusal."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, redirect, render_template, request, url_for
from flask_babel import Babel, get_locale, gettext
from flask_wtf.csrf import CSRFError, CSRFProtect, validate_csrf
from sqlalchemy.exc import SQLAlchemyError

from tempoftp.access.links import LINK_PATH
from tempoftp.access.tokens import Principal, Role
from tempoftp.http.access import find_principal
from tempoftp.http.context import get_context
from tempoftp.http.problems import Problem, ProblemResponse
from tempoftp.portal import (  # noqa: F401 - each puts its pages on the blueprint
    link_pages,
    operator_pages,
    request_page,
    share_changes,
    share_pages,
    sign_in_pages,
)
from tempoftp.portal.formats import init_formats
from tempoftp.portal.languages import LANGUAGES, TRANSLATIONS, choose_language
from tempoftp.portal.provider import init_provider
from tempoftp.portal.routes import PREFIX, portal, static_url
from tempoftp.portal.sessions import init_sessions
from tempoftp.settings import Settings
from tempoftp.shares.extensions import count_extensions

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    # The CSRF check over TLS needs the referrer of the portal's own pages.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LINK_PREFIX = f"{PREFIX}{LINK_PATH}/"
_SENT_BY_LINK_PAGES = "portal.choose_language"
"""The form for the language, which the pages of a link have too."""
_csrf = CSRFProtect()


def init_portal(app: Flask, settings: Settings) -> None:
    """Add the portal to `app`. Call it after `init_identity` and `init_access`."""
    init_sessions(app, settings)
    # The API accepts no cookie, so only the forms of the portal are checked.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    _csrf.init_app(app)
    Babel(
        app,
        default_locale=LANGUAGES[0],
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=choose_language,
    )
    init_formats(app)
    init_provider(app, settings)
    app.jinja_env.globals["static_url"] = static_url
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(portal)
    app.after_request(_show_refusal)


@portal.before_request
def _check_form() -> None:
    try:
        if not (request.path.startswith(LINK_PREFIX) or request.endpoint == _SENT_BY_LINK_PAGES):
            _csrf.protect()
        elif request.method == "POST":
            # Flask-WTF's whole check needs a referrer over TLS, and the pages of a link send none.
            validate_csrf(request.form.get("csrf_token"))
    except (CSRFError, ValueError) as error:
        raise Problem("form_expired") from error


@portal.context_processor
def _describe_caller() -> dict[str, Any]:
    principal = find_principal()
    return {
        "principal": principal,
        "is_operator": principal is not None and principal.role is Role.OPERADOR,
        "language": str(get_locale()),
        # The page to return to after a change of language; pages that only a form opens set another one.
        "here": _find_here(),
        "waiting_extensions": _count_waiting(principal),
    }


def _find_here() -> str:
    path = request.full_path.rstrip("?") if request.method == "GET" else request.path
    return request.script_root + path


def _count_waiting(principal: Principal | None) -> int:
    if principal is None or principal.role is not Role.OPERADOR:
        return 0
    try:
        with get_context().database.read() as session:
            return count_extensions(session)
    except SQLAlchemyError:
        return 0  # the page reports the database error, and is shown without the number


def _show_refusal(response: Response) -> Response:
    """Turn a problem document into a page, or 401 into a redirect to the sign-in; add the portal's headers."""
    if not (request.path == PREFIX or request.path.startswith(f"{PREFIX}/")):
        return response
    if isinstance(response, ProblemResponse):
        if response.status_code == 401:
            response = _lead_to_sign_in()
        else:
            _fill_page(response)
    response.headers.update(HEADERS)
    if request.path.startswith(LINK_PREFIX):
        response.headers["Referrer-Policy"] = "no-referrer"  # its address is a secret
    response.vary.update(("Cookie", "Accept-Language"))
    return response


def _lead_to_sign_in() -> Response:
    come_back = _find_here() if request.method == "GET" else None
    found: Any = redirect(url_for("portal.sign_in_page", sigue=come_back), 303)
    found.headers["Cache-Control"] = "no-store"
    return found  # type: ignore[no-any-return]


def _fill_page(response: ProblemResponse) -> None:
    # For a path without a page the blueprint's context processor has not run.
    page = render_template(
        "portal/refusal.html",
        refusal=response.problem.code,
        title=response.problem.word_title(gettext),
        detail=response.problem.word_detail(gettext),
        code=response.status_code,
        is_link=request.path.startswith(LINK_PREFIX),
        **_describe_caller(),
    )
    response.set_data(page)
    response.content_type = "text/html; charset=utf-8"
