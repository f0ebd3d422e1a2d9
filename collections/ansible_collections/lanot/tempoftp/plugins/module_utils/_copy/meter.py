# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a running copy is, from what rsync says of its own progress."""

from __future__ import annotations

import time

from .._record.status import Status
from .rsync import Progress, Survey

# Seconds between two looks at the rate, and between two writes of the status.
STATUS_INTERVAL = 0.5


class Meter:
    """Turns what one rsync process has moved into how far the share is."""

    def __init__(self, status: Status, survey: Survey, seen: Progress) -> None:
        self._bytes_before = survey.bytes_total - survey.bytes_left - seen.bytes
        self._files_before = survey.files_total - survey.files_left - (seen.files or 0)
        self._seen = seen
        self._bytes_total = survey.bytes_total
        self._files_total = survey.files_total
        self._need = status.need_bytes, status.need_inodes
        self._last = (time.monotonic(), seen.bytes)
        self._rate = 0.0

    def advance(self, status: Status, progress: Progress) -> Status:
        """Return *status* when this process is at *progress*."""
        now, (then, moved_then) = time.monotonic(), self._last
        if now - then >= STATUS_INTERVAL:
            present = (progress.bytes - moved_then) / (now - then)
            self._rate = present if not self._rate else 0.7 * self._rate + 0.3 * present
            self._last = (now, progress.bytes)
        files = status.files_done if progress.files is None else self._files_before + progress.files
        moved, moved_files = (
            progress.bytes - self._seen.bytes,
            (progress.files or 0) - (self._seen.files or 0),
        )
        return status._replace(
            bytes_done=min(self._bytes_total, self._bytes_before + progress.bytes),
            files_done=min(self._files_total, files),
            need_bytes=max(0, self._need[0] - max(0, moved)),
            need_inodes=max(0, self._need[1] - max(0, moved_files)),
            rate=int(self._rate),
        )
