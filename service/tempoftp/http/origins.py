"""From which page of which site a browser sends a request.

A caller that is known by its address lends its role to every page that is open in a browser there. A page of another
site can send requests (cross-site forgery), and a page whose name was pointed at this service can read the answers too
(DNS rebinding). A bearer token is never sent by a browser on its own, so callers with a token are not checked.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from urllib.parse import urlsplit

from flask import request

from tempoftp.http.problems import Problem
from tempoftp.settings import Settings
from tempoftp.settings.addresses import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = (None, "same-origin", "none")
"""Values of `Sec-Fetch-Site`: an old browser or a program; a page of ours; the address bar."""


def is_host_ours(settings: Settings) -> bool:
    """Whether `Host` (and `X-Forwarded-Host`, if a proxy adds it) names this service. A program may send none."""
    named = [request.headers.get("Host", ""), *request.headers.get("X-Forwarded-Host", "").split(",")]
    return all(_is_ours(settings, host.strip()) for host in named if host.strip())


def _is_ours(settings: Settings, host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    # SERVER_NAME is the address at which the connection arrived, not what the client says.
    return is_loopback(name) or name in _list_names(settings) or name == request.environ.get("SERVER_NAME")


@lru_cache(maxsize=16)
def _list_names(settings: Settings) -> frozenset[str]:
    public = urlsplit(settings.public_url or "").hostname or ""
    names = (public, settings.bind, socket.gethostname(), *settings.host_names)
    return frozenset(name.lower() for name in names if name)


def refuse_other_sites(settings: Settings, *, by_address: bool) -> None:
    """Refuse (403) a change that a page of another site asks for.

    `by_address`: nothing but the caller's address gives it its role. Other callers bring a form's token or a link. They
    are also believed when the browser says that the page is ours (a proxy may have changed `Host`), and when it sends
    `Origin: null`, as it does from pages that send no referrer (those of a link).
    """
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in _OWN_PAGES:
        raise Problem("foreign_origin")
    if origin is None or _is_own_origin(settings, origin):
        return
    if by_address or (origin != "null" and site is None):
        raise Problem("foreign_origin")


def _is_own_origin(settings: Settings, origin: str) -> bool:
    try:
        parts, public = urlsplit(origin), urlsplit(settings.public_url or "")
        port, public_port = parts.port, public.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if (parts.scheme, parts.hostname, port) == (public.scheme, public.hostname, public_port):
        return True
    return parts.netloc.lower() == request.headers.get("Host", "").lower()
