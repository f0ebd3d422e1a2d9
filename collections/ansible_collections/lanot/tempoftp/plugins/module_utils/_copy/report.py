# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a copier says of itself while it works, and whether anybody still wants it to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .._host.tree import Tree
from .._record.manifest import Manifest, read_manifest
from .._record.status import Status, write_status


class SupersededError(Exception):
    """The manifest changed under a running copy: a newer wish is in force, so this copier has nothing to say."""


class Report:
    """The status of one copy, in memory and in ``status.json``."""

    def __init__(self, tree: Tree, manifest: Manifest, boot_id: str) -> None:
        self._tree = tree
        self._manifest = manifest
        self.status = Status(manifest.copied_for, boot_id)
        self.written = 0.0

    def note(self, **changes: object) -> None:
        """Change the status; it is told with the next ``write``."""
        self.status = self.status._replace(**changes)  # type: ignore[arg-type]

    def write(self, **changes: object) -> None:
        """Change the status and tell it."""
        self.note(**changes)
        self.written = time.monotonic()
        write_status(self._tree.status(self._manifest.id), self.status)

    def check_wanted(self) -> None:
        """Raise SupersededError when the share is not to be copied any more, or not for this generation."""
        present = read_manifest(self._tree, self._manifest.id)
        if present is None or present.copied_for != self._manifest.copied_for or present.state != "copying":
            raise SupersededError

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Book the seconds of a ``with`` block to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.book(name, time.monotonic() - started)

    def book(self, name: str, seconds: float) -> None:
        """Add seconds to a phase."""
        durations = dict(self.status.durations)
        durations[name] = round(durations.get(name, 0.0) + seconds, 4)
        self.note(durations=durations)
