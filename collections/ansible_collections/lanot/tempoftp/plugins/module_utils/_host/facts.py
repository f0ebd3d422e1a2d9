# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of the FTP host that every run returns: space, boot, and whether the FTP server answers."""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any, Optional

from .boot import read_boot_id
from .clock import read_now
from .errors import RootMissingError, TempoftpError
from .files import read_json
from .root import check_root, find_server_file
from .space import read_disk
from .times import format_now
from .tree import Tree

# Seconds. The FTP server is on this host: when it has not greeted by then, it does not work.
_GREETING_LIMIT = 1.0
# Where to connect when it listens on all addresses.
_LOOPBACK = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on
_PEM_BEGIN, _PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def read_host(root: Path, copies_running: int) -> dict[str, Any]:
    """Return the ``host`` of a result (docs/dataflow.md). No fact makes a run fail when it cannot be read."""
    server = read_server()
    return {
        **_read_root(root),
        "clock": _read_clock(root),
        "boot_id": read_boot_id(),
        "time": format_now(),
        "ftpd": read_greeting(_parse_port(server), server.get("address")),
        "server": server,
        "copies_running": copies_running,
    }


def _read_root(root: Path) -> dict[str, Any]:
    """Return the space below the root. Without its disk, the space would be that of the system disk."""
    try:
        check_root(root)
        disk = read_disk(root)
    except (RootMissingError, OSError) as error:
        missing = {"ok": False, "error": str(error)}
        return {"root": missing, "space_total": None, "space_free": None, "inodes_free": None}
    return {
        "root": {"ok": True, "error": None},
        "space_total": disk.bytes_total,
        "space_free": disk.bytes_free,
        "inodes_free": disk.inodes_free,
    }


def _read_clock(root: Path) -> dict[str, Any]:
    """Return whether the clock may be believed."""
    try:
        problem = read_now(Tree(root)).explain()
    except (TempoftpError, OSError) as error:
        problem = str(error)
    return {"ok": not problem, "error": problem or None}


def read_server() -> dict[str, Any]:
    """Return what the role wrote about the FTP server, with the fingerprint of the certificate if it can be read."""
    try:
        server = read_json(find_server_file()) or {}
    except (TempoftpError, OSError):
        return {}
    certificate = server.get("certificate")
    if isinstance(certificate, str):
        server["fingerprint"] = read_fingerprint(Path(certificate))
    return server


def read_fingerprint(path: Path) -> Optional[str]:
    """Return ``sha256:AA:BB…`` of the first certificate in a PEM file (a key may stand before it), or None."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        begin = text.index(_PEM_BEGIN)
        der = ssl.PEM_cert_to_DER_cert(text[begin : text.index(_PEM_END, begin) + len(_PEM_END)])
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256(der).hexdigest().upper()
    return "sha256:" + ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def read_greeting(port: int, address: Optional[str] = None) -> dict[str, Any]:
    """Return whether the FTP server on this host greets, and its greeting. *address*: the one that it listens on."""
    target = _LOOPBACK.get(address or "*", address)
    try:
        with socket.create_connection((target, port), timeout=_GREETING_LIMIT) as connection:
            connection.settimeout(_GREETING_LIMIT)
            banner = connection.recv(512).decode("utf-8", "replace").partition("\r")[0].strip()
    except OSError as error:
        return {"ok": False, "banner": "", "error": str(error)}
    return {"ok": banner.startswith("220"), "banner": banner}


def _parse_port(server: dict[str, Any]) -> int:
    port = server.get("port")
    return port if isinstance(port, int) and 0 < port < 65536 else 21
