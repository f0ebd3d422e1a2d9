# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copier: brings one share into staging, in a systemd unit of its own, and leaves its last word in ``status.json``.

It is given nothing but the share's id. Probe (an itemized dry run: sizes, and what there is to do), space check, copy,
verify (the same dry run must find nothing left). Killed at any moment it leaves no final status, and the next one
resumes: what was copied is not copied again.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

from ._commands import Ended, run_command
from ._copy_errors import build_copy_error
from ._copy_meter import STATUS_INTERVAL, Meter
from ._errors import TempoftpError
from ._lock import hold_lock, is_locked, take_lock
from ._manifest import Manifest, read_manifest
from ._names import parse_id
from ._rsync import (
    CopyPlan,
    Progress,
    Survey,
    SurveyReader,
    Verdict,
    build_copy_argv,
    build_small_argv,
    build_survey_argv,
    classify_end,
    parse_progress,
)
from ._space import Need, check_space, count_bytes, estimate_need, read_disk
from ._ssh import (
    Access,
    await_socket,
    build_du_argv,
    build_remote_shell,
    classify_du_end,
    parse_du,
    read_access,
)
from ._status import RUNNING_PHASES, Status, read_status, write_status
from ._stream import Stream, stream_command
from ._tree import Tree

# How often a changing source is copied again before it is given up.
PASSES = 3
# Below this many bytes a copy travels over the shared connection; a big one would be held up by its neighbours.
SHARED_COPY_LIMIT = 128 * 1024 * 1024
# A share of no more than this is copied at once: its probe would take as long as its copy.
SMALL_BYTES = 32 * 1024 * 1024
SMALL_ENTRIES = 500
SMALL_SECONDS = 1.5
# Seconds.
_ALIVE_WAIT = 2.0
_SYNC_LIMIT = 3600.0
_DU_LIMIT = 3600.0

# After these, what is in staging is of no use to a second try.
_USELESS_AFTER = frozenset({"source_not_found", "too_large"})


class SupersededError(Exception):
    """The manifest changed under a running copy: a newer wish is in force, so this copier has nothing to say."""


class Copier:
    """One copy of one generation of a share."""

    def __init__(self, tree: Tree, manifest: Manifest, boot_id: str) -> None:
        self._tree = tree
        self._manifest = manifest
        self._data = tree.data(manifest.id)
        self._status = Status(manifest.copied_for, boot_id)
        self._written = 0.0
        self._is_file = False
        self._access: Optional[Access] = None

    def run(self) -> Status:
        """Copy, and return the final status, which is written; SupersededError when it is no longer wanted."""
        earlier = read_status(self._tree.status(self._manifest.id))
        self._write_status(phase="probing")
        try:
            self._access = read_access(self._manifest)
            self._prepare_target()
            self._copy_until_equal(self._must_checksum(earlier))
            self._write_status(phase="verifying")
            with self._measure("sync"):
                self._sync()
        except TempoftpError as error:
            self._check_wanted()
            self._clear_useless(error.error_class)
            self._write_status(
                phase="failed",
                error_class=error.error_class,
                message=error.message,
                need_bytes=0,
                need_inodes=0,
            )
        else:
            self._check_wanted()
            inode = os.lstat(self._data).st_ino
            self._write_status(phase="done", inode=inode, need_bytes=0, need_inodes=0, rc=0)
        return self._status

    def _must_checksum(self, earlier: Optional[Status]) -> bool:
        """After a reboot in mid copy a file may have its size and time but not its content."""
        boots = {self._manifest.boot_id, earlier.boot_id if earlier else self._status.boot_id}
        return boots != {self._status.boot_id} and any(self._data.iterdir())

    def _prepare_target(self) -> None:
        self._data.mkdir(mode=0o750, exist_ok=True)
        if not stat.S_ISDIR(os.lstat(self._data).st_mode):
            raise TempoftpError(f"{self._data} is not a directory: move it away")

    def _copy_until_equal(self, checksum: bool) -> None:
        survey = self._probe() if checksum or not self._may_copy_at_once() else self._copy_at_once()
        verdict = Verdict("again", "source_changing", "its files changed during every pass")
        while survey.changes or checksum:
            if self._status.passes == PASSES:
                raise self._explain(verdict)
            if self._status.passes == 0:
                with self._measure("space"):
                    self._reserve_space(survey)
            with self._measure("copy"):
                verdict = self._copy(survey, checksum) or verdict
            checksum = False
            survey = self._verify()
        self._status = self._status._replace(bytes_done=survey.bytes_total, files_done=survey.files_total)

    def _probe(self) -> Survey:
        self._write_status(phase="probing")
        with self._measure("probe"):
            survey = self._survey()
            if self._manifest.size_probe == "du":
                survey = survey._replace(bytes_total=max(survey.bytes_total, self._measure_by_du()))
        return survey

    def _verify(self) -> Survey:
        self._write_status(phase="verifying")
        with self._measure("verify"):
            return self._survey()

    def _may_copy_at_once(self) -> bool:
        return (
            self._manifest.size_probe == "rsync" and not any(self._data.iterdir()) and self._reserve_small()
        )

    def _copy_at_once(self) -> Survey:
        """Copy before it is known how much it is; return what is left to do then.

        Room for the most that it may take is reserved before. When the share proves to be bigger, or its source slow,
        rsync is held where it is until the share is probed and has its room, and then goes on; over a connection of
        its own, from where it was, when there is much left.
        """
        begun, seen = time.monotonic(), Progress(0, None)

        def take_line(line: str) -> bool:
            nonlocal seen
            seen = parse_progress(line) or seen
            late = time.monotonic() - begun > SMALL_SECONDS
            return late or seen.bytes > SMALL_BYTES or max(seen.files or 0, seen.listed or 0) > SMALL_ENTRIES

        for _form in ("folder", "file"):
            argv = build_small_argv(self._build_plan(True), self._is_file, f"{self._data}/", SMALL_BYTES)
            with Stream(argv, take_line, partial=True) as stream:
                with self._measure("copy"):
                    ended = stream.read()
                if ended is None:
                    stream.hold()
                    survey = self._probe()
                    if survey.bytes_left >= SHARED_COPY_LIMIT:
                        return survey
                    with self._measure("space"):
                        self._reserve_space(survey)
                    with self._measure("copy"):
                        stream.take_line = self._follow(survey, seen)
                        stream.go_on()
                        while ended is None:
                            ended = stream.read()
            verdict = self._read_verdict(ended)
            if verdict.kind != "file":
                break
            self._is_file = True
        self._write_status(phase="verifying")
        begun = time.monotonic()
        survey = self._survey()
        # With everything there it was the verification; else a big file was left out, and this has told its size.
        self._book("probe" if survey.changes else "verify", time.monotonic() - begun)
        return survey

    def _reserve_small(self) -> bool:
        # One more file than allowed may be on its way when the limit is seen.
        with hold_lock(self._tree.lock):
            disk = read_disk(self._tree.root)
            need = estimate_need(2 * SMALL_BYTES, 2 * SMALL_ENTRIES, 0, disk)
            reserve = Need(self._manifest.reserve_bytes, self._manifest.reserve_inodes)
            fits = check_space(need, self._sum_held(), reserve, disk) is None
            if fits:
                self._write_status(phase="copying", need_bytes=need.bytes, need_inodes=need.inodes)
        return fits

    def _survey(self) -> Survey:
        """Compare source and staging by an itemized dry run."""
        self._check_wanted()
        ended, verdict, reader = Ended(0, "", ""), Verdict("again"), SurveyReader()
        for _attempt in range(PASSES):
            reader = SurveyReader()
            argv = build_survey_argv(self._build_plan(shared=True), self._is_file, f"{self._data}/")
            ended = stream_command(argv, reader.feed)
            verdict = classify_end(ended.rc, ended.stderr)
            if verdict.kind == "file" and not self._is_file:
                self._is_file = True
                self._clear_strangers()
            elif verdict.kind != "again":
                break
        self._status = self._status._replace(rc=ended.rc)
        if verdict.kind != "done":
            raise self._explain(verdict)
        survey = reader.finish()
        if self._is_file and not survey.files_total:
            raise self._explain(
                Verdict("failed", "source_not_found", "it is neither a folder nor a plain file")
            )
        self._status = self._status._replace(
            bytes_total=survey.bytes_total,
            bytes_done=survey.bytes_total - survey.bytes_left,
            files_total=survey.files_total,
            files_done=survey.files_total - survey.files_left,
            skipped=survey.skipped,
            skipped_total=survey.skipped_total,
        )
        return survey

    def _clear_strangers(self) -> None:
        """The source is one file: rsync's --delete does not look around it, so nothing else may lie there."""
        wanted = self._build_plan(shared=True).source.path.rpartition("/")[2]
        strangers = [str(path) for path in self._data.iterdir() if path.name != wanted]
        if strangers:
            run_command(["rm", "-rf", "--one-file-system", "--", *strangers], timeout=_SYNC_LIMIT)

    def _measure_by_du(self) -> int:
        access = self._require_access()
        ended = run_command(build_du_argv(access, access.socket), timeout=_DU_LIMIT)
        if ended.rc != 0:
            error_class, reason = classify_du_end(ended.rc, ended.stderr)
            raise self._explain(Verdict("failed", error_class, reason))
        try:
            return parse_du(ended.stdout)
        except ValueError as error:
            raise self._explain(Verdict("failed", "copy_failed", str(error))) from None

    def _reserve_space(self, survey: Survey) -> None:
        """Under the host's lock, so that two copies never count on the same free space."""
        manifest = self._manifest
        staged = count_bytes(self._data)
        with hold_lock(self._tree.lock):
            disk = read_disk(self._tree.root)
            held = self._sum_held()
            need = estimate_need(survey.bytes_total, survey.entries_total, staged, disk)
            error = check_space(need, held, Need(manifest.reserve_bytes, manifest.reserve_inodes), disk)
            if error is not None:
                raise TempoftpError(f"{manifest.source} does not fit: {error.message}", error.error_class)
            self._write_status(need_bytes=need.bytes, need_inodes=need.inodes)

    def _sum_held(self) -> Need:
        """Return what the other living copiers will still take."""
        total = Need(0, 0)
        for path in self._tree.staging("x").parent.iterdir():
            if path.name == self._manifest.id or not is_locked(self._tree.alive(path.name)):
                continue
            other = read_status(self._tree.status(path.name))
            if other is not None and other.phase in RUNNING_PHASES:
                total = Need(total.bytes + other.need_bytes, total.inodes + other.need_inodes)
        return total

    def _copy(self, survey: Survey, checksum: bool) -> Optional[Verdict]:
        """Run one pass; return why another one is needed, if so."""
        self._check_wanted()
        plan = self._build_plan(shared=survey.bytes_left < SHARED_COPY_LIMIT)
        argv = build_copy_argv(plan, self._is_file, f"{self._data}/", checksum)
        ended = stream_command(argv, self._follow(survey, Progress(0, None)), partial=True)
        verdict = self._read_verdict(ended)
        return verdict if verdict.kind == "again" else None

    def _follow(self, survey: Survey, seen: Progress) -> Callable[[str], None]:
        """Begin a pass of an rsync that was at *seen* when surveyed; return what takes its lines."""
        meter = Meter(self._status, survey, seen)
        self._write_status(phase="copying", passes=self._status.passes + 1)

        def take_line(line: str) -> None:
            # rsync has a line for every file: only what will be written is worth reading.
            if time.monotonic() - self._written < STATUS_INTERVAL:
                return
            progress = parse_progress(line)
            if progress is not None:
                self._status = meter.advance(self._status, progress)
                self._write_status()

        return take_line

    def _read_verdict(self, ended: Ended) -> Verdict:
        """Classify the end of a copy; raise TempoftpError when it failed for good."""
        self._status = self._status._replace(rc=ended.rc)
        verdict = classify_end(ended.rc, ended.stderr)
        if verdict.error_class == "no_space":
            verdict = verdict._replace(error_class=self._free_staging())
        if verdict.kind == "failed":
            raise self._explain(verdict)
        return verdict

    def _clear_useless(self, error_class: str) -> None:
        if error_class in _USELESS_AFTER:
            run_command(["rm", "-rf", "--one-file-system", "--", str(self._data)], timeout=_SYNC_LIMIT)
        with suppress(OSError):
            self._data.rmdir()

    def _free_staging(self) -> str:
        """A full disk harms every share: give back what this one took, and say which of the two ran out."""
        disk = read_disk(self._tree.root)
        error_class = "no_inodes" if disk.inodes_total and disk.inodes_free < 16 else "no_space"
        run_command(["rm", "-rf", "--one-file-system", "--", str(self._data)], timeout=_SYNC_LIMIT)
        return error_class

    def _sync(self) -> None:
        ended = run_command(["sync", "-f", "--", str(self._data)], timeout=_SYNC_LIMIT)
        if ended.rc != 0:
            raise TempoftpError(f"sync failed: {ended.stderr.strip()}: check the disk", "copy_failed")

    def _build_plan(self, shared: bool) -> CopyPlan:
        manifest, access = self._manifest, self._require_access()
        return CopyPlan(
            source=access.source,
            source_root=manifest.source_root,
            remote_shell=build_remote_shell(
                access, access.socket if shared and await_socket(access.socket) else None
            ),
            uid=manifest.uid,
            gid=manifest.gid,
            bwlimit=manifest.bwlimit,
        )

    def _require_access(self) -> Access:
        if self._access is None:
            self._access = read_access(self._manifest)
        return self._access

    def _explain(self, verdict: Verdict) -> TempoftpError:
        return build_copy_error(self._manifest, verdict)

    def _check_wanted(self) -> None:
        present = read_manifest(self._tree, self._manifest.id)
        if present is None or present.copied_for != self._manifest.copied_for or present.state != "copying":
            raise SupersededError

    def _write_status(self, **changes: object) -> None:
        self._status = self._status._replace(**changes)  # type: ignore[arg-type]
        self._written = time.monotonic()
        write_status(self._tree.status(self._manifest.id), self._status)

    @contextmanager
    def _measure(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._book(name, time.monotonic() - started)

    def _book(self, name: str, seconds: float) -> None:
        durations = dict(self._status.durations)
        durations[name] = round(durations.get(name, 0.0) + seconds, 4)
        self._status = self._status._replace(durations=durations)


def read_boot_id() -> str:
    """Return the kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def copy_share(root: Path, share_id: str) -> int:
    """Copy one share below *root*; the exit code is for the journal only, the status says how it ended."""
    tree = Tree(root)
    share_id = parse_id(share_id)
    manifest = read_manifest(tree, share_id)
    if manifest is None or manifest.state != "copying":
        return 0
    tree.staging(share_id).mkdir(mode=0o700, exist_ok=True)
    alive = take_lock(tree.alive(share_id), _ALIVE_WAIT)
    if alive is None:
        sys.stderr.write(f"another copier of {share_id} is running\n")
        return 0
    try:
        status = Copier(tree, manifest, read_boot_id()).run()
    except SupersededError:
        return 0
    if status.phase == "failed":
        sys.stderr.write(f"{status.error_class}: {status.message}\n")
        return 1
    return 0
