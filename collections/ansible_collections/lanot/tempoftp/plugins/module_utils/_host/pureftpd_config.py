# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the configuration of pure-ftpd on this host, also when the role of this collection did not write it.

Debian has one file per option in ``/etc/pure-ftpd/conf``, other systems have ``/etc/pure-ftpd/pure-ftpd.conf``. The
options have the same names in both. The MySQL configuration is in another file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Optional

CONFIGURATION = Path("/etc/pure-ftpd")
# The MySQL configuration of the packages of Debian and of the RHEL family, and their certificates.
_MYSQL_CONFS = ("db/mysql.conf", "pureftpd-mysql.conf")
_PEMS = ("/etc/ssl/private/pure-ftpd.pem", "/etc/pki/pure-ftpd/pure-ftpd.pem")
_DEFAULT_PORT = 21
# Defaults of pure-ftpd, see pure-ftpd(8).
DEFAULT_CLIENTS = 50
DEFAULT_LISTING = 10000


class PureftpdConfig(NamedTuple):
    """*options* and *mysql*: lower-case names → values. *found*: whether there is a configuration."""

    found: bool = False
    options: Mapping[str, str] = {}  # never changed in place
    mysql: Mapping[str, str] = {}  # never changed in place
    mysql_conf: str = ""
    certificate: Optional[str] = None

    @property
    def tls(self) -> int:
        """0: off, 1: offered, 2: required for the login, 3: required for data too."""
        return _parse_number(self.options.get("tls"), 0)

    @property
    def port(self) -> int:
        """The port of the control connection."""
        return _parse_number(self.options.get("bind", "").rpartition(",")[2], _DEFAULT_PORT)

    @property
    def address(self) -> Optional[str]:
        """The one address that it listens on; None when it listens on all."""
        return self.options.get("bind", "").rpartition(",")[0].strip() or None

    @property
    def clients(self) -> int:
        """How many sessions are possible at the same time."""
        return _parse_number(self.options.get("maxclientsnumber"), DEFAULT_CLIENTS)

    @property
    def passive_ports(self) -> Optional[tuple[int, int]]:
        """First and last port for data connections; None for any port."""
        numbers = re.findall(r"\d+", self.options.get("passiveportrange", ""))
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None

    @property
    def listing(self) -> int:
        """How many entries a listing shows at most."""
        numbers = re.findall(r"\d+", self.options.get("limitrecursion", ""))
        return int(numbers[0]) if numbers else DEFAULT_LISTING

    @property
    def download_log(self) -> tuple[str, str]:
        """Format and path of the transfer log; two empty texts when there is none."""
        style, _colon, path = self.options.get("altlog", "").partition(":")
        return (style.strip().lower(), path.strip()) if path else ("", "")

    @property
    def transfer_log(self) -> Optional[str]:
        """The log of downloads, when its format can be read."""
        style, path = self.download_log
        return path if style in ("clf", "w3c") else None

    def is_on(self, name: str) -> bool:
        """Whether a yes-or-no option is on."""
        return self.options.get(name.lower(), "no").strip().lower() in ("yes", "1", "on", "true")


def read_pureftpd(folder: Path = CONFIGURATION, mysql_conf: Optional[str] = None) -> PureftpdConfig:
    """Return the configuration below *folder*. *mysql_conf*: path of the MySQL part, if not a usual one."""
    if not folder.is_dir():
        return PureftpdConfig()
    options = parse_options(_read(folder / "pure-ftpd.conf"))
    if (folder / "conf").is_dir():
        # Debian's wrapper reads the first line of each file.
        options = {
            path.name.lower(): (_read(path).splitlines() or [""])[0].strip()
            for path in sorted((folder / "conf").iterdir())
        }
    named = mysql_conf or options.get("mysqlconfigfile")
    path = Path(named) if named else _find(folder, _MYSQL_CONFS)
    pem = options.get("certfile") or next((name for name in _PEMS if Path(name).exists()), None)
    mysql = parse_mysql_conf(_read(path)) if path is not None else {}
    return PureftpdConfig(True, options, mysql, str(path or ""), pem)


def parse_options(text: str) -> dict[str, str]:
    """Return the options of a ``pure-ftpd.conf``; the last line of a name wins."""
    options = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*([A-Za-z]+)\s+(.*?)\s*(?:#.*)?", line)
        if match:
            options[match[1].lower()] = match[2]
    return options


def parse_mysql_conf(text: str) -> dict[str, str]:
    """Return the ``MYSQL…`` lines; a ``#`` inside a value is part of it, as pure-ftpd reads it."""
    values = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(mysql[a-z]+)\s+(.*?)\s*", line, re.IGNORECASE)
        if match:
            values[match[1].lower()] = match[2]
    return values


def _find(folder: Path, names: tuple[str, ...]) -> Optional[Path]:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _parse_number(text: Optional[str], default: int) -> int:
    return int(text) if text is not None and text.strip().isdecimal() else default
