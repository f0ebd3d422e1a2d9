# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a source host is configured on this host: a measurement must not contact any other host."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from .._host.commands import run_command
from .._host.errors import InvalidValueError
from .ssh import Access

_KEYGEN_LIMIT = 10.0
_PATTERN_CHARACTERS = frozenset("*?!")


def check_configured(access: Access) -> None:
    """Raise InvalidValueError unless the host is named in the ssh configuration or has a key in known_hosts.

    ssh would refuse a host without a key as well, but only after it has connected to it.
    """
    host = access.source.host
    if host.lower() in (name.lower() for name in list_configured(access.config_file)):
        return
    if access.known_hosts_file and _has_key(host, access.known_hosts_file):
        return
    config, keys = access.config_file or "there is none", access.known_hosts_file or "there is no file"
    raise InvalidValueError(
        f"{host} is no source host of this FTP host: it is neither named in its ssh configuration ({config}) nor known "
        f"by a key ({keys}); "
        "add it to tempoftp_sources and run the role ftp_server"
    )


def list_configured(config_file: str) -> Iterator[str]:
    """Give every host that a ``Host`` line of an ssh configuration names in full; patterns are left out."""
    if not config_file:
        return
    try:
        text = Path(config_file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InvalidValueError(f"{config_file} cannot be read: {error.strerror}") from None
    for line in text.splitlines():
        keyword, _separator, rest = line.strip().replace("=", " ", 1).partition(" ")
        if keyword.lower() == "host":
            yield from (name for name in _split(rest) if not _PATTERN_CHARACTERS.intersection(name))


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words, comments=True)
    except ValueError:
        return []


def _has_key(host: str, known_hosts_file: str) -> bool:
    """Whether a file has a key of the host. ssh-keygen is asked, since the names may be hashed."""
    argv = ["ssh-keygen", "-F", host, "-f", known_hosts_file]
    return run_command(argv, timeout=_KEYGEN_LIMIT).rc == 0
