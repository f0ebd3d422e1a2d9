"""Sessions of the portal. The signed cookie has the name of a token and a mark (a short digest), never the token.

Each request looks the token up by its name. So a session ends at once when the token is revoked or expires, or when
another token has the same name (its mark differs). The cookie is valid for the portal's paths only, not for the API. A
person who signed in through the provider has a row among the tokens too (`tempoftp.access.identities`).
"""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta

from flask import Flask, session

from tempoftp.access.identities import end_identity_sessions, is_identity
from tempoftp.access.tokens import Principal, find_named_token, find_token
from tempoftp.db.models import Token
from tempoftp.http.access import welcome_holder
from tempoftp.http.context import ApiContext
from tempoftp.portal.routes import PREFIX
from tempoftp.settings import Settings

COOKIE = "tempoftp_portal"
_NAME, _MARK, _SINCE = "token", "marca", "desde"


def init_sessions(app: Flask, settings: Settings) -> None:
    """Configure the cookie. Its keys are derived from the secret keys: all processes agree, and rotation works."""
    first, *older = settings.derive_keys("portal session")
    app.secret_key = first
    app.config.update(
        SECRET_KEY_FALLBACKS=older,
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_PATH=settings.path_prefix + PREFIX,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax, not Strict: a link in a notice must open the page with the session. Every change is a POST.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_behind_tls(settings),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.portal_session_hours),
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def is_behind_tls(settings: Settings) -> bool:
    """Whether browsers reach the portal over TLS, by this service or by a proxy in front of it."""
    is_behind_proxy = settings.trusted_proxies > 0 or (settings.public_url or "").startswith("https:")
    return settings.tls_certificate is not None or (is_behind_proxy and not settings.plain_http)


def begin_session(context: ApiContext, secret: str) -> Principal | None:
    """Begin a session with this token and return its principal; None when the token is not valid."""
    end_session()
    with context.database.read() as database:
        token = find_token(database, secret)
        if token is None:
            return None
        _keep(token)
        return welcome_holder(context, database, token)


def begin_identity_session(token: Token) -> None:
    """Begin a session for a person whom the provider has identified, with the row that was just written."""
    end_session()
    _keep(token)


def _keep(token: Token) -> None:
    session.permanent = True
    session.update({_NAME: token.name, _MARK: _mark_token(token), _SINCE: int(time.time())})


def end_session() -> None:
    """Clear the session of this browser."""
    session.clear()


def leave_session(context: ApiContext, principal: Principal | None) -> None:
    """End the session in this browser; for a person who came through the provider, those in other browsers too.

    A token can be shared by several people, so the other sessions of a token go on.
    """
    end_session()
    if principal is not None and is_identity(principal.name):
        name = principal.name
        context.transact(lambda database: end_identity_sessions(database, name))


def find_by_session(context: ApiContext) -> Principal | None:
    """Return the principal of the present session, with the token as it is now; None without a valid session."""
    name, since = session.get(_NAME), session.get(_SINCE)
    if not isinstance(name, str) or not isinstance(since, int):
        return None
    # Writing the cookie again, as a message does, must not prolong the session.
    if time.time() - since > context.settings.portal_session_hours * 3600:
        return None
    if is_identity(name) and context.settings.oidc_issuer is None:
        return None  # the provider is no longer configured
    with context.database.read() as database:
        token = find_named_token(database, name)
        if token is None or session.get(_MARK) != _mark_token(token):
            return None
        return welcome_holder(context, database, token)


def _mark_token(token: Token) -> str:
    return hashlib.sha256(f"portal {token.digest}".encode()).hexdigest()[:16]
