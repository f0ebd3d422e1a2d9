"""Signing in, with a token or through the identity provider; signing out; choosing the language."""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.identities import Identity, IdentityRevoked, admit_identity, is_identity
from tempoftp.http.access import PUBLIC, allow, find_principal
from tempoftp.http.context import get_context
from tempoftp.portal.languages import COOKIE, LANGUAGES
from tempoftp.portal.provider import (
    RETURN_PATH,
    START_PATH,
    begin_sign_in,
    finish_sign_in,
    is_configured,
)
from tempoftp.portal.routes import PREFIX, portal
from tempoftp.portal.sessions import begin_identity_session, begin_session, is_behind_tls, leave_session
from tempoftp.portal.sign_in_failures import RETRY_SECONDS, STATUSES, Failure, SignInFailed, explain

LANGUAGE_SECONDS = 365 * 86400
TOKEN_LENGTH = 200


@portal.get("/entrar")
@allow(PUBLIC)
def sign_in_page() -> Response | str:
    """Show the form; redirect a caller who is signed in already."""
    if find_principal() is not None:
        return redirect(choose_next(request.args.get("sigue")), 303)
    return render_sign_in(request.args.get("sigue", ""))


@portal.post("/entrar")
@allow(PUBLIC)
def sign_in() -> Response | tuple[str, int]:
    """Begin a session with a token. A wrong token counts against the rate limit of the address."""
    sigue = request.form.get("sigue")
    if find_principal() is not None:
        return redirect(choose_next(sigue), 303)
    secret = request.form.get("token", "").strip()
    if len(secret) > TOKEN_LENGTH or begin_session(get_context(), secret) is None:
        error = (
            gettext("Ese token no es válido, venció o fue revocado. Pida otro al operador.")
            if secret
            else gettext("Escriba su token.")
        )
        return render_sign_in(sigue or "", error=error), 422
    return redirect(choose_next(sigue), 303)


def render_sign_in(sigue: str, *, error: str | None = None, refusal: str | None = None) -> str:
    """Return the page, with what was wrong with the token, or why the sign-in through the provider failed."""
    return render_template(
        "portal/sign_in.html",
        sigue=sigue,
        error=error,
        refusal=refusal,
        has_provider=is_configured(),
        provider_name=get_context().settings.oidc_name,
    )


@portal.post("/salir")
@allow(PUBLIC)
def sign_out() -> Response:
    """End the session in this browser; for a caller who came through the provider, in every browser."""
    principal = find_principal()
    leave_session(get_context(), principal)
    flash(
        gettext("La sesión terminó, también en otros navegadores.")
        if principal is not None and is_identity(principal.name)
        else gettext("La sesión terminó en este navegador.")
    )
    return redirect(url_for("portal.sign_in_page"), 303)


@portal.post("/idioma")
@allow(PUBLIC)
def choose_language() -> Response:
    """Store the chosen language in a cookie and redirect back to the page."""
    response = redirect(choose_next(request.form.get("sigue")), 303)
    chosen = request.form.get("idioma", "")
    if chosen in LANGUAGES:
        settings = get_context().settings
        response.set_cookie(
            COOKIE,
            chosen,
            LANGUAGE_SECONDS,
            path=settings.path_prefix + PREFIX,
            secure=is_behind_tls(settings),
            httponly=True,
            samesite="Lax",
        )
    return response


def choose_next(wanted: object) -> str:
    """Return `wanted` if it is a page of the portal, else the start page: a forged link cannot lead to another site."""
    if not isinstance(wanted, str):
        return url_for("portal.get_start")
    start = get_context().settings.path_prefix + PREFIX
    parts = wanted.removeprefix(start).partition("?")[0].split("/")
    is_ours = (
        wanted.startswith(f"{start}/")
        and wanted.isprintable()
        and "\\" not in wanted
        and "" not in parts[1:-1]
        and not {".", ".."} & set(parts)
    )
    return wanted if is_ours else url_for("portal.get_start")


_NEXT = "sigue"
_NEXT_LENGTH = 500

logger = logging.getLogger(__name__)
Answer = Response | tuple[str, int, dict[str, str]]


@portal.get(START_PATH)
@allow(PUBLIC)
def start_at_provider() -> Answer:
    """Send the browser to the provider.

    This is a GET, reached by a link: the portal's Content-Security-Policy lets no form lead to another site, not even
    by a redirect.
    """
    if not is_configured():
        abort(404)
    wanted = choose_next(request.args.get("sigue"))
    if find_principal() is not None:
        return redirect(wanted, 303)
    try:
        address = begin_sign_in()
    except SignInFailed as error:
        return _refuse(error, wanted)
    session[_NEXT] = wanted if len(wanted) <= _NEXT_LENGTH else None
    return redirect(address, 303)


@portal.get(RETURN_PATH)
@allow(PUBLIC)
def return_from_provider() -> Answer:
    """Begin a session for the person whom the provider has sent back."""
    if not is_configured():
        abort(404)
    wanted = choose_next(session.get(_NEXT))
    try:
        identity = finish_sign_in()
        _admit(identity)
    except SignInFailed as error:
        return _refuse(error, wanted)
    return redirect(wanted, 303)


def _admit(identity: Identity) -> None:
    context = get_context()
    lifetime = timedelta(hours=context.settings.portal_session_hours)
    try:
        token = context.transact(lambda database: admit_identity(database, identity, lifetime))
    except IdentityRevoked:
        raise SignInFailed(Failure.REVOKED) from None
    begin_identity_session(token)
    logger.info("%s signed in through the provider as %s", token.name, token.role)


def _refuse(error: SignInFailed, wanted: str) -> Answer:
    logger.warning("nobody was signed in through the provider: %s", error)
    status = STATUSES[error.failure]
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    return render_sign_in(wanted, refusal=explain(error.failure)), status, headers
