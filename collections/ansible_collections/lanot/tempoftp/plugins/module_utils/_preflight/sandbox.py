# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries whether the host's systemd can start units in the sandboxes of this collection.

In a container it may not be allowed to: then every copy ends with code 226 before it begins, and only the journal of
the FTP host says why. Each try is a unit that runs ``true`` in the sandbox and leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._copy.sandboxes import (
    sandbox_connection,
    sandbox_copy,
    sandbox_measure,
    sandbox_purge,
)
from .._copy.ssh import read_access
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.sandbox import read_systemd_version
from .._host.tree import Tree
from .._record.manifest import Manifest
from .checks import FAIL, OK, Check

NAME = "tempoftp-preflight"
TRUE = "/bin/true"
# Seconds for one unit; it has nothing to do.
_UNIT_LIMIT = 30.0
_JOURNAL_LIMIT = 20.0
# Codes with which systemd itself ends a unit before its program starts (systemd.exec(5)), and what they are about.
_STEPS = {
    203: "EXEC, the program",
    205: "LIMITS, LimitNOFILE",
    214: "SETSCHEDULER, the processor",
    218: "CAPABILITIES, CapabilityBoundingSet",
    219: "CGROUP, the control group",
    225: "NETWORK, PrivateNetwork",
    226: "NAMESPACE, mounts of its own",
    227: "NO_NEW_PRIVILEGES",
    228: "SECCOMP, SystemCallFilter",
    237: "KEYRING, KeyringMode",
}
_NAMED = 6


class Failure(NamedTuple):
    """Why a unit did not start. ``code``: with which the unit ended; 1 when systemd refused it."""

    code: int
    said: str


def look_at_sandboxes(root: str, sources: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Check each kind of unit in its own sandbox. On a host without systemd another check has failed already."""
    kinds = build_sandboxes(read_systemd_version(), Path(root), sources)
    checks = []
    for kind, properties in kinds.items():
        failure = try_sandbox(f"{NAME}-{kind}-{os.getpid()}", properties)
        # One by one, so that the report can name what the host does not allow.
        culprits = [] if failure is None else find_culprits(kind, properties)
        checks.append(check_sandbox(kind, failure, culprits, read_container() if failure else ""))
    return checks


def build_sandboxes(version: int, root: Path, sources: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the properties of each kind of unit that this host will start, as they are on it now."""
    tree = Tree(root)
    remote = Manifest(NAME, 1, "ftp_preflight", "source:/data", ssh_key_file="/etc/tempoftp/ssh/none")
    local = remote._replace(local=True, ssh_key_file=None, ssh_user="root")
    kinds = {
        "copy": sandbox_copy(version, tree, remote, read_access(remote)),
        "connection": sandbox_connection(version, tree, read_access(remote)),
        "measurement": sandbox_measure(version, tree, read_access(remote)),
        "removal": sandbox_purge(version, tree),
    }
    if any(source.get("local") for source in sources):
        kinds["local_copy"] = sandbox_copy(version, tree, local, read_access(local))
        kinds["local_measurement"] = sandbox_measure(version, tree, read_access(local))
    return {kind: [text for text in texts if _is_there(text)] for kind, texts in kinds.items()}


def try_sandbox(name: str, properties: Sequence[str]) -> Optional[Failure]:
    """Start a unit with these properties, wait for its end, and return why it failed; None when it ran."""
    argv = ["systemd-run", f"--unit={name}", "--wait", "--collect", "--quiet"]
    ended = run_command([*argv, *(f"--property={text}" for text in properties), "--", TRUE], _UNIT_LIMIT)
    if ended.rc == 0:
        return None
    return Failure(ended.rc, _read_reason(name) or ended.stderr.strip())


def find_culprits(kind: str, properties: Sequence[str]) -> list[str]:
    """Return the properties with which alone no unit starts."""
    return [
        text
        for number, text in enumerate(properties)
        if try_sandbox(f"{NAME}-{kind}-{os.getpid()}-{number}", [text]) is not None
    ]


def check_sandbox(kind: str, failure: Optional[Failure], culprits: Sequence[str], container: str) -> Check:
    """Judge a try. *container*: the kind of container that this host is; empty when it is none."""
    name = f"sandbox:{kind}"
    if failure is None:
        return Check(name, OK, "a unit with its properties starts")
    step = _STEPS.get(failure.code)
    what = (
        f"a unit ends with {failure.code} ({step})"
        if step
        else f"systemd does not start the unit ({failure.code})"
    )
    if failure.said:
        what = f"{what}: {failure.said.splitlines()[-1]}"
    if culprits:
        more = f" and {len(culprits) - _NAMED} more" if len(culprits) > _NAMED else ""
        what = f"{what}; not possible here: {', '.join(culprits[:_NAMED])}{more}"
    return Check(name, FAIL, what, _advise(failure.code, container))


def read_container() -> str:
    """Return the kind of container that this host is, in systemd's word; empty when it is none or that is not known."""
    try:
        word = run_command(["systemd-detect-virt", "--container"], _JOURNAL_LIMIT).stdout.strip()
    except TempoftpError:
        return ""
    return "" if word == "none" else word


def _advise(code: int, container: str) -> str:
    begin = "no copy and no removal would start: "
    if not container:
        return (
            f"{begin}look at journalctl --unit='{NAME}*' and at the kernel and security modules of this host"
        )
    allow = {
        "lxc": "allow nesting for it (Proxmox: features: nesting=1; Incus, LXD: security.nesting=true)",
        "docker": "give it --privileged, or SYS_ADMIN and no profile of seccomp and AppArmor",
        "podman": "give it --privileged, or SYS_ADMIN and no profile of seccomp, AppArmor or SELinux",
    }.get(container, "allow it mounts and namespaces of its own (CAP_SYS_ADMIN)")
    about = "it may not make what a sandbox needs" if code in _STEPS else "systemd in it may not start units"
    return f"{begin}this host is a container ({container}), and {about}: {allow}, or use a virtual machine"


def _is_there(text: str) -> bool:
    """Whether a property names no folder that is missing: systemd would make it, and preflight changes nothing."""
    option, _equals, value = text.partition("=")
    return option != "TemporaryFileSystem" or Path(value.rpartition(":")[0].strip('"')).exists()


def _read_reason(name: str) -> str:
    """Return the line of the journal that says why systemd did not start a unit; empty when there is none."""
    argv = ["journalctl", f"--unit={name}.service", "--output=cat", "--no-pager", "--lines=50"]
    try:
        lines = run_command(argv, _JOURNAL_LIMIT).stdout.splitlines()
    except TempoftpError:
        return ""
    return next((line for line in lines if "Failed" in line), "")
