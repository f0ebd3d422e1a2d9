# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this host's pure-ftpd was built with. Its version does not say: EPEL's has no libsodium, Debian's has it."""

from __future__ import annotations

from typing import Optional

from .commands import run_command
from .sessions import find_service_program

# Debian has one program for each database, the RHEL family one for all.
_NAMES = ("pure-ftpd-mysql", "pure-ftpd")
_LIMIT = 10.0


def find_server() -> Optional[str]:
    """Return the path of the FTP server's program; None when there is none."""
    return next((path for name in _NAMES if (path := find_service_program(name))), None)


def has_libsodium() -> bool:
    """Whether the FTP server can read argon2 hashes, for which it needs libsodium.

    True where that cannot be told: there is no server, or it has no shared libraries. Raises TempoftpError when ``ldd``
    does not answer.
    """
    server = find_server()
    if server is None:
        return True
    ended = run_command(["ldd", server], _LIMIT)
    return "libc.so" not in ended.stdout or "libsodium" in ended.stdout
