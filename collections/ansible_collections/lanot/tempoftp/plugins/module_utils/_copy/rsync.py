# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rsync: its command lines, what it prints, and what its failures mean. Everything here is pure.

The formats and messages are those of rsync 3.2.7 to 3.5.0 with ``LC_ALL=C``. Tests produce them with the real program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._host.names import Source, relativize_path

# How many names of left-out files a result contains; the others are only counted.
SKIPPED_LIMIT = 50

_COPY_OPTIONS = (
    "-rltp",
    "--delete",
    "--safe-links",
    "--no-devices",
    "--no-specials",
    "--chmod=D0750,F0640",
    "--no-human-readable",
)
_ITEM = re.compile(r"(?:[<>ch.][fdLDS][.+?a-zA-Z ]{9}|\*deleting  ) ?(?P<name>.*)", re.DOTALL)
_STATISTIC = re.compile(
    r"(?P<name>[A-Z][a-z ]+): (?P<value>[0-9][0-9,]*)(?: bytes)?(?: \((?P<kinds>[a-z0-9:, ]+)\))?"
)
_UNSAFE_LINK = re.compile(r'ignoring unsafe symlink "(?P<name>.*)" -> "(?P<target>.*)"')
_NON_REGULAR = re.compile(r'skipping non-regular file "(?P<name>.*)"')
_PROGRESS = re.compile(
    r"\s*(?P<bytes>[0-9][0-9,]*)\s+[0-9]+%\s+\S+\s+[0-9:]+"
    r"(?:\s+\(xfr#(?P<files>[0-9]+),(?: (?:to|ir)-chk=[0-9]+/(?P<listed>[0-9]+)\))?.*)?\s*"
)


class CopyPlan(NamedTuple):
    """What the rsync command lines of one share have in common.

    ``link_dest``: a folder on this host. Files that are the same there are linked instead of copied. ``inplace``: files
    are written in place, so that a killed copy goes on where it was. It needs a target without linked files.
    """

    source: Source
    source_root: Optional[str]
    remote_shell: str
    uid: int
    gid: int
    bwlimit: Optional[str] = None
    link_dest: Optional[str] = None
    inplace: bool = True


class Survey(NamedTuple):
    """The result of an itemized dry run: the totals, what is left to copy, and what will be left out."""

    entries_total: int = 0
    files_total: int = 0
    bytes_total: int = 0
    files_left: int = 0
    bytes_left: int = 0
    changes: int = 0
    skipped: tuple[str, ...] = ()
    skipped_total: int = 0


class Progress(NamedTuple):
    """What one rsync process has moved so far."""

    bytes: int
    files: Optional[int]
    # How many entries rsync has listed so far. The list of a big tree grows while it is copied.
    listed: Optional[int] = None


class Verdict(NamedTuple):
    """The meaning of an rsync's end: ``done``, ``again`` (another pass may help), ``file`` or ``failed``.

    ``file``: the source is no directory, so it must be named without a trailing slash. For ``again``, *error_class* is
    the error after the last pass.
    """

    kind: str
    error_class: str = ""
    reason: str = ""


def build_operand(plan: CopyPlan, is_file: bool) -> str:
    """Return rsync's source operand. A directory ends in ``/``, so that its contents are copied and not itself.

    A restricted key (rrsync) needs paths relative to its root. ``./`` keeps the path relative also when the key is not
    restricted: then it does not exist, instead of naming something below ``/``.
    """
    path = plan.source.path
    if plan.source_root is not None:
        relative = relativize_path(path, plan.source_root)
        path = "." if relative == "." else f"./{relative}"
    slash = "" if is_file else "/"
    login = f"{plan.source.user}@" if plan.source.user else ""
    return f"{login}{plan.source.host}:{path}{slash}"


def build_survey_argv(plan: CopyPlan, is_file: bool, target: str) -> list[str]:
    """Return the itemized dry run. ``name1`` makes it name unsafe links too (``symsafe`` alone does not)."""
    report = ["--dry-run", "--itemize-changes", "--stats", "--info=name1,nonreg1"]
    return ["rsync", *_COPY_OPTIONS, *report, *_build_tail(plan, is_file, target)]


def build_copy_argv(plan: CopyPlan, is_file: bool, target: str, checksum: bool) -> list[str]:
    """Return the copy itself. *checksum*: compare contents instead of size and time (after a power loss)."""
    options = ["--info=progress2,nonreg0,name0"]
    if checksum:
        options.append("--checksum")
    if plan.bwlimit:
        options.append(f"--bwlimit={plan.bwlimit}")
    return ["rsync", *_COPY_OPTIONS, *options, *_build_tail(plan, is_file, target)]


def build_small_argv(plan: CopyPlan, is_file: bool, target: str, max_size: int) -> list[str]:
    """Return a copy that leaves out files of more than *max_size* bytes."""
    argv = build_copy_argv(plan, is_file, target, checksum=False)
    return [argv[0], f"--max-size={max_size}", *argv[1:]]


def _build_tail(plan: CopyPlan, is_file: bool, target: str) -> list[str]:
    tail = [f"--chown={plan.uid}:{plan.gid}", f"--rsh={plan.remote_shell}"]
    if plan.inplace:
        tail.append("--inplace")
    if plan.link_dest is not None:
        tail.append(f"--link-dest={plan.link_dest}")
    if plan.source_root is None:
        # So no remote shell can interpret a path. rrsync refuses the option, and runs no shell.
        tail.append("--secluded-args")
    return [*tail, "--", build_operand(plan, is_file), target]


class SurveyReader:
    """Reads an itemized dry run line by line, so that a tree of any size fits in memory."""

    def __init__(self) -> None:
        self._changes = 0
        self._skipped: list[str] = []
        self._skipped_total = 0
        self._statistics: dict[str, tuple[int, str]] = {}

    def feed(self, line: str) -> None:
        """Read one line without its end. Lines of other kinds are ignored."""
        skipped = parse_skipped(line)
        if skipped is not None:
            self._skipped_total += 1
            if len(self._skipped) < SKIPPED_LIMIT:
                self._skipped.append(skipped)
        elif _ITEM.fullmatch(line):
            self._changes += 1
        else:
            match = _STATISTIC.fullmatch(line)
            if match:
                self._statistics[match["name"]] = (int(match["value"].replace(",", "")), match["kinds"] or "")

    def finish(self) -> Survey:
        """Return what was read."""
        entries, kinds = self._statistics.get("Number of files", (0, ""))
        return Survey(
            entries_total=entries,
            files_total=_count_kind(kinds, "reg"),
            bytes_total=self._statistics.get("Total file size", (0, ""))[0],
            files_left=self._statistics.get("Number of regular files transferred", (0, ""))[0],
            bytes_left=self._statistics.get("Total transferred file size", (0, ""))[0],
            changes=self._changes,
            skipped=tuple(self._skipped),
            skipped_total=self._skipped_total,
        )


def parse_skipped(line: str) -> Optional[str]:
    """Return the text about a left-out file for the requester, or None for another line."""
    match = _UNSAFE_LINK.fullmatch(line)
    if match:
        return f"{match['name']} -> {match['target']} (unsafe link)"
    match = _NON_REGULAR.fullmatch(line)
    return f"{match['name']} (not a regular file)" if match else None


def parse_progress(line: str) -> Optional[Progress]:
    """Read one ``progress2`` line, or return None. Files are unknown until the first one is complete."""
    match = _PROGRESS.fullmatch(line)
    if not match:
        return None
    files, listed = (int(match[name]) if match[name] else None for name in ("files", "listed"))
    return Progress(int(match["bytes"].replace(",", "")), files, listed)


def _count_kind(kinds: str, wanted: str) -> int:
    for part in kinds.split(", "):
        kind, _colon, count = part.partition(": ")
        if kind == wanted:
            return int(count.replace(",", ""))
    return 0


# Lines that rsync and ssh print at every failure.
_NOISE = re.compile(
    r"rsync error: |rsync: connection unexpectedly closed|rsync: \[\w+\] write error: Broken pipe|"
    r"IO error encountered|mux_client_|Control socket connect|ControlSocket "
)
_SSH_FAILURE = re.compile(
    r"ssh: |ssh_exchange_identification|kex_exchange_identification|Host key verification failed|"
    r"Connection (?:closed|reset|refused|timed out)|Connection to \S+ (?:closed|timed out)|No route to host|"
    r"Permission denied \((?:publickey|password|keyboard)|Timeout, server|client_loop: send disconnect"
)
_KILLED_CODES = (12, 14, 19, 20)
_NETWORK_CODES = (5, 10, 30, 35, 255)


def classify_end(rc: int, stderr: str) -> Verdict:
    """Return the meaning of an rsync's exit code and error output. A negative *rc* is the signal that killed it."""
    if rc == 0:
        return Verdict("done")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not _NOISE.match(line)]
    reason = _pick_reason(telling, rc)
    if rc == 11 or any("(28)" in line or "(122)" in line for line in telling):
        return Verdict("failed", "no_space", reason)
    ssh_lines = [line for line in telling if _SSH_FAILURE.search(line)]
    if rc in _NETWORK_CODES or (rc != 23 and ssh_lines):
        return Verdict("failed", "source_unreachable", _pick_reason(ssh_lines or telling, rc))
    for words, verdict in _SOURCE_WORDS:
        named = [line for line in telling if words in line and _is_about_source(line)]
        if named:
            return verdict._replace(reason=_pick_reason(named, rc))
    if rc == 24 or (rc == 23 and _is_about_change(telling)):
        return Verdict("again", "source_changing", reason)
    if rc < 0 or rc in _KILLED_CODES:
        return Verdict("again", "copy_failed", reason)
    return Verdict("failed", "copy_failed", reason)


_SOURCE_WORDS = (
    ("Not a directory", Verdict("file", "source_not_found")),
    ("Permission denied", Verdict("failed", "source_denied")),
    ("No such file or directory", Verdict("failed", "source_not_found")),
    ("do not use .. in", Verdict("failed", "source_denied")),
    ("unsafe arg:", Verdict("failed", "source_denied")),
)


def _is_about_source(line: str) -> bool:
    if "rrsync" in line:
        return True
    # A file in the tree that disappears during the copy is a change. Only the operand itself can be "not found".
    if "[sender]" in line:
        return "Permission denied" in line or "change_dir " in line or "link_stat " in line
    return False


def _is_about_change(lines: Sequence[str]) -> bool:
    words = ("failed verification", "vanished", "No such file or directory", "Stale file handle")
    return any(word in line for line in lines for word in words)


def _pick_reason(lines: Sequence[str], rc: int) -> str:
    if not lines:
        return f"rsync was killed by signal {-rc}" if rc < 0 else f"rsync ended with code {rc}"
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return lines[0][:400] + more
