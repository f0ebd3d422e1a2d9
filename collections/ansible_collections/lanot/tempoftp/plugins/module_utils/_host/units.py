# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd units: they outlive a module. Their names contain the share's id, so the same one never runs twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .commands import LOCALE, build_environment, run_command
from .errors import TempoftpError

COPY_PREFIX, PURGE_PREFIX, SSH_PREFIX = "tempoftp-copy-", "tempoftp-purge-", "tempoftp-ssh-"
ALREADY = "already"
_SYSTEMCTL_LIMIT = 10.0
# Longer than twice TimeoutStopSec, after which systemd kills a unit.
_STOP_LIMIT = 20.0
_PROPERTIES = ("--property=TimeoutStopSec=5", "--property=RuntimeMaxSec=604800", "--property=UMask=0077")
_MASTER_PROPERTIES = (
    "--property=Type=forking",
    "--property=TimeoutStartSec=20",
    "--property=TimeoutStopSec=5",
)


class Unit(NamedTuple):
    """A unit to start: its command line, and its sandbox as properties of systemd (`sandbox`)."""

    argv: Sequence[str]
    sandbox: Sequence[str] = ()


class Units:
    """Lists, starts and stops the units of this collection on one host."""

    def list_active(self) -> set[str]:
        """Return the names (without ``.service``) of the collection's units that run, start or stop."""
        patterns = [f"{prefix}*" for prefix in (COPY_PREFIX, PURGE_PREFIX, SSH_PREFIX)]
        argv = [
            "systemctl",
            "list-units",
            "--type=service",
            "--state=active,activating,deactivating,reloading",
        ]
        ended = run_command([*argv, "--plain", "--no-legend", "--no-pager", *patterns], _SYSTEMCTL_LIMIT)
        if ended.rc != 0:
            raise TempoftpError(
                f"systemctl list-units failed: {ended.stderr.strip()}: is systemd running here?"
            )
        return {line.split()[0][: -len(".service")] for line in ended.stdout.splitlines() if line.strip()}

    def start(self, wanted: Mapping[str, Unit]) -> dict[str, str]:
        """Start units (by name) in parallel; return systemd's message for each one that was not started.

        The message is ``ALREADY`` for a unit that another run has started, which is no failure.
        """
        started = {
            name: _spawn([*_build_run_argv(name), *_build_properties(name, unit), "--", *unit.argv])
            for name, unit in wanted.items()
        }
        failures = {}
        for name, process in started.items():
            try:
                _output, errors = process.communicate(timeout=_SYSTEMCTL_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                failures[name] = f"systemd-run did not end within {_SYSTEMCTL_LIMIT:g} s"
                continue
            text = errors.decode("utf-8", "replace").strip()
            if process.returncode != 0:
                said = text or f"systemd-run ended with code {process.returncode}"
                failures[name] = ALREADY if "already" in text else said
        return failures

    def stop(self, names: Iterable[str]) -> None:
        """Stop units and all their processes; no error for those that do not run."""
        units = [f"{name}.service" for name in names]
        if not units:
            return
        ended = run_command(["systemctl", "stop", "--", *units], _STOP_LIMIT)
        if ended.rc != 0 and "not loaded" not in ended.stderr:
            raise TempoftpError(f"systemctl stop {' '.join(units)} failed: {ended.stderr.strip()}: try again")


def _build_run_argv(name: str) -> list[str]:
    # Otherwise a unit gets the host's own locale, which may not be generated.
    locale = [f"--setenv={variable}={LOCALE}" for variable in ("LANG", "LC_ALL")]
    return ["systemd-run", f"--unit={name}", "--collect", "--no-block", "--quiet", *locale]


def _build_properties(name: str, unit: Unit) -> list[str]:
    own = _MASTER_PROPERTIES if name.startswith(SSH_PREFIX) else _PROPERTIES
    return [*own, *(f"--property={text}" for text in unit.sandbox)]


def _spawn(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=build_environment(),
        )
    except OSError as error:
        raise TempoftpError(
            f"systemd-run could not be started ({error.strerror}): systemd is needed"
        ) from None
