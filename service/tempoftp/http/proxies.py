"""What proxies in front of the API say and change: the caller's address, and a path below which the service is reached.

`X-Forwarded-For` is read only with TEMPOFTP_TRUSTED_PROXIES, and only its last entries. No other header of this kind is
read: not `Forwarded`, not `X-Forwarded-Prefix`, not `X-Forwarded-Host`. The path comes from TEMPOFTP_PUBLIC_URL.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

from flask import Flask, request

from tempoftp.settings import Settings

_HEADER = "HTTP_X_FORWARDED_FOR"
_UNREADABLE = "tempoftp.forwarded_unreadable"
_MISSING = "tempoftp.forwarded_missing"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_WITH_PORT = re.compile(rf"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)){_PORT}")
Environ = MutableMapping[str, Any]


def parse_forwarded(entry: str) -> str | None:
    """Return the address of one entry of `X-Forwarded-For`; None for any text that names none.

    Proxies write `192.0.2.1`, `192.0.2.1:51234`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`, and each of them
    between quotes.
    """
    text = entry.strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        if int(found["port"] or 0) > 65535:
            return None
        text = found["six"] or found["four"]
        if found["six"] and ":" not in text:
            return None  # brackets are for IPv6
    try:
        # A zone (`fe80::1%eth0`) is refused: it names an interface of the proxy, and Python takes any text for one.
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


class ProxyMiddleware:
    """Sets `REMOTE_ADDR`, `SCRIPT_NAME` and `PATH_INFO` of a request before the application sees it."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._proxies = settings.trusted_proxies
        self._prefix = settings.path_prefix

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Call the application with the corrected request."""
        if self._proxies:
            self._read_forwarded(environ)
        # Whatever the HTTP server may have taken from the request is replaced.
        environ["SCRIPT_NAME"] = self._prefix
        path = environ.get("PATH_INFO", "")
        if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
            environ["PATH_INFO"] = path[len(self._prefix) :] or "/"  # a proxy that leaves the path as it came
        found: Iterable[bytes] = self._app(environ, start_response)
        return found

    def _read_forwarded(self, environ: Environ) -> None:
        entries = [entry for entry in environ.get(_HEADER, "").split(",") if entry.strip()]
        if len(entries) < self._proxies:
            environ[_MISSING] = True  # REMOTE_ADDR is a proxy, or a caller that went around it
            return
        entry = entries[-self._proxies]
        address = parse_forwarded(entry)
        environ["REMOTE_ADDR"] = address or ""
        if address is None:
            environ[_UNREADABLE] = hashlib.sha256(entry.encode()).hexdigest()[:16]


def is_address_known() -> bool:
    """Whether `request.remote_addr` is the caller's address: neither a proxy's nor one that could not be read."""
    return not request.environ.get(_MISSING) and not request.environ.get(_UNREADABLE)


def read_unreadable() -> str | None:
    """Return a digest of what a proxy wrote in place of the caller's address; None when it wrote an address."""
    found: str | None = request.environ.get(_UNREADABLE)
    return found


def init_proxies(app: Flask, settings: Settings) -> None:
    """Make `app` see requests as they were before the proxies."""
    app.wsgi_app = ProxyMiddleware(app.wsgi_app, settings)  # type: ignore[method-assign]
