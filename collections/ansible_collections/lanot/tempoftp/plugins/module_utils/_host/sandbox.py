# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a unit of this collection may do on the host, as properties of systemd.

A copy talks to a source that may be hostile, as root. So each unit sees and may change only what its own work needs:
a program that takes over rsync or ssh must find nothing else there. ``tempoftp-expire.service`` of the role ftp_server
has the same base in its template; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .commands import run_command

# A property that the host's systemd does not know would prevent the start: each newer one with its first version.
_BASE = (
    (231, "MemoryDenyWriteExecute=yes"),
    (232, "NoNewPrivileges=yes"),
    (232, "ProtectSystem=strict"),
    (232, "PrivateDevices=yes"),
    (232, "ProtectControlGroups=yes"),
    (232, "ProtectKernelModules=yes"),
    (232, "ProtectKernelTunables=yes"),
    (232, "RemoveIPC=yes"),
    (233, "RestrictNamespaces=yes"),
    (232, "RestrictRealtime=yes"),
    (235, "LockPersonality=yes"),
    (235, "KeyringMode=private"),
    (232, "SystemCallArchitectures=native"),
    # The clock may be read (is it synchronised?). It cannot be set without CAP_SYS_TIME, which no unit has; and
    # ProtectClock would forbid to read it.
    (235, "SystemCallFilter=@system-service adjtimex clock_adjtime"),
    (235, "SystemCallErrorNumber=EPERM"),
    (242, "ProtectHostname=yes"),
    (242, "RestrictSUIDSGID=yes"),
    (244, "ProtectKernelLogs=yes"),
    (247, "ProtectProc=invisible"),
    (248, "PrivateIPC=yes"),
)
# Bytes of address space for one process. rsync keeps a list of what the source names, and that may be without end. It
# takes about 140 bytes for an entry with a name of 80: 15 million files in one folder have room, and more in several.
MEMORY_LIMIT = 2 * 1024**3
# Downloads come first: copies take what the FTP server leaves of processor and disk.
_LIMITS = (
    "MemoryMax=50%",
    # Also where no controller counts memory, as in containers; and rsync says so before the kernel kills anything.
    f"LimitAS={MEMORY_LIMIT}",
    "TasksMax=64",
    "LimitNOFILE=4096",
    "Nice=10",
    "CPUWeight=50",
    "IOWeight=50",
)
# Secrets of the host, and of other programs on it, and the sockets through which root may command systemd or the
# database: no unit of ours needs them.
SECRETS = (
    "/run/dbus",
    "/run/systemd/private",
    "/run/mysqld",
    "/run/mariadb",
    "/run/docker.sock",
    "/run/containerd",
    "/run/user",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/pure-ftpd",
    "/etc/mysql",
    "/etc/default/tempoftp",
    "/etc/sysconfig/tempoftp",
    "/var/lib/mysql",
    "/var/lib/tempoftp",
    "/var/lib/tempoftp-worker",
)
_PLAIN = re.compile(r"[A-Za-z0-9_./@+,:=-]+")


def read_systemd_version() -> int:
    """Return the version of the host's systemd; 0 when it cannot be read."""
    found = re.match(r"systemd (\d+)", run_command(["systemctl", "--version"], 10.0).stdout)
    return int(found[1]) if found else 0


class View(NamedTuple):
    """What a unit sees of the host.

    ``hidden``: paths that it cannot open. ``empty``: folders that it sees as empty, but for what ``shown`` names below
    them, which it may read, and what ``lent`` names, which it may also change.
    """

    hidden: Sequence[str] = SECRETS
    empty: Sequence[str] = ()
    shown: Sequence[str] = ()
    lent: Sequence[str] = ()


def build_sandbox(
    version: int,
    *,
    writable: Iterable[str],
    capabilities: Sequence[str],
    network: bool,
    view: View,
    own_tmp: bool = True,
    protected: Iterable[str] = (),
) -> list[str]:
    """Return the properties of one unit, each as ``Name=value``, for this *version* of systemd.

    *writable*: paths that it may change, except *protected* ones below them. systemd ignores paths that do not exist.
    *own_tmp*: it sees folders of its own in place of ``/tmp`` and ``/var/tmp``.
    """
    properties = [text for since, text in _BASE if version >= since]
    properties += _LIMITS
    properties.append("CapabilityBoundingSet=" + " ".join(capabilities))
    families = "AF_UNIX AF_INET AF_INET6" if network else "AF_UNIX"
    properties.append(f"RestrictAddressFamilies={families}")
    if own_tmp:
        properties.append("PrivateTmp=yes")
    if not network:
        properties.append("PrivateNetwork=yes")
    properties += [f"ReadWritePaths=-{_quote(path)}" for path in writable]
    # systemd leaves a /run that is a filesystem of its own writable, in spite of ProtectSystem=strict. It reads units
    # from there.
    properties += [f"ReadOnlyPaths=-{_quote(path)}" for path in ("/run", *protected)]
    properties += [f"InaccessiblePaths=-{_quote(path)}" for path in view.hidden]
    properties += [f"TemporaryFileSystem={_quote(path)}:ro" for path in view.empty]
    properties += [f"BindReadOnlyPaths=-{_quote(path)}" for path in view.shown]
    properties += [f"BindPaths=-{_quote(path)}" for path in view.lent]
    return properties


def _quote(path: str) -> str:
    """Return a path as systemd reads it in a list: in quotes unless every character is plain."""
    if _PLAIN.fullmatch(path):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
