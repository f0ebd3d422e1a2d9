# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures a source without copying: the copier's dry run into an empty folder, confined and with a time limit."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional

from .._host.commands import Ended, run_command
from .._host.errors import TempoftpError
from .._host.stream import Stream
from .._host.tree import Tree
from .confined import Confine, build_confine, check_started
from .failures import build_measure_error
from .login_shell import SHELL_PAUSE, check_login_shell
from .rsync import CopyPlan, SurveyReader, build_survey_argv
from .rsync_version import read_rsync_version
from .ssh import (
    Access,
    SourceOptions,
    build_du_argv,
    build_remote_shell,
    classify_du_end,
    parse_du,
)
from .target_times import build_time_check
from .verdicts import Verdict, classify_end, judge_file, name_paths

# How often a source that changes during the dry run is measured again.
_ATTEMPTS = 3


class Measure(NamedTuple):
    """What was counted. Not *complete*: the time was up before the end, and the source has more than this."""

    complete: bool
    entries: int = 0
    files: int = 0
    bytes: int = 0
    skipped: tuple[str, ...] = ()
    skipped_total: int = 0
    unsafe_total: int = 0


class CountingReader(SurveyReader):
    """Reads a dry run, and counts what has been listed so far."""

    def __init__(self, holds_time: Optional[Callable[[int], bool]] = None) -> None:
        super().__init__(holds_time)
        self._entries = self._files = self._bytes = 0

    def take_item(self, kind: str, length: int) -> None:
        """Count one entry of a share."""
        self._entries += 1
        self._files += kind == "f"
        self._bytes += length if kind in "fL" else 0

    def stop(self) -> Measure:
        """Return what was listed when the time was up. rsync prints its sums only at the end, which was not reached."""
        survey = super().finish()
        left_out = survey.skipped, survey.skipped_total, survey.unsafe_total
        return Measure(False, self._entries, self._files, self._bytes, *left_out)


def measure_source(
    options: SourceOptions, access: Access, deadline: float, folder: Path, tree: Tree
) -> Measure:
    """Count what a copy of the source to *tree* would hold, until *deadline* (monotonic clock). Raises TempoftpError.

    Every program runs in a unit that may change nothing. It makes an empty folder in *folder* for that time. *folder*
    is in memory (``/run``), so that a measurement also works when the disk is full.
    """
    confine = build_confine(tree, access, deadline)
    with tempfile.TemporaryDirectory(prefix="probe-", dir=folder) as empty:
        measure = _survey(options, access, empty, deadline, tree.root, confine)
    if options.size_probe == "du" and measure.complete:
        return _measure_by_du(options, access, measure, deadline, confine)
    return measure


def _survey(
    options: SourceOptions, access: Access, empty: str, deadline: float, root: Path, confine: Confine
) -> Measure:
    is_file, verdict, folder_reason = False, Verdict("again", "source_changing"), ""
    holds_time = None if options.method == "bind" else build_time_check(root)
    plan = _build_plan(options, access)
    for attempt in range(_ATTEMPTS):
        if attempt and verdict.error_class == "source_shell":
            time.sleep(SHELL_PAUSE)
        reader = CountingReader(holds_time)
        ended = _run(confine(build_survey_argv(plan, is_file, f"{empty}/")), reader, deadline)
        if ended is None:
            return reader.stop()
        verdict = classify_end(ended.rc, name_paths(ended.stderr, access.source.path, is_file))
        if verdict.kind == "file" and not is_file:
            is_file, folder_reason = True, verdict.reason
            continue
        if verdict.kind == "done" and is_file:
            verdict = judge_file(plan, reader.finish(), reader.link, folder_reason)
            is_file = verdict.kind != "again"
        if verdict.kind == "done":
            return _read_survey(reader)
        if verdict.kind != "again":
            break
    restricted = options.source_root is not None
    verdict = check_login_shell(verdict, access, _choose_socket(access), restricted, confine)
    raise build_measure_error(options.source, verdict)


def _run(argv: list[str], reader: SurveyReader, deadline: float) -> Optional[Ended]:
    with Stream(argv, reader.feed, deadline=deadline, threads=True) as stream:
        ended = stream.read()
    if ended is not None:
        check_started(ended.rc, ended.stderr)
    return ended


def _read_survey(reader: SurveyReader) -> Measure:
    survey = reader.finish()
    return Measure(
        complete=True,
        entries=survey.entries_total,
        files=survey.files_total,
        bytes=survey.bytes_total,
        skipped=survey.skipped,
        skipped_total=survey.skipped_total,
        unsafe_total=survey.unsafe_total,
    )


def _measure_by_du(
    options: SourceOptions, access: Access, measure: Measure, deadline: float, confine: Confine
) -> Measure:
    argv = confine(build_du_argv(access, _choose_socket(access)))
    left = deadline - time.monotonic()
    if left <= 0:
        return measure._replace(complete=False)
    try:
        ended = run_command(argv, timeout=left)
    except TempoftpError as error:
        if error.error_class != "run_timeout":
            raise
        return measure._replace(complete=False)
    check_started(ended.rc, ended.stderr)
    if ended.rc != 0:
        raise build_measure_error(options.source, Verdict("failed", *classify_du_end(ended.rc, ended.stderr)))
    try:
        return measure._replace(bytes=max(measure.bytes, parse_du(ended.stdout)))
    except ValueError as error:
        raise build_measure_error(options.source, Verdict("failed", "copy_failed", str(error))) from None


def _build_plan(options: SourceOptions, access: Access) -> CopyPlan:
    return CopyPlan(
        # Without a user rsync gives its remote shell no login name, which a local shell would not understand.
        source=access.source._replace(user="") if access.local else access.source,
        source_root=None if access.local else options.source_root,
        remote_shell=build_remote_shell(access, _choose_socket(access)),
        uid=os.geteuid(),
        gid=os.getegid(),
        version=read_rsync_version(),
    )


def _choose_socket(access: Access) -> Optional[str]:
    """Return the socket of a shared connection that copies have opened; a measurement never opens one."""
    return access.socket if not access.local and Path(access.socket).exists() else None
