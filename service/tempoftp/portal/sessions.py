"""Who is signed in. The cookie holds the name of a token and a mark of it, signed; never the token.

Each request looks the token up by that name: one that was revoked or has expired ends its sessions at once, and so
does a database in which another token has the name. The cookie is valid for the portal's paths only: it opens nothing
of the API. Who signed in through the provider has a row among the tokens too (`tempoftp.access.identities`).
"""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
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
    """Set the cookie up; its key comes from the encryption keys, so that all API processes agree and rotation works."""
    first, *older = [
        _derive_key(key.strip()) for key in settings.encryption_key.get_secret_value().split(",")
    ]
    app.secret_key = first
    app.config.update(
        SECRET_KEY_FALLBACKS=older,
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_PATH=PREFIX,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax, not Strict: a link in a notice has to find the session of who follows it. Every change is a POST.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_behind_tls(settings),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.portal_session_hours),
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def is_behind_tls(settings: Settings) -> bool:
    """Whether browsers reach the portal over TLS: our own, or that of a proxy in front of us, declared or not."""
    is_behind_proxy = settings.trusted_proxies > 0 or (settings.public_url or "").startswith("https:")
    return settings.tls_certificate is not None or (is_behind_proxy and not settings.plain_http)


def _derive_key(key: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"tempoftp portal session").derive(key.encode())


def begin_session(context: ApiContext, secret: str) -> Principal | None:
    """Sign in who has this token; None, and nobody signed in, when it is not valid."""
    end_session()
    with context.database.read() as database:
        token = find_token(database, secret)
        if token is None:
            return None
        _keep(token)
        return welcome_holder(context, database, token)


def begin_identity_session(token: Token) -> None:
    """Sign in whom the provider vouches for, by the row that was just written."""
    end_session()
    _keep(token)


def _keep(token: Token) -> None:
    session.permanent = True
    session.update({_NAME: token.name, _MARK: _mark_token(token), _SINCE: int(time.time())})


def end_session() -> None:
    """Make this browser forget who is signed in."""
    session.clear()


def leave_session(context: ApiContext, principal: Principal | None) -> None:
    """End the session in this browser, and of a person whom the provider vouched for those elsewhere too.

    A token is its holder's, often several people's; a person who signs out means all there is.
    """
    end_session()
    if principal is not None and is_identity(principal.name):
        with context.write() as database:
            end_identity_sessions(database, principal.name)


def find_by_session(context: ApiContext) -> Principal | None:
    """Return who is signed in, by the token as it is now."""
    name, since = session.get(_NAME), session.get(_SINCE)
    if not isinstance(name, str) or not isinstance(since, int):
        return None
    # The cookie is written anew with each message to its holder; the session ends all the same.
    if time.time() - since > context.settings.portal_session_hours * 3600:
        return None
    if is_identity(name) and context.settings.oidc_issuer is None:
        return None  # nobody vouches for people any more
    with context.database.read() as database:
        token = find_named_token(database, name)
        if token is None or session.get(_MARK) != _mark_token(token):
            return None
        return welcome_holder(context, database, token)


def _mark_token(token: Token) -> str:
    return hashlib.sha256(f"portal {token.digest}".encode()).hexdigest()[:16]
