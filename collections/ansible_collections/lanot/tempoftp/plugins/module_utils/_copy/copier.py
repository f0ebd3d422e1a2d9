# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copier: copies one share into staging, in its own systemd unit, and writes its result into ``status.json``.

Its only argument is the share's id. It probes (an itemized dry run gives the sizes and what is to be copied), checks
the space, copies, and verifies (the same dry run must find nothing left). When it is killed there is no final status,
and the next copier resumes: data that was copied is not copied again.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .._host.boot import read_boot_id
from .._host.commands import Ended
from .._host.errors import InvalidValueError, RootMissingError, TempoftpError
from .._host.lock import take_lock
from .._host.names import parse_id
from .._host.root import check_root
from .._host.space import explain_os_error
from .._host.stream import Stream
from .._host.tree import Tree
from .._record.manifest import Manifest, read_manifest
from .._record.status import Status, read_status
from .bind import FOLDER_MODE, check_bind_source, is_bind
from .checksums import add_sums, compare_sums, compute_at_source, compute_here, remove_sums
from .held_copy import SMALL_BYTES, HeldCopy, reserve_small
from .local import check_local_path
from .passes import PASSES, SHARED_COPY_LIMIT, Passes
from .progress import Report, SupersededError
from .reflink import Cloner, ImpossibleError, can_clone
from .reuse import find_base
from .rsync import Clamped, Progress, Survey, build_copy_argv, parse_progress
from .staging import clear_access_lists, drop_linked_files, prepare_data, remove_data, sync_data
from .verdicts import Verdict

# Seconds.
_ALIVE_WAIT = 2.0

# After these errors, the data in staging is of no use to a second try.
_USELESS_AFTER = frozenset({"source_not_found", "too_large"})


class Copier:
    """One copy of one generation of a share."""

    def __init__(self, tree: Tree, manifest: Manifest, boot_id: str) -> None:
        self._tree = tree
        self._manifest = manifest
        self._data = tree.data(manifest.id)
        self._report = Report(tree, manifest, boot_id)
        self._passes = Passes(tree, manifest, self._report)

    def run(self) -> Status:
        """Copy, write the final status and return it; SupersededError when the copy is no longer wanted."""
        earlier = read_status(self._tree.status(self._manifest.id))
        try:
            self._report.write(phase="probing")
            access = self._passes.require_access()
            if access.local:
                check_local_path(self._tree, access.source.path)
            if is_bind(self._manifest):
                self._prepare_bind()
            else:
                self._copy_all(earlier)
            self._report.write(phase="verifying")
            # Somebody may have set access lists during the copy.
            clear_access_lists(self._data)
            with self._report.measure("sync"):
                sync_data(self._data)
        except (TempoftpError, OSError) as found:
            # Without the disk every other reason is only a consequence.
            check_root(self._tree.root)
            error = found if isinstance(found, TempoftpError) else self._explain_os_error(found)
            self._report.check_wanted()
            self._clear_useless(error.error_class)
            self._report.write(
                phase="failed",
                error_class=error.error_class,
                message=error.message,
                need_bytes=0,
                need_inodes=0,
            )
        else:
            self._report.check_wanted()
            inode = os.lstat(self._data).st_ino
            self._report.write(phase="done", inode=inode, need_bytes=0, need_inodes=0, rc=0)
        return self._report.status

    def _explain_os_error(self, error: OSError) -> TempoftpError:
        """Classify an error of the system. On a full disk, first remove the data: else no status can be written."""
        explained = explain_os_error(error, self._manifest.source, self._tree.root)
        if explained.error_class in ("no_space", "no_inodes"):
            remove_data(self._data)
        return explained

    def _must_checksum(self, earlier: Optional[Status]) -> bool:
        """Whether the host rebooted during the copy: then a file may have its size and time but not its content."""
        boots = {self._manifest.boot_id, earlier.boot_id if earlier else self._report.status.boot_id}
        return boots != {self._report.status.boot_id} and any(self._data.iterdir())

    def _prepare_bind(self) -> None:
        """Measure a source that is mounted instead of copied, and make the empty folder to mount it on."""
        check_bind_source(self._tree, self._manifest)
        remove_data(self._data)
        prepare_data(self._data)
        self._data.chmod(FOLDER_MODE)
        survey = self._passes.probe()
        if survey.unsafe_total:
            raise InvalidValueError(
                f"{self._manifest.source} cannot be mounted, since a mount leaves nothing out and these must not be "
                f"shared: {', '.join(survey.skipped[:5])}; use copy"
            )
        self._report.note(
            bytes_done=survey.bytes_total, files_done=survey.files_total, delivered_by="bind", need_bytes=0
        )

    def _copy_all(self, earlier: Optional[Status]) -> None:
        prepare_data(self._data)
        if self._manifest.checksums:
            remove_sums(self._data)
        checksum = self._must_checksum(earlier)
        self._report.note(delivered_by="copy" if self._manifest.local else "rsync")
        self._seed()
        self._copy_until_equal(checksum, None)
        while self._manifest.checksums:
            mismatch = self._deliver_checksums()
            if mismatch is None:
                break
            self._copy_until_equal(True, mismatch)

    def _seed(self) -> None:
        """Link or clone files that need not be transferred. The passes copy what is missing or wrong afterwards."""
        manifest = self._manifest
        base = find_base(self._tree, manifest)
        if base is not None:
            self._link_from(base)
        elif manifest.method == "reflink" or (manifest.local and manifest.method == "auto"):
            possible = can_clone(self._tree.staging(manifest.id)) and self._clone()
            if not possible and manifest.method == "reflink":
                raise InvalidValueError(
                    f"{manifest.source} cannot be delivered by reflink: that needs a source on the filesystem of "
                    f"{self._tree.root}, and one that can (xfs, btrfs); use auto or copy"
                )

    def _link_from(self, base: Path) -> None:
        """Link what has not changed since *base* was delivered, copy the rest, and reserve room for the rest only."""
        self._passes.base = base
        survey = self._passes.probe()
        linked = survey.files_total - survey.files_left
        if linked and self._passes.reserve(survey.bytes_left, survey.entries_total - linked) is None:
            self._passes.linked = True
            ended = self._run_linking(survey)
            if ended is not None:
                self._passes.read_verdict(ended)
            self._report.note(delivered_by="links", passes=0)
        self._passes.base = None

    def _run_linking(self, survey: Survey) -> Optional[Ended]:
        """Run the rsync that links; return None when it was killed since it copied more than room is reserved for.

        That happens when the earlier share is removed in the middle. The passes then copy what is left.
        """
        limit = survey.bytes_left + SMALL_BYTES
        plan = self._passes.build_plan(shared=survey.bytes_left < SHARED_COPY_LIMIT)
        argv = build_copy_argv(plan, self._passes.is_file, f"{self._data}/", checksum=False)
        with self._report.measure("copy"):
            follow = self._passes.follow(survey, Progress(0, None))

            def take_line(line: str) -> bool:
                progress = parse_progress(line)
                return follow(line) or (progress is not None and progress.bytes > limit)

            with Stream(argv, take_line, partial=True) as stream:
                return stream.read()

    def _clone(self) -> bool:
        """Clone the files of a local source; say whether the filesystem supports that."""
        manifest, source = self._manifest, self._passes.require_access().source
        survey = self._passes.probe()
        error = self._passes.reserve(0, survey.entries_total)
        if error is not None:
            raise error
        try:
            with self._report.measure("copy"):
                cloner = Cloner(self._data, source.user, manifest.uid, manifest.gid)
                cloner.clone(Path(source.path), self._passes.is_file)
        except ImpossibleError:
            return False
        except OSError as failure:
            raise TempoftpError(f"{manifest.source} could not be cloned: {failure}", "copy_failed") from None
        self._report.note(delivered_by="reflink")
        return True

    def _deliver_checksums(self) -> Optional[Verdict]:
        """Add SHA256SUMS to the share; or return why another pass is needed first."""
        self._report.check_wanted()
        self._report.write(phase="verifying")
        staging, access = self._tree.staging(self._manifest.id), self._passes.require_access()
        theirs, ours = staging / "sums.source", staging / "sums"
        with self._report.measure("checksums"):
            try:
                compute_here(self._data, ours)
                # With a key that is restricted to one root, no command can run.
                shell = access.local or self._manifest.source_root is None
                socket = self._passes.choose_socket(True)
                by_source = shell and compute_at_source(access, socket, self._passes.is_file, theirs)
                name = compare_sums(theirs, ours) if by_source else None
            finally:
                theirs.unlink(missing_ok=True)
        if name is not None:
            reason = f"at the source {name} has another checksum than in the copy"
            return Verdict("again", "copy_failed", reason)
        add_sums(self._data, ours, self._manifest.uid, self._manifest.gid)
        self._report.note(checksums_by="source" if by_source else "arrival")
        return None

    def _copy_until_equal(self, checksum: bool, mismatch: Optional[Verdict]) -> None:
        if checksum and self._passes.linked:
            # A pass that compares contents writes into files in place: no other share may have them as well.
            drop_linked_files(self._data)
            self._passes.linked = False
        survey = self._passes.probe() if checksum or not self._may_copy_at_once() else self._copy_at_once()
        verdict = Verdict("again", "source_changing", "its files changed during every pass")
        if mismatch is not None and not survey.changes:
            verdict = mismatch
        copied = Clamped()
        while (
            survey.changes
            or checksum
            or (survey.clamped.different and survey.clamped.digest != copied.digest)
        ):
            if self._report.status.passes == PASSES:
                raise self._passes.explain(verdict)
            if self._report.status.passes == 0 or survey.bytes_left > self._report.status.need_bytes:
                with self._report.measure("space"):
                    self._passes.reserve_space(survey)
            with self._report.measure("copy"):
                verdict = self._passes.copy(survey, checksum) or verdict
            checksum, copied = False, survey.clamped
            survey = self._passes.verify()
        self._report.note(bytes_done=survey.bytes_total, files_done=survey.files_total)

    def _may_copy_at_once(self) -> bool:
        """Whether nothing is staged yet, and there is room for a copy that is started without measuring."""
        if self._manifest.size_probe != "rsync" or any(self._data.iterdir()):
            return False
        return reserve_small(self._tree, self._manifest, self._report)

    def _copy_at_once(self) -> Survey:
        """Copy before the source is measured; return what is left to do afterwards."""
        rest = HeldCopy(self._passes, self._report, self._data).run()
        return self._survey_copied() if rest is None else rest

    def _survey_copied(self) -> Survey:
        """Compare after a copy at once. When it finds nothing left it is the verification, else the probe."""
        self._report.write(phase="verifying")
        started = time.monotonic()
        survey = self._passes.survey()
        self._report.add_seconds("probe" if survey.changes else "verify", time.monotonic() - started)
        return survey

    def _clear_useless(self, error_class: str) -> None:
        if error_class in _USELESS_AFTER:
            remove_data(self._data)
        with suppress(OSError):
            self._data.rmdir()


def copy_share(root: Path, share_id: str) -> int:
    """Copy one share below *root*; the exit code is only for the journal, the result is in the status."""
    tree = Tree(root)
    share_id = parse_id(share_id)
    try:
        return _copy_on_disk(tree, share_id)
    except RootMissingError as error:
        # No status: there is no place to write it, and the copy goes on when the disk is back.
        sys.stderr.write(f"{error.message}\n")
        return 1


def _copy_on_disk(tree: Tree, share_id: str) -> int:
    check_root(tree.root)
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
