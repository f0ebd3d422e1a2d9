"""`/portal/tokens`: for operators: the tokens there are and were, and revoking one."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from tempoftp.access.identities import is_identity
from tempoftp.access.tokens import describe_state, list_tokens, revoke_token
from tempoftp.db.clock import database_now
from tempoftp.db.models import Token
from tempoftp.http.access import Role, allow, get_author
from tempoftp.http.context import get_context
from tempoftp.http.problems import Problem
from tempoftp.portal.routes import portal


@portal.get("/tokens")
@allow(Role.OPERADOR)
def tokens_page() -> str:
    """Show every token; nothing can show its text."""
    with get_context().database.read() as session:
        now = database_now(session)
        tokens = [(token, describe_state(token, now)) for token in list_tokens(session)]
    has_people = any(is_identity(token.name) for token, _state in tokens)
    return render_template("portal/tokens.html", tokens=tokens, has_people=has_people)


@portal.get("/tokens/<name>/revocar")
@allow(Role.OPERADOR)
def ask_revocation(name: str) -> str:
    """Ask whether to revoke a token."""
    with get_context().database.read() as session:
        token = session.get(Token, name)
    if token is None:
        raise Problem(404, gettext("Token no encontrado"), gettext("No hay un token con ese nombre."))
    return render_template(
        "portal/ask_revocation.html", token=token, own=name == get_author(), is_person=is_identity(name)
    )


@portal.post("/tokens/<name>/revocar")
@allow(Role.OPERADOR)
def revoke(name: str) -> Response:
    """End a token, and with it every session of its holder."""
    with get_context().write() as session:
        revoke_token(session, name)
    flash(gettext("El token %(name)s ya no abre nada.", name=name))
    return redirect(url_for("portal.tokens_page"), 303)
