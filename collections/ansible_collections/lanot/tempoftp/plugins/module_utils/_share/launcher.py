# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd units of one execution: which of them run, and which are started together at the end of a turn.

All units of a turn are started by one call, since each ``systemd-run`` takes a moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

from .._copy.sandboxes import sandbox_connection, sandbox_copy, sandbox_purge
from .._copy.ssh import SOCKET_DIRECTORY, Access, build_master_argv, read_access
from .._host.sandbox import read_systemd_version
from .._host.tree import Tree
from .._host.units import ALREADY, COPY_PREFIX, PURGE_PREFIX, SSH_PREFIX, Unit, Units
from .._record.manifest import Manifest
from .library import COPY, PURGE, build_program_argv, install_library

# Seconds. Listing the units starts a process; a status file says everything except that its writer died.
_UNITS_INTERVAL = 1.0


class Launcher:
    """Starts and stops the units of a batch. *now* is a monotonic clock.

    ``active`` holds the names of the units that run; ``places`` says how many more copies may be started.
    """

    def __init__(self, tree: Tree, units: Units, max_copies: int, now: Callable[[], float]) -> None:
        self._tree = tree
        self._units = units
        self._max_copies = max_copies
        self._now = now
        self.active: set[str] = set()
        self.places = 0
        # Copies that wrote their final status in this execution: systemd lists their units for a moment longer.
        self._finished: set[str] = set()
        self._listed_at: Optional[float] = None
        self._requested: dict[str, Unit] = {}
        self._version: Optional[int] = None
        self._library: Optional[Path] = None

    @property
    def copies_running(self) -> int:
        """How many copies ran when systemd was last asked."""
        return sum(name.startswith(COPY_PREFIX) for name in self.active)

    def list_units(self) -> None:
        """Ask systemd which units run, at most once a second."""
        now = self._now()
        if self._listed_at is None or now - self._listed_at >= _UNITS_INTERVAL:
            self.active = self._units.list_active() - self._finished
            self._listed_at = now

    def count_places(self) -> None:
        """Set ``places`` to the number of copies that may be started in this turn."""
        self.places = self._max_copies - self.copies_running

    def mark_finished(self, share_id: str) -> None:
        """Note that the copy of a share has written its final status: its unit takes no place any more."""
        self._finished.add(COPY_PREFIX + share_id)
        self.active.discard(COPY_PREFIX + share_id)

    def request_copy(self, manifest: Manifest) -> None:
        """Have the copy of a share started at the end of the turn, and the connection to its source before it."""
        access = read_access(manifest)
        # systemd lets a unit write only where something is when the unit starts.
        self._tree.staging(manifest.id).mkdir(mode=0o700, exist_ok=True)
        Path(SOCKET_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
        sandbox = sandbox_copy(self._read_version(), self._tree, manifest, access)
        self._requested[COPY_PREFIX + manifest.id] = Unit(self._build_argv(COPY, manifest.id), sandbox)
        self._request_connection(access)
        self.places -= 1

    def request_purge(self, share_id: str) -> None:
        """Have the removal of a share's trash started at the end of the turn."""
        sandbox = sandbox_purge(self._read_version(), self._tree)
        self._requested[PURGE_PREFIX + share_id] = Unit(self._build_argv(PURGE, share_id), sandbox)

    def _request_connection(self, access: Access) -> None:
        """All copies from one source share one ssh connection; without it each copy would open its own."""
        if access.local:
            return
        unit = SSH_PREFIX + access.digest
        if unit not in self.active and unit not in self._requested:
            connection = Unit(
                build_master_argv(access), sandbox_connection(self._read_version(), self._tree, access)
            )
            self._requested = {unit: connection, **self._requested}

    def _read_version(self) -> int:
        if self._version is None:
            self._version = read_systemd_version()
        return self._version

    def _build_argv(self, entry: str, share_id: str) -> list[str]:
        if self._library is None:
            self._library = install_library(self._tree)
        return build_program_argv(self._library, entry, share_id)

    def drop_requests(self) -> None:
        """Forget what an earlier turn wanted to start and could not."""
        self._requested = {}

    def start_requested(self) -> dict[str, Optional[str]]:
        """Start the requested units; return each one's name and systemd's reason when it was not started."""
        requested, self._requested = self._requested, {}
        if not requested:
            return {}
        failures = self._units.start(requested)
        self._finished -= set(requested)
        self.active |= {name for name in requested if failures.get(name, ALREADY) == ALREADY}
        return {name: failures.get(name) for name in requested}

    def stop_copy(self, share_id: str) -> None:
        """Stop the copy of a share and wait for its end."""
        name = COPY_PREFIX + share_id
        self._units.stop([name])
        self.active.discard(name)
