"""`/portal/entrar/proveedor` and `/vuelta`: signing in through the OpenID Connect provider, when there is one."""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import abort, redirect, request, session
from werkzeug.wrappers import Response

from tempoftp.access.identities import Identity, IdentityRevoked, admit_identity
from tempoftp.http.access import PUBLIC, allow, find_principal
from tempoftp.http.context import get_context
from tempoftp.portal.provider import (
    RETURN_PATH,
    START_PATH,
    begin_sign_in,
    finish_sign_in,
    is_configured,
)
from tempoftp.portal.routes import portal
from tempoftp.portal.sessions import begin_identity_session
from tempoftp.portal.sign_in_failures import RETRY_SECONDS, STATUSES, Failure, SignInFailed, explain
from tempoftp.portal.sign_in_page import choose_next, render_sign_in

_NEXT = "sigue"
_NEXT_LENGTH = 500

logger = logging.getLogger(__name__)
Answer = Response | tuple[str, int, dict[str, str]]


@portal.get(START_PATH)
@allow(PUBLIC)
def start_at_provider() -> Answer:
    """Send the browser to the provider.

    By a link, not a form: the portal's policy lets no form lead elsewhere, also not by a redirect.
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
    """Begin a session for who comes back with what the provider says of them."""
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
        with context.write() as database:
            token = admit_identity(database, identity, lifetime)
    except IdentityRevoked:
        raise SignInFailed(Failure.REVOKED) from None
    begin_identity_session(token)
    logger.info("%s signed in through the provider as %s", token.name, token.role)


def _refuse(error: SignInFailed, wanted: str) -> Answer:
    logger.warning("nobody was signed in through the provider: %s", error)
    status = STATUSES[error.failure]
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    return render_sign_in(wanted, refusal=explain(error.failure)), status, headers
