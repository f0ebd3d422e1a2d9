"""ssh keys of a net: one pair for logins and one host key for each host; known_hosts is written, never scanned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lab.nets import Host, Net
from lab.run import run_command


def login_key(net: Net) -> Path:
    """Return the private key that root of every host of the net accepts."""
    return net.folder / "ssh" / "id_ed25519"


def known_hosts(net: Net) -> Path:
    return net.folder / "known_hosts"


def host_key(net: Net, host_name: str) -> Path:
    """Return the private host key; the inventory reads the file with `.pub` beside it."""
    return net.folder / "host_keys" / host_name


def ensure_keys(net: Net, hosts: Sequence[Host]) -> None:
    """Make the keys that are missing, and write known_hosts for the hosts given."""
    _ensure_pair(login_key(net), f"tempoftp-lab-{net.name}")
    lines = []
    for host in hosts:
        key = host_key(net, host.name)
        _ensure_pair(key, host.name)
        kind, text, *_ = Path(f"{key}.pub").read_text(encoding="ascii").split()
        lines.append(f"{net.ip(host)},{host.name} {kind} {text}\n")
    write_file(known_hosts(net), "".join(lines), 0o644)


def write_file(path: Path, text: str, mode: int) -> None:
    """Write a file atomically; it is never readable beyond `mode`."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
    new.rename(path)


def build_ssh_argv(net: Net, host: Host) -> list[str]:
    """Return the ssh command line to root of a host; a remote command may follow."""
    options = (
        *("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=5"),
        *(f"UserKnownHostsFile={known_hosts(net)}", "GlobalKnownHostsFile=/dev/null"),
        *("ServerAliveInterval=5", "ServerAliveCountMax=3", "LogLevel=ERROR"),
    )
    words = ["ssh", "-F", "/dev/null", "-i", str(login_key(net)), "-l", "root"]
    for option in options:
        words += ["-o", option]
    return [*words, net.ip(host)]


def _ensure_pair(path: Path, comment: str) -> None:
    if path.exists() and Path(f"{path}.pub").exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    run_command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
