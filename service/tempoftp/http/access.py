"""Access control: every route declares with `allow` who may call it. A route without `allow` answers only errors.

A caller is identified by a bearer token or, without one, by its address (TEMPOFTP_ADDRESS_ROLES). `Principal.emails`
says whose shares the caller may see and change; the endpoints pass it to the functions of `tempoftp.shares`.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar, cast

from flask import Flask, Response, after_this_request, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tempoftp.access.tokens import (
    Principal,
    Role,
    build_principal,
    find_token,
    is_use_to_be_noted,
    note_use,
)
from tempoftp.db.clock import database_now
from tempoftp.db.models import Token
from tempoftp.http.context import ApiContext, get_context
from tempoftp.http.origins import is_host_ours, refuse_other_sites
from tempoftp.http.problems import Problem
from tempoftp.http.proxies import init_proxies, is_address_known
from tempoftp.settings import AddressRole, Settings

__all__ = [
    "PUBLIC",
    "Principal",
    "Role",
    "allow",
    "get_principal",
    "init_access",
    "read_allowed",
]

PUBLIC = None
"""`allow(PUBLIC)`: no credential is needed."""

_ATTRIBUTE = "tempoftp_allowed"
_REALM = 'Bearer realm="tempoftp"'
_noting = threading.Lock()
View = TypeVar("View", bound=Callable[..., Any])

logger = logging.getLogger(__name__)


def allow(role: Role | None) -> Callable[[View], View]:
    """Declare who may call a view: this role and those above it, or `PUBLIC`. Put it below the route's decorator."""

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, role)
        return view

    return mark


def read_allowed(view: Callable[..., Any]) -> Role | None:
    """Return the role that the view's `allow` declares. Raises LookupError for a view without `allow`."""
    if not hasattr(view, _ATTRIBUTE):
        raise LookupError(f"{view.__name__} does not say who may call it: put `allow` on it")
    return cast("Role | None", getattr(view, _ATTRIBUTE))


def get_principal() -> Principal:
    """Return who makes the present request. Raises LookupError for an unknown caller, which a public route can have."""
    principal = find_principal()
    if principal is None:
        raise LookupError("the caller of this request is unknown; the route is public")
    return principal


def find_principal() -> Principal | None:
    """Return who makes the present request; None for an unknown caller, which only a public route can have."""
    return cast("Principal | None", g.get("principal"))


def require_email(email: str) -> None:
    """Refuse (403) a request for an e-mail that the caller may not act for."""
    if not get_principal().may_act_for(email):
        raise Problem("email_not_allowed")


def find_by_address(settings: Settings, address: str | None) -> Principal | None:
    """Return the caller that the settings map this address to; the narrowest matching network decides."""
    try:
        caller = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(caller, ipaddress.IPv6Address):
        caller = caller.ipv4_mapped or caller
    entry = _find_narrowest(settings.address_roles, caller)
    return None if entry is None else Principal(f"address {caller}", Role(entry.role), None)


@lru_cache(maxsize=1024)
def _find_narrowest(
    entries: tuple[AddressRole, ...], caller: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> AddressRole | None:
    fitting = [entry for entry in entries if caller in entry.network]
    return max(fitting, key=lambda entry: entry.network.prefixlen, default=None)


Identify = Callable[[ApiContext], Principal | None]


def _identify(by_blueprint: Mapping[str, Identify]) -> None:
    """Set `g.principal`, and `g.authority`: what gives the caller its role.

    A wrong token gives no principal, even from a mapped address. An address gives none to a request that was sent to a
    name which is not ours.
    """
    context = get_context()
    settings = context.settings
    g.principal, g.authority, g.is_host_foreign = None, "none", False
    if settings.auth == "none":
        _take_address(settings, Principal(f"api {request.remote_addr or 'local'}", Role.OPERADOR, None))
    elif (identify := by_blueprint.get(request.blueprint or "")) is not None:
        g.principal = identify(context)
    elif "Authorization" in request.headers:
        g.principal, g.authority = _find_by_token(context), "token"
    elif is_address_known():
        _take_address(settings, find_by_address(settings, request.remote_addr))


def _take_address(settings: Settings, principal: Principal | None) -> None:
    if principal is None:
        return
    g.authority = "address"
    g.is_host_foreign = not is_host_ours(settings)
    g.principal = None if g.is_host_foreign else principal


def _find_by_token(context: ApiContext) -> Principal | None:
    credentials = request.authorization
    if credentials is None or credentials.type != "bearer" or not credentials.token:
        return None
    with context.database.read() as session:
        token = find_token(session, credentials.token)
        return None if token is None else welcome_holder(context, session, token)


def welcome_holder(context: ApiContext, session: Session, token: Token) -> Principal:
    """Return the principal of a valid token; the use of the token is recorded after the request is answered."""
    if is_use_to_be_noted(token, database_now(session)):
        _note_use_later(context, token.name)
    return build_principal(token)


def _note_use_later(context: ApiContext, name: str) -> None:
    @after_this_request
    def note_when_answered(response: Response) -> Response:
        # In a thread of its own: a locked database then delays neither this answer nor the connection's next request.
        note = threading.Thread(target=_note_use, args=(context, name), daemon=True)
        response.call_on_close(note.start)
        return response


def _note_use(context: ApiContext, name: str) -> None:
    if not _noting.acquire(blocking=False):
        return  # one such thread at a time is enough
    try:
        with context.database.write() as session:  # not `context.write`: no request has to queue for it
            note_use(session, name)
    except SQLAlchemyError as error:
        logger.warning("the use of token %s was not noted: %s", name, type(error).__name__)
    finally:
        _noting.release()


def _refuse_strangers() -> None:
    """Refuse an unknown caller (401), one whose role is too low (403), and a change from another site's page (403).

    Raises LookupError without an `allow`.
    """
    if request.endpoint is None:
        return  # 404 and 405 follow
    role = read_allowed(current_app.view_functions[request.endpoint])
    principal = find_principal()
    if role is not PUBLIC and principal is None:
        raise _build_unauthorized()
    if g.authority != "token":
        refuse_other_sites(get_context().settings, by_address=g.authority == "address")
    if role is not PUBLIC and principal is not None and not principal.role.includes(role):
        raise Problem("role_required", {"role": role})


def _build_unauthorized() -> Problem:
    if g.is_host_foreign:
        return Problem("host_unknown")
    if "Authorization" in request.headers:
        challenge = f'{_REALM}, error="invalid_token"'
        return Problem("credential_invalid", headers={"WWW-Authenticate": challenge})
    return Problem("credential_missing", headers={"WWW-Authenticate": _REALM})


def init_identity(app: Flask, settings: Settings, by_blueprint: Mapping[str, Identify]) -> None:
    """Identify the caller of every request of `app`, before any other step.

    A blueprint in `by_blueprint` identifies its callers only by the function given there, not by token or address.
    """
    init_proxies(app, settings)
    app.before_request(partial(_identify, by_blueprint))


def init_access(app: Flask) -> None:
    """Refuse, on every route of `app`, what the caller may not do. Call it after `init_identity`."""
    app.before_request(_refuse_strangers)
