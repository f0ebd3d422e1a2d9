# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a running copy is: what it writes into ``status.json``, and what it reads from rsync's progress lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .._host.tree import Tree
from .._record.facts import FACTS
from .._record.manifest import Manifest, read_manifest
from .._record.status import Status, write_status
from .rsync import Progress, Survey

# Seconds between two computations of the rate, and between two writes of the status.
STATUS_INTERVAL = 0.5


class SupersededError(Exception):
    """The manifest changed while the copy ran: the share is no longer wanted, or a newer generation of it is."""


class Report:
    """The status of one copy, in memory and in ``status.json``."""

    def __init__(self, tree: Tree, manifest: Manifest, boot_id: str) -> None:
        self._tree = tree
        self._manifest = manifest
        self.status = Status(manifest.copied_for, boot_id)
        self.written = 0.0

    def note(self, **changes: object) -> None:
        """Change the status in memory; the next ``write`` puts it on the disk."""
        found = {name: str(changes.pop(name)) for name in FACTS if name in changes}
        facts = {**self.status.facts, **found}
        self.status = self.status._replace(facts=facts, **changes)  # type: ignore[arg-type]

    def write(self, **changes: object) -> None:
        """Change the status and write it to the disk."""
        self.note(**changes)
        self.written = time.monotonic()
        write_status(self._tree.status(self._manifest.id), self.status)

    def check_wanted(self) -> None:
        """Raise SupersededError when the share should no longer be copied, or not for this generation."""
        present = read_manifest(self._tree, self._manifest.id)
        if present is None or present.copied_for != self._manifest.copied_for or present.state != "copying":
            raise SupersededError

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the seconds that a ``with`` block takes to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.add_seconds(phase, time.monotonic() - started)

    def add_seconds(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase."""
        durations = dict(self.status.durations)
        durations[phase] = round(durations.get(phase, 0.0) + seconds, 4)
        self.note(durations=durations)


class Meter:
    """Computes how far the share is from what one rsync process has moved.

    *survey* is the dry run that the pass is based on, *progress* what this process had moved when the dry run ended.
    """

    def __init__(self, status: Status, survey: Survey, progress: Progress) -> None:
        self._bytes_before = survey.bytes_total - survey.bytes_left - progress.bytes
        self._files_before = survey.files_total - survey.files_left - (progress.files or 0)
        self._at_start = progress
        self._bytes_total = survey.bytes_total
        self._files_total = survey.files_total
        self._need = status.need_bytes, status.need_inodes
        self._last = (time.monotonic(), progress.bytes)
        self._rate = 0.0

    def advance(self, status: Status, progress: Progress) -> Status:
        """Return *status* as it is when this process has moved *progress*."""
        now, (then, moved_then) = time.monotonic(), self._last
        if now - then >= STATUS_INTERVAL:
            present = (progress.bytes - moved_then) / (now - then)
            self._rate = present if not self._rate else 0.7 * self._rate + 0.3 * present
            self._last = (now, progress.bytes)
        files = status.files_done if progress.files is None else self._files_before + progress.files
        moved, moved_files = (
            progress.bytes - self._at_start.bytes,
            (progress.files or 0) - (self._at_start.files or 0),
        )
        return status._replace(
            bytes_done=min(self._bytes_total, self._bytes_before + progress.bytes),
            files_done=min(self._files_total, files),
            need_bytes=max(0, self._need[0] - max(0, moved)),
            need_inodes=max(0, self._need[1] - max(0, moved_files)),
            rate=int(self._rate),
        )
