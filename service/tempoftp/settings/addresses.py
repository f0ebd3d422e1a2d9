"""Addresses and URLs: which of them stay on this machine, and which are safe to send secrets to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_safe_url(value: str) -> bool:
    """Whether nobody can read what is sent there: https, or http on this machine."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or not value.isascii() or not value.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
