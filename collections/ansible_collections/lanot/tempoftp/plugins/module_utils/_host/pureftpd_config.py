# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How pure-ftpd is configured on this host, whoever did it. Only reads.

Debian has one file per option in ``/etc/pure-ftpd/conf``, everybody else one ``/etc/pure-ftpd/pure-ftpd.conf``; the
options have the same names in both. The MySQL configuration is a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Optional

CONFIGURATION = Path("/etc/pure-ftpd")
# What Debian's package and the RHEL family's call it; also where the certificate is looked for.
_MYSQL_CONFS = ("db/mysql.conf", "pureftpd-mysql.conf")
_PEMS = ("/etc/ssl/private/pure-ftpd.pem", "/etc/pki/pure-ftpd/pure-ftpd.pem")
_DEFAULT_PORT = 21
# Without -c; see pure-ftpd(8).
DEFAULT_CLIENTS = 50
DEFAULT_LISTING = 10000


class PureftpdConfig(NamedTuple):
    """*options* and *mysql*: lower-case names → values. *found*: there is a configuration at all."""

    found: bool = False
    options: Mapping[str, str] = {}  # never changed in place
    mysql: Mapping[str, str] = {}  # never changed in place
    mysql_conf: str = ""
    certificate: Optional[str] = None

    @property
    def tls(self) -> int:
        """0 off, 1 offered, 2 required for passwords, 3 for data too."""
        return _parse_number(self.options.get("tls"), 0)

    @property
    def port(self) -> int:
        """The port of the control connection."""
        return _parse_number(self.options.get("bind", "").rpartition(",")[2], _DEFAULT_PORT)

    @property
    def clients(self) -> int:
        """Most sessions at the same time."""
        return _parse_number(self.options.get("maxclientsnumber"), DEFAULT_CLIENTS)

    @property
    def passive_ports(self) -> Optional[tuple[int, int]]:
        """First and last port for data connections; None: any."""
        numbers = re.findall(r"\d+", self.options.get("passiveportrange", ""))
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None

    @property
    def listing(self) -> int:
        """Most entries that a listing shows."""
        numbers = re.findall(r"\d+", self.options.get("limitrecursion", ""))
        return int(numbers[0]) if numbers else DEFAULT_LISTING

    @property
    def download_log(self) -> tuple[str, str]:
        """Format and path of the log of transfers; two empty texts without one."""
        style, _colon, path = self.options.get("altlog", "").partition(":")
        return (style.strip().lower(), path.strip()) if path else ("", "")

    def is_on(self, name: str) -> bool:
        """Whether a yes-or-no option says yes."""
        return self.options.get(name.lower(), "no").strip().lower() in ("yes", "1", "on", "true")


def read_pureftpd(folder: Path = CONFIGURATION, mysql_conf: Optional[str] = None) -> PureftpdConfig:
    """Return the configuration below *folder*. *mysql_conf*: where the MySQL part is, when not at a usual place."""
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
