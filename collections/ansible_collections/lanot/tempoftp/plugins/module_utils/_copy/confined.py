# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the programs that measure a source in units that may change nothing on the host.

They talk to a source that may be hostile, as the copier does. A unit that cannot start is an error: no program is ever
run without its sandbox instead.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from typing import Callable

from .._host.commands import build_environment
from .._host.errors import TempoftpError
from .._host.sandbox import MEMORY_LIMIT, read_systemd_version
from .._host.tree import Tree
from .sandboxes import sandbox_measure
from .ssh import Access

# What makes the command line of a program one that runs it somewhere else.
Confine = Callable[[Sequence[str]], "list[str]"]

PREFIX = "tempoftp-measure-"
# How systemd-run begins when it could not ask systemd for a unit; it ends with 1 then.
_REFUSED = (
    "System has not been booted with systemd",
    "Failed to connect to bus",
    "Failed to start transient",
)
# With these codes systemd itself ends a unit before its program starts (systemd.exec(5)).
_NOT_STARTED = range(200, 246)


def leave_free(argv: Sequence[str]) -> list[str]:
    """Return *argv* as it is: for programs whose caller runs in a sandbox already, as the copier does."""
    return list(argv)


def build_confine(tree: Tree, access: Access, deadline: float) -> Confine:
    """Return what confines the programs of one measurement until *deadline* (monotonic clock).

    The bound in time is the unit's own: it also holds when this process is killed.
    """
    sandbox = sandbox_measure(read_systemd_version(), tree, access)

    def confine(argv: Sequence[str]) -> list[str]:
        left = max(1, math.ceil(deadline - time.monotonic()) + 1)
        limits = [f"RuntimeMaxSec={left}", "TimeoutStopSec=2", "UMask=0077", f"MemoryMax={MEMORY_LIMIT}"]
        return [
            *("systemd-run", f"--unit={PREFIX}{secrets.token_hex(6)}"),
            *("--pipe", "--wait", "--collect", "--quiet"),
            *(f"--setenv={name}={value}" for name, value in build_environment().items()),
            *(f"--property={text}" for text in (*sandbox, *limits)),
            "--",
            # systemd puts variables in place of $NAME and ${NAME}; a doubled sign stands for itself.
            *(word.replace("$", "$$") for word in argv),
        ]

    return confine


def check_started(rc: int, stderr: str) -> None:
    """Raise TempoftpError when systemd could not start the program of a unit that ended with *rc*."""
    said = stderr.strip()
    if rc in _NOT_STARTED and not said:
        said = f"code {rc} of systemd"
    elif rc != 1 or not said.startswith(_REFUSED):
        return
    raise TempoftpError(
        f"the FTP host could not start the unit that measures a source ({said.splitlines()[0]}): "
        "preflight.yml says what this host does not allow",
        "run_failed",
    )
