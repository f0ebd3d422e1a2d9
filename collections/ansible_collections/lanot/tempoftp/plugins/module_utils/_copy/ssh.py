# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh to a source: command lines that never prompt, never learn a host key, and end when the peer is silent."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import time
from pathlib import Path
from typing import NamedTuple, Optional, Protocol

from .._host.errors import InvalidValueError
from .._host.names import Source, parse_source, parse_ssh_user
from .local import build_local_shell

DEFAULT_CONFIG_FILE = "/etc/tempoftp/ssh_config"
DEFAULT_KNOWN_HOSTS_FILE = "/etc/tempoftp/known_hosts"
# Sockets of shared connections. Short, since a socket's path has at most 107 bytes. (Tests set another folder.)
SOCKET_DIRECTORY = os.environ.get("TEMPOFTP_RUNTIME_DIRECTORY", "/run/tempoftp")
# Seconds that a shared connection stays open when nobody uses it.
MASTER_IDLE = 60
# rsync splits its remote shell at spaces, and systemd expands $ and %: only other characters are allowed.
_PLAIN = re.compile(r"[A-Za-z0-9_./@+,:=-]+")

_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "UpdateHostKeys=no",
)
# Seconds to wait for a new shared connection; and for each socket whether it was there at the last check.
_MASTER_WAIT = 2.0
_socket_seen: dict[str, bool] = {}


class SourceOptions(Protocol):
    """The options of a source: a manifest has them, and a measurement."""

    @property
    def source(self) -> str: ...
    @property
    def source_root(self) -> Optional[str]: ...
    @property
    def ssh_user(self) -> str: ...
    @property
    def ssh_key_file(self) -> Optional[str]: ...
    @property
    def ssh_config_file(self) -> Optional[str]: ...
    @property
    def ssh_known_hosts_file(self) -> Optional[str]: ...
    @property
    def size_probe(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def local(self) -> bool: ...


class Access(NamedTuple):
    """How one source host is reached. Absent files are empty strings."""

    source: Source
    key_file: str = ""
    config_file: str = ""
    known_hosts_file: str = ""
    # The source is on this host: it is read as its user, without ssh.
    local: bool = False

    @property
    def digest(self) -> str:
        """The name of the shared connection: the same for the same host, user, key and configuration."""
        text = "\0".join(
            (self.source.user, self.source.host, self.key_file, self.config_file, self.known_hosts_file)
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def socket(self) -> str:
        """The socket of the shared connection."""
        return f"{SOCKET_DIRECTORY}/ssh-{self.digest}"


def read_access(options: SourceOptions) -> Access:
    """Return how the source is reached; the host's default files are used when they exist."""
    source = resolve_source(options.source, options.ssh_user)
    if options.local:
        return Access(source, local=True)
    return Access(
        source,
        check_file(options.ssh_key_file or "", "ssh_key_file"),
        check_file(options.ssh_config_file or _existing(DEFAULT_CONFIG_FILE), "ssh_config_file"),
        check_file(
            options.ssh_known_hosts_file or _existing(DEFAULT_KNOWN_HOSTS_FILE), "ssh_known_hosts_file"
        ),
    )


def resolve_source(text: str, ssh_user: str) -> Source:
    """Return the source with its login name. A user in the source must be the same as *ssh_user*."""
    source = parse_source(text)
    user = parse_ssh_user(ssh_user)
    if source.user not in ("", user):
        raise InvalidValueError(f"source {text!r} is refused: its user is not ssh_user {user!r}")
    return source._replace(user=user)


def await_socket(path: str) -> bool:
    """Whether the shared connection is there. The first call waits a moment for it."""
    if path not in _socket_seen:
        deadline = time.monotonic() + _MASTER_WAIT
        while not Path(path).exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    _socket_seen[path] = Path(path).exists()
    return _socket_seen[path]


def build_ssh_argv(access: Access, control_path: Optional[str]) -> list[str]:
    """Return ssh and its options, without a host. With *control_path*, an open shared connection is used."""
    argv = ["ssh"]
    if access.config_file:
        argv += ["-F", access.config_file]
    options = list(_OPTIONS)
    if access.known_hosts_file:
        options.append(f"UserKnownHostsFile={access.known_hosts_file}")
    if access.key_file:
        options += ["IdentitiesOnly=yes", f"IdentityFile={access.key_file}"]
    options += ["ControlMaster=no", f"ControlPath={control_path or 'none'}"]
    for option in options:
        argv += ["-o", option]
    return argv


def build_remote_shell(access: Access, control_path: Optional[str]) -> str:
    """Return ssh and its options as one string for rsync's ``--rsh``, which splits it at spaces."""
    if access.local:
        return build_local_shell(access.source.user)
    argv = build_ssh_argv(access, control_path)
    for word in argv:
        if not _PLAIN.fullmatch(word):
            raise InvalidValueError(
                f"ssh option {word!r} is refused: only letters, digits and _./@+,:=- may be in it"
            )
    return " ".join(argv)


def build_master_argv(access: Access) -> list[str]:
    """Return the ssh that opens a shared connection in the background, and ends when nobody uses it."""
    argv = build_ssh_argv(access, access.socket)
    master = ["-o", "ControlMaster=yes", "-o", f"ControlPersist={MASTER_IDLE}", "-f", "-N"]
    # Of several values of an option, ssh uses the first.
    return [argv[0], *master, *argv[1:], "-l", access.source.user, "--", access.source.host]


def build_du_argv(access: Access, control_path: Optional[str]) -> list[str]:
    """Return the size check by ``du``. The source's shell reads the command, so the path is quoted."""
    command = f"du -sb -- {shlex.quote(access.source.path)}"
    return [
        *build_ssh_argv(access, control_path),
        "-l",
        access.source.user,
        "--",
        access.source.host,
        command,
    ]


def parse_du(stdout: str) -> int:
    """Return the bytes that ``du -sb`` counted."""
    number, _tab, _path = stdout.partition("\t")
    if not number.isdigit():
        raise ValueError(f"du printed no size: {stdout[:200]!r}")
    return int(number)


def classify_du_end(rc: int, stderr: str) -> tuple[str, str]:
    """Return error class and reason of a failed ``du``. A size that it printed all the same is not used."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reason = lines[-1][:400] if lines else f"du ended with code {rc}"
    if rc == 255:
        return "source_unreachable", reason
    if "Permission denied" in stderr:
        return "source_denied", reason
    if "No such file or directory" in stderr:
        return "source_not_found", reason
    return "copy_failed", reason


def _existing(path: str) -> str:
    return path if Path(path).is_file() else ""


def check_file(path: str, name: str) -> str:
    """Return *path* when it is empty or can stand in a remote shell; raise InvalidValueError otherwise."""
    if path and not (path.startswith("/") and _PLAIN.fullmatch(path)):
        raise InvalidValueError(
            f"{name} {path!r} is refused: an absolute path of letters, digits and _./@+,:=- is needed"
        )
    return path
