# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first rsync of a copy. It starts before the source is measured, which takes as long as copying a small share.

Room for the most that it may take is reserved first. When the share proves to be big, or its source slow, rsync is held
(SIGSTOP) until the source is measured and has its room, and then goes on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Optional

from .._host.commands import Ended
from .._host.space import Need, check_space, estimate_need, read_disk
from .._host.stream import Stream
from .._host.tree import Tree, hold_tree
from .._record.manifest import Manifest
from .passes import SHARED_COPY_LIMIT, Passes
from .progress import Report
from .rsync import SILENCE_LIMIT, Progress, Survey, build_small_argv, parse_progress
from .staging import sum_held

# A copy that moves no more than this, in no more than these seconds, is never held.
SMALL_BYTES = 32 * 1024 * 1024
SMALL_ENTRIES = 500
SMALL_SECONDS = 1.5


def reserve_small(tree: Tree, manifest: Manifest, report: Report) -> bool:
    """Reserve room for the most that a copy may take before it is held; say whether there is that much."""
    # One more file than allowed may be on its way when the limit is seen.
    with hold_tree(tree):
        disk = read_disk(tree.state)
        need = estimate_need(2 * SMALL_BYTES, 2 * SMALL_ENTRIES, 0, disk)
        reserve = Need(manifest.reserve_bytes, manifest.reserve_inodes)
        fits = check_space(need, sum_held(tree, manifest.id), reserve, disk) is None
        if fits:
            report.write(phase="copying", need_bytes=need.bytes, need_inodes=need.inodes)
    return fits


class HeldCopy:
    """One attempt to copy a share at once. It leaves out files that are bigger than ``SMALL_BYTES``."""

    def __init__(self, passes: Passes, report: Report, data: Path) -> None:
        self._passes = passes
        self._report = report
        self._data = data
        self._started = time.monotonic()
        self._progress = Progress(0, None)

    def run(self) -> Optional[Survey]:
        """Copy; return None when rsync has ended or was stopped, else the survey of a rest that is too big for it.

        A source is first taken for a folder. rsync says when it is a file, and is started again for that.
        """
        for _form in ("folder", "file"):
            with self._start_rsync() as stream:
                ended = self._copy_to_limit(stream)
                if ended is None:
                    held = time.monotonic()
                    survey = self._probe_while_held(stream)
                    # The source's rsync gives up a peer that was held for as long as it waits.
                    late = time.monotonic() - held > SILENCE_LIMIT / 2
                    if late or survey.bytes_left >= SHARED_COPY_LIMIT:
                        # Leaving the block kills rsync. The next pass goes on from here, over its own connection.
                        return survey
                    self._reserve_rest(survey)
                    ended = self._copy_rest(stream, survey)
            if ended is None:
                break
            verdict = self._passes.read_verdict(ended)
            if verdict.kind != "file" or self._passes.is_file:
                break
            self._passes.take_for_file(verdict)
        return None

    def _start_rsync(self) -> Stream:
        plan = self._passes.build_plan(shared=True)
        argv = build_small_argv(plan, self._passes.is_file, f"{self._data}/", SMALL_BYTES)
        return Stream(argv, self._check_limit, partial=True)

    def _check_limit(self, line: str) -> bool:
        """Read a progress line; say whether the copy takes too long or has become too big."""
        self._progress = progress = parse_progress(line) or self._progress
        late = time.monotonic() - self._started > SMALL_SECONDS
        entries = max(progress.files or 0, progress.listed or 0)
        return late or progress.bytes > SMALL_BYTES or entries > SMALL_ENTRIES

    def _copy_to_limit(self, stream: Stream) -> Optional[Ended]:
        """Copy until rsync ends, or until it reaches a limit: then return None."""
        with self._report.measure("copy"):
            return stream.read()

    def _probe_while_held(self, stream: Stream) -> Survey:
        """Hold rsync where it is, and measure the source and what is left of it."""
        stream.pause()
        return self._passes.probe()

    def _reserve_rest(self, survey: Survey) -> None:
        """Reserve the room that the rest needs; raise TempoftpError when there is none."""
        with self._report.measure("space"):
            self._passes.reserve_space(survey)

    def _copy_rest(self, stream: Stream, survey: Survey) -> Optional[Ended]:
        """Let rsync go on to its end, and report how far it is; None when it moves more than was measured."""
        with self._report.measure("copy"):
            stream.take_line = self._passes.follow(survey, self._progress)
            stream.resume()
            return stream.read()
