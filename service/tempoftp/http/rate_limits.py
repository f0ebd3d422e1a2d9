"""Rate limits: how many requests one caller may make in a period; further ones are answered 429 with `Retry-After`.

A caller is a token or, for a mapped address, that address. Requests without either are counted by network and have a
lower limit, so failed requests never use up the limit of a token. Each process counts in its memory, for all of its
threads; several processes share their counts in a Redis (TEMPOFTP_RATE_STORAGE).
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time

from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from limits.storage import MemoryStorage

from tempoftp.http.access import find_principal
from tempoftp.http.problems import Problem, build_problem
from tempoftp.http.proxies import read_unreadable
from tempoftp.http.routes import LINK_ROUTE
from tempoftp.settings import Settings

READS = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "PUT", "PATCH", "DELETE")
# One household or cloud machine has a whole /64 of IPv6 addresses, so a limit per address would not limit it.
IPV6_PREFIX = 64


class Memory(MemoryStorage):  # `Limiter` finds it by its scheme
    """Counts in memory. A count that began by a clock that ran ahead is forgotten when the clock is right."""

    STORAGE_SCHEME = ["tempoftp-memory"]

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count a request in the present period, which ends `expiry` seconds after its first request."""
        if self.expirations.get(key, 0.0) > time.time() + expiry:
            self.clear(key)
        return super().incr(key, expiry, amount)


def name_caller() -> str:
    """Return the key by which the present request is counted."""
    principal = find_principal()
    if principal is not None:
        return principal.name
    unreadable = read_unreadable()
    # One bucket for each text that a proxy writes in place of an address: strangers do not use up each other's limit.
    return name_network(request.remote_addr) if unreadable is None else f"unreadable {unreadable}"


def name_network(address: str | None) -> str:
    """Return the key of an unknown caller: its IPv4 address, or the /64 of its IPv6 address."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "nowhere"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)


def name_link() -> str:
    """Return the key of a recipient's link: a digest, so that no valid link is stored in a Redis."""
    return hashlib.sha256(str((request.view_args or {}).get("token")).encode()).hexdigest()[:32]


def name_share() -> str:
    """Return the key of the caller and the share whose credentials it asks for."""
    return f"{name_caller()} {(request.view_args or {}).get('id')}"


def _asks_no_credentials() -> bool:
    return request.url_rule is None or not request.url_rule.rule.endswith("/<id>/credenciales")


def _is_no_link() -> bool:
    # The portal's pages of a link have the same path behind the portal's prefix.
    return request.url_rule is None or LINK_ROUTE not in request.url_rule.rule


def _is_stranger() -> bool:
    return find_principal() is None


def _is_known() -> bool:
    return find_principal() is not None


def _refuse(limit: RequestLimit) -> Response:
    seconds = max(1, math.ceil(limit.reset_at - time.time()))
    return build_problem(
        Problem(
            "rate_limited",
            {"amount": limit.limit.amount, "every": limit.limit.get_expiry(), "wait": seconds},
            headers={"Retry-After": str(seconds)},
        )
    )


def init_rate_limits(app: Flask, settings: Settings) -> None:
    """Count the requests of `app`. Call it after `init_identity`, which identifies the callers."""
    storage = settings.rate_storage
    limits = [
        ApplicationLimit(settings.rate_reads, scope="reads", methods=READS, exempt_when=_is_stranger),
        ApplicationLimit(settings.rate_writes, scope="writes", methods=WRITES, exempt_when=_is_stranger),
        ApplicationLimit(settings.rate_strangers, scope="strangers", exempt_when=_is_known),
        ApplicationLimit(
            settings.rate_links, name_link, scope="links", methods=WRITES, exempt_when=_is_no_link
        ),
        # As through a link. Each of them adds a line to the share's history.
        ApplicationLimit(
            settings.rate_links,
            name_share,
            scope="credentials",
            methods=WRITES,
            exempt_when=_asks_no_credentials,
        ),
    ]
    Limiter(
        name_caller,
        app=app,
        application_limits=list(limits),
        storage_uri="tempoftp-memory://" if storage is None else storage.get_secret_value(),
        strategy="fixed-window",
        key_prefix="tempoftp",
        on_breach=_refuse,
        # When the Redis does not answer, the API goes on, and each process counts for itself.
        in_memory_fallback_enabled=True,
    )
