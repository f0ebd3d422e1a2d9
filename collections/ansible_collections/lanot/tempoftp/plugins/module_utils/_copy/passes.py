# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rsync runs of a copy: the dry run that compares, the room it needs, the pass that copies, and its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from .._host.commands import Ended, run_command
from .._host.errors import TempoftpError
from .._host.space import Need, check_space, count_bytes, estimate_need, name_full, read_disk
from .._host.stream import Stream, stream_command
from .._host.tree import Tree, hold_tree
from .._record.manifest import Manifest
from .failures import build_copy_error
from .login_shell import SHELL_PAUSE, check_login_shell
from .progress import STATUS_INTERVAL, Meter, Report
from .rsync import (
    CopyPlan,
    Progress,
    Survey,
    SurveyReader,
    build_copy_argv,
    build_survey_argv,
    parse_progress,
)
from .rsync_version import read_rsync_version
from .ssh import (
    Access,
    await_socket,
    build_du_argv,
    build_remote_shell,
    classify_du_end,
    parse_du,
    read_access,
)
from .staging import clear_strangers, remove_data, sum_held
from .target_times import build_time_check
from .verdicts import Verdict, classify_end, judge_file, name_paths

# How often a source that changes is copied before the copy fails.
PASSES = 3
# Smaller copies use the shared ssh connection. A bigger one gets its own, since others would slow it down there.
SHARED_COPY_LIMIT = 128 * 1024 * 1024
# How far a pass may go beyond what was measured (a part of it, at least and at most) before it is stopped: it takes
# room that is not reserved. Not at once, since a file that arrives damaged is sent twice.
_MORE_PART = 20
_MORE_BYTES, _MORE_ENTRIES = (8 * 1024**2, 1024**3), (1000, 100_000)
# Seconds.
_DU_LIMIT = 3600.0


def add_margin(measured: int, bounds: tuple[int, int]) -> int:
    """Return how far a pass may go that was measured with *measured*. *bounds*: the least and the most beyond that."""
    least, most = bounds
    return measured + min(max(least, measured // _MORE_PART), most)


class Passes:
    """The rsync runs of one copy.

    ``is_file``: the source is a file, not a folder. ``base``: the earlier share from which files are linked now.
    ``linked``: there are such links in staging, so that no file may be written in place.
    """

    def __init__(self, tree: Tree, manifest: Manifest, report: Report) -> None:
        self._tree = tree
        self._manifest = manifest
        self._report = report
        self._data = tree.data(manifest.id)
        self._holds_time = build_time_check(tree.staging(manifest.id))
        self._access: Optional[Access] = None
        self._version: tuple[int, ...] = ()
        self._folder_reason = ""
        self.is_file = False
        self.base: Optional[Path] = None
        self.linked = False

    def probe(self) -> Survey:
        """Measure the source before a copy."""
        self._report.write(phase="probing")
        with self._report.measure("probe"):
            survey = self.survey()
            if self._manifest.size_probe == "du":
                survey = survey._replace(bytes_total=max(survey.bytes_total, self._measure_by_du()))
        return survey

    def verify(self) -> Survey:
        """Compare source and staging after a copy."""
        self._report.write(phase="verifying")
        with self._report.measure("verify"):
            return self.survey()

    def survey(self) -> Survey:
        """Compare source and staging by an itemized dry run."""
        self._report.check_wanted()
        ended, verdict, reader = Ended(0, "", ""), Verdict("again"), SurveyReader()
        if self.is_file:
            # A killed rsync may have left a part of it under another name.
            self._clear_strangers()
        for attempt in range(PASSES):
            if attempt and verdict.error_class == "source_shell":
                time.sleep(SHELL_PAUSE)
            # A mount shows the times of the source.
            reader = SurveyReader(None if self._manifest.method == "bind" else self._holds_time)
            argv = build_survey_argv(self.build_plan(shared=True), self.is_file, f"{self._data}/")
            ended = stream_command(argv, reader.feed)
            verdict = self._judge_survey(ended, reader)
            if verdict.kind != "again":
                break
        self._report.note(rc=ended.rc)
        if verdict.kind != "done":
            raise self.explain(self._check_shell(verdict))
        survey = reader.finish()
        self._report.note(
            bytes_total=survey.bytes_total,
            bytes_done=survey.bytes_total - survey.bytes_left,
            files_total=survey.files_total,
            files_done=survey.files_total - survey.files_left,
            skipped=survey.skipped,
            skipped_total=survey.skipped_total,
        )
        return survey

    def _judge_survey(self, ended: Ended, reader: SurveyReader) -> Verdict:
        verdict = self._classify(ended)
        if verdict.kind == "file":
            if self.is_file:
                return verdict._replace(kind="failed")
            self.take_for_file(verdict)
            return verdict._replace(kind="again")
        if verdict.kind == "done" and self.is_file:
            plan = self.build_plan(shared=True)
            verdict = judge_file(plan, reader.finish(), reader.link, self._folder_reason)
            # When a folder took the place of the file, the next attempt takes it for one.
            self.is_file = verdict.kind != "again"
        return verdict

    def take_for_file(self, verdict: Verdict) -> None:
        """From now on take the source for a file: *verdict* says that it is no folder."""
        self.is_file, self._folder_reason = True, verdict.reason
        self._clear_strangers()

    def _classify(self, ended: Ended) -> Verdict:
        path = self.require_access().source.path
        return classify_end(ended.rc, name_paths(ended.stderr, path, self.is_file))

    def _check_shell(self, verdict: Verdict) -> Verdict:
        """Ask the login shell when rsync could not talk to its peer."""
        restricted = self._manifest.source_root is not None
        return check_login_shell(verdict, self.require_access(), self.choose_socket(True), restricted)

    def _clear_strangers(self) -> None:
        """Remove all but the source's one file from staging: rsync's --delete does not remove files beside it.

        A link is removed too, so that the dry run names it: it is not delivered.
        """
        name = self.require_access().source.path.rpartition("/")[2]
        clear_strangers(self._data, name)
        if (self._data / name).is_symlink():
            (self._data / name).unlink()

    def _measure_by_du(self) -> int:
        access = self.require_access()
        ended = run_command(build_du_argv(access, access.socket), timeout=_DU_LIMIT)
        if ended.rc != 0:
            error_class, reason = classify_du_end(ended.rc, ended.stderr)
            raise self.explain(Verdict("failed", error_class, reason))
        try:
            return parse_du(ended.stdout)
        except ValueError as error:
            raise self.explain(Verdict("failed", "copy_failed", str(error))) from None

    def reserve_space(self, survey: Survey) -> None:
        """Reserve room for what is left to copy; raise TempoftpError when there is none."""
        error = self.reserve(max(0, survey.bytes_total - count_bytes(self._data)), survey.entries_total)
        if error is not None:
            raise error

    def reserve(self, bytes_left: int, entries: int) -> Optional[TempoftpError]:
        """Reserve room by writing the need into the status, or return why there is none.

        It holds the host's lock, so that two copies never count on the same free space.
        """
        manifest = self._manifest
        with hold_tree(self._tree):
            disk = read_disk(self._tree.state)
            held = sum_held(self._tree, manifest.id)
            need = estimate_need(bytes_left, entries, 0, disk)
            error = check_space(need, held, Need(manifest.reserve_bytes, manifest.reserve_inodes), disk)
            if error is not None:
                return TempoftpError(f"{manifest.source} does not fit: {error.message}", error.error_class)
            self._report.write(need_bytes=need.bytes, need_inodes=need.inodes)
        return None

    def copy(self, survey: Survey, checksum: bool) -> Optional[Verdict]:
        """Run one pass; return the reason when another one is needed."""
        self._report.check_wanted()
        plan = self.build_plan(shared=survey.bytes_left < SHARED_COPY_LIMIT)
        argv = build_copy_argv(plan, self.is_file, f"{self._data}/", checksum)
        with Stream(argv, self.follow(survey, Progress(0, None)), partial=True) as stream:
            ended = stream.read()
        if ended is None:
            return Verdict("again", "source_changing", "it sends more than it had when it was measured")
        verdict = self.read_verdict(ended)
        return verdict if verdict.kind == "again" else None

    def follow(self, survey: Survey, seen: Progress) -> Callable[[str], bool]:
        """Begin a pass; return a function that reads rsync's lines, and says when it has moved more than was measured.

        *seen*: what this rsync process had moved when the source was surveyed.
        """
        most_bytes = seen.bytes + add_margin(survey.bytes_left, _MORE_BYTES)
        most_entries = add_margin(survey.entries_total, _MORE_ENTRIES)
        meter = Meter(self._report.status, survey, seen)
        self._report.write(phase="copying", passes=self._report.status.passes + 1)

        def take_line(line: str) -> bool:
            # rsync prints a line for every file. Only a line that leads to a write of the status is parsed.
            if time.monotonic() - self._report.written < STATUS_INTERVAL:
                return False
            progress = parse_progress(line)
            if progress is None:
                return False
            self._report.status = meter.advance(self._report.status, progress)
            self._report.write()
            return progress.bytes > most_bytes or (progress.listed or 0) > most_entries

        return take_line

    def read_verdict(self, ended: Ended) -> Verdict:
        """Classify the end of a copy; raise TempoftpError when it failed for good."""
        self._report.note(rc=ended.rc)
        verdict = self._classify(ended)
        if verdict.error_class == "no_space":
            verdict = verdict._replace(error_class=self._name_full_disk())
        if verdict.kind == "failed":
            raise self.explain(verdict)
        return verdict

    def _name_full_disk(self) -> str:
        """Remove the data of this copy, since a full disk harms every share; return which resource ran out."""
        error_class = name_full(read_disk(self._tree.state))
        remove_data(self._data)
        return error_class

    def build_plan(self, shared: bool) -> CopyPlan:
        """Return what the rsync command lines of this copy have in common. *shared*: use the shared connection."""
        manifest, access = self._manifest, self.require_access()
        if not self._version:
            self._version = read_rsync_version()
        return CopyPlan(
            # Without a user rsync gives its remote shell no login name, which a local shell would not understand.
            source=access.source._replace(user="") if access.local else access.source,
            source_root=None if access.local else manifest.source_root,
            remote_shell=build_remote_shell(access, self.choose_socket(shared)),
            uid=manifest.uid,
            gid=manifest.gid,
            bwlimit=manifest.bwlimit,
            link_dest=None if self.base is None else str(self.base),
            inplace=not self.linked,
            version=self._version,
        )

    def choose_socket(self, shared: bool) -> Optional[str]:
        """Return the socket of the shared connection, if *shared* and if it exists."""
        access = self.require_access()
        return access.socket if shared and not access.local and await_socket(access.socket) else None

    def require_access(self) -> Access:
        """Return how the source is reached."""
        if self._access is None:
            self._access = read_access(self._manifest)
        return self._access

    def explain(self, verdict: Verdict) -> TempoftpError:
        """Return the error for a verdict on this copy."""
        return build_copy_error(self._manifest, verdict)
