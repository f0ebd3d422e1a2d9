"""`/portal/entrar`, `/portal/salir` and `/portal/idioma`: signing in with a token, signing out, the language."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.identities import is_identity
from tempoftp.http.access import PUBLIC, allow, find_principal
from tempoftp.http.context import get_context
from tempoftp.portal.languages import COOKIE, LANGUAGES
from tempoftp.portal.provider import is_configured
from tempoftp.portal.routes import PREFIX, portal
from tempoftp.portal.sessions import begin_session, is_behind_tls, leave_session

LANGUAGE_SECONDS = 365 * 86400
TOKEN_LENGTH = 200


@portal.get("/entrar")
@allow(PUBLIC)
def sign_in_page() -> Response | str:
    """Show the form; who is signed in has no need of it."""
    if find_principal() is not None:
        return redirect(choose_next(request.args.get("sigue")), 303)
    return render_sign_in(request.args.get("sigue", ""))


@portal.post("/entrar")
@allow(PUBLIC)
def sign_in() -> Response | tuple[str, int]:
    """Begin a session for who has a token. A wrong one counts for the address, as any call of a stranger."""
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
    """Return the page: what was wrong with the token, or why the provider did not let somebody in."""
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
    """End the session in this browser; who came through the provider is signed out everywhere."""
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
    """Keep the language that was chosen, and go back to the page."""
    response = redirect(choose_next(request.form.get("sigue")), 303)
    chosen = request.form.get("idioma", "")
    if chosen in LANGUAGES:
        secure = is_behind_tls(get_context().settings)
        response.set_cookie(
            COOKIE, chosen, LANGUAGE_SECONDS, path=PREFIX, secure=secure, httponly=True, samesite="Lax"
        )
    return response


def choose_next(wanted: object) -> str:
    """Return where to go on: a page of the portal and nothing else, whatever the request says."""
    if not isinstance(wanted, str):
        return url_for("portal.get_start")
    parts = wanted.partition("?")[0].split("/")
    is_ours = (
        wanted.startswith(f"{PREFIX}/")
        and wanted.isprintable()
        and "\\" not in wanted
        and "" not in parts[2:-1]
        and not {".", ".."} & set(parts)
    )
    return wanted if is_ours else url_for("portal.get_start")
