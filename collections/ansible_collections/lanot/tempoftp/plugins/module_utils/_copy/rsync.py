# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rsync: its command lines, and what its dry runs and copies print. Everything here is pure.

The formats are those of rsync 3.2.3 to 3.5.0 with ``LC_ALL=C``. Tests produce them with the real programs.
"""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import Callable
from typing import NamedTuple, Optional

from .._host.errors import TempoftpError
from .._host.names import (
    UNFETCHABLE,
    Source,
    decode_name,
    encode_name,
    is_fetchable,
    relativize_path,
    show_name,
)

# How many names of left-out files a result contains; the others are only counted.
SKIPPED_LIMIT = 50
# A source that lists entries for ever must not fill memory and time. No real folder comes near this.
MAX_ENTRIES = 50_000_000

# Seconds in which a source may say nothing: then rsync gives it up. An rsync that works says that it is alive. One that
# compares contents is silent while it reads a file, however big that is. (Tests set less.)
SILENCE_LIMIT = int(os.environ.get("TEMPOFTP_SILENCE_SECONDS", "1800"))
_CHECKSUM_FACTOR = 24

# From this version on rsync escapes what its remote shell would read in an argument, and knows ``--info=nonreg``.
# Before it, files that are not regular are always named.
ESCAPES_SINCE = (3, 2, 4)
_PLAIN_IN_SHELL = re.compile(r"[A-Za-z0-9_./@+,:=\x80-\U0010ffff-]")

_COPY_OPTIONS = (
    # Before 3.2.4, --chown does nothing without -o and -g.
    "-rltpog",
    "--delete",
    "--safe-links",
    "--no-devices",
    "--no-specials",
    "--chmod=D0750,F0640",
    "--no-human-readable",
)
# What changes, how long the entry is, its time at the source (UTC), its name and the target of a link.
SURVEY_FORMAT = "--out-format=%i %l %M %n%L"
_ITEM = re.compile(
    r"(?P<what>[<>ch.](?P<kind>[fdLDS])[.+?a-zA-Z ]{9}|\*deleting  ) +(?P<length>[0-9]+) "
    r"(?P<time>-?[0-9]{4,}/[0-9/:-]+) (?P<name>.*)",
    re.DOTALL,
)
_ONLY_THE_TIME = re.compile(r"[>.c][fdL]\.\.t\.+")
# Every filesystem can hold the times of these years.
_SURE_YEARS = range(1970, 2038)
_ESCAPE = re.compile(rb"\\#([0-7]{3})")
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
    ``version``: of the rsync on this host.
    """

    source: Source
    source_root: Optional[str]
    remote_shell: str
    uid: int
    gid: int
    bwlimit: Optional[str] = None
    link_dest: Optional[str] = None
    inplace: bool = True
    version: tuple[int, ...] = ESCAPES_SINCE


class Clamped(NamedTuple):
    """The entries whose times the target's filesystem cannot hold: it keeps another time instead.

    ``digest`` is the same for two dry runs when the same entries have the same sizes and times at the source.
    ``different``: how many differ from the source in nothing but that time.
    """

    digest: int = 0
    different: int = 0


class Survey(NamedTuple):
    """The result of an itemized dry run: the totals, what is left to copy, and what will be left out.

    ``skipped`` also has the names that no recipient can fetch, and those with another time. ``unsafe_total`` counts
    only links that lead out of the folder, and what is no regular file. ``folders_total`` has the folder itself.
    """

    entries_total: int = 0
    files_total: int = 0
    bytes_total: int = 0
    files_left: int = 0
    bytes_left: int = 0
    changes: int = 0
    skipped: tuple[str, ...] = ()
    skipped_total: int = 0
    unsafe_total: int = 0
    folders_total: int = 0
    clamped: Clamped = Clamped()


class Progress(NamedTuple):
    """What one rsync process has moved so far."""

    bytes: int
    files: Optional[int]
    # How many entries rsync has listed so far. The list of a big tree grows while it is copied.
    listed: Optional[int] = None


def build_operand(plan: CopyPlan, is_file: bool) -> str:
    """Return rsync's source operand. A directory ends in ``/``, so that its contents are copied and not itself.

    A restricted key (rrsync) needs paths relative to its root. ``./`` keeps the path relative also when the key is not
    restricted: then it does not exist, instead of naming something below ``/``.
    """
    path = plan.source.path
    if plan.source_root is not None:
        relative = relativize_path(path, plan.source_root)
        path = "." if relative == "." else f"./{relative}"
        if plan.version < ESCAPES_SINCE:
            # rrsync reads the path as a shell does. Without a root, --protect-args keeps it from both.
            path = "".join(letter if _PLAIN_IN_SHELL.fullmatch(letter) else f"\\{letter}" for letter in path)
    slash = "" if is_file else "/"
    login = f"{plan.source.user}@" if plan.source.user else ""
    return f"{login}{plan.source.host}:{path}{slash}"


def build_survey_argv(plan: CopyPlan, is_file: bool, target: str) -> list[str]:
    """Return the itemized dry run. ``name1`` makes it name unsafe links too (``symsafe`` alone does not)."""
    report = [
        f"--timeout={SILENCE_LIMIT}",
        "--dry-run",
        "--itemize-changes",
        SURVEY_FORMAT,
        "--stats",
        "--info=name1,nonreg1" if plan.version >= ESCAPES_SINCE else "--info=name1",
    ]
    return ["rsync", *_COPY_OPTIONS, *report, *_build_tail(plan, is_file, target)]


def build_copy_argv(plan: CopyPlan, is_file: bool, target: str, checksum: bool) -> list[str]:
    """Return the copy itself. *checksum*: compare contents instead of size and time (after a power loss)."""
    # --sparse: runs of zeros become holes, which take no room (docs/decisions/0141-holes-stay-holes.md).
    limit = SILENCE_LIMIT * (_CHECKSUM_FACTOR if checksum else 1)
    info = "progress2,nonreg0,name0" if plan.version >= ESCAPES_SINCE else "progress2,name0"
    options = [f"--timeout={limit}", f"--info={info}", "--sparse", f"--exclude={UNFETCHABLE}"]
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
        # So no remote shell can interpret a path. rrsync refuses the option, and runs no shell. Its newer name
        # (--secluded-args) came with 3.2.6.
        tail.append("--protect-args")
    return [*tail, "--", build_operand(plan, is_file), target]


class SurveyReader:
    """Reads an itemized dry run line by line, so that a tree of any size fits in memory.

    *holds_time*: whether the target's filesystem can hold a time (seconds since the epoch); without it, it can.
    """

    def __init__(self, holds_time: Optional[Callable[[int], bool]] = None) -> None:
        self._holds_time = holds_time
        self._changes = 0
        self._skipped: list[str] = []
        self._skipped_total = 0
        self._unsafe_total = 0
        self._statistics: dict[str, tuple[int, str]] = {}
        # What the statistics count and a share does not: entries that cannot be fetched, and files that only differ
        # in a time that the target cannot hold.
        self._without = Survey()
        self._clamped = Clamped()
        self.link = ""
        """The last link, as ``name -> target``."""

    def feed(self, line: str) -> None:
        """Read one line without its end. Lines of other kinds are ignored.

        Raises TempoftpError (``too_large``) for a source with more than ``MAX_ENTRIES`` entries.
        """
        item = _ITEM.fullmatch(line)
        if item:
            self._take_item(item)
            self._check_entries()
            return
        skipped = parse_skipped(line)
        if skipped is not None:
            if skipped.endswith(_UNSAFE):
                self.link = skipped[: -len(_UNSAFE)]
            self._unsafe_total += 1
            self._skip(skipped)
            self._check_entries()
            return
        match = _STATISTIC.fullmatch(line)
        if match:
            self._statistics[match["name"]] = (int(match["value"].replace(",", "")), match["kinds"] or "")

    def take_item(self, kind: str, length: int) -> None:
        """Do nothing more with an entry that differs; a reader that counts them overrides it."""

    def finish(self) -> Survey:
        """Return what was read."""
        entries, kinds = self._statistics.get("Number of files", (0, ""))
        less = self._without
        return Survey(
            entries_total=entries - less.entries_total,
            files_total=_count_kind(kinds, "reg") - less.files_total,
            bytes_total=self._read_statistic("Total file size") - less.bytes_total,
            files_left=self._read_statistic("Number of regular files transferred") - less.files_left,
            bytes_left=self._read_statistic("Total transferred file size") - less.bytes_left,
            changes=self._changes,
            skipped=tuple(self._skipped),
            skipped_total=self._skipped_total,
            unsafe_total=self._unsafe_total,
            folders_total=_count_kind(kinds, "dir"),
            clamped=self._clamped,
        )

    def _check_entries(self) -> None:
        if self._changes + self._skipped_total > MAX_ENTRIES:
            raise TempoftpError(f"the source has more than {MAX_ENTRIES} entries: ask for less", "too_large")

    def _read_statistic(self, name: str) -> int:
        return self._statistics.get(name, (0, ""))[0]

    def _take_item(self, item: re.Match[str]) -> None:
        kind, length, name = item["kind"], int(item["length"]), decode_escapes(item["name"])
        if kind is None:
            self._changes += 1
            return
        if kind == "L":
            self.link = show_name(name)
        if not is_fetchable(_cut_target(encode_name(name), length) if kind == "L" else encode_name(name)):
            self._leave_out(kind, length, name)
            return
        self.take_item(kind, length)
        if not self._holds(item["time"]):
            digest = self._clamped.digest ^ hash((name, length, item["time"]))
            self._clamped = self._clamped._replace(digest=digest)
            date = item["time"].partition("-")[0].replace("/", "-")
            self._skip(f"{show_name(name)} (delivered, but the FTP host's disk cannot hold its date {date})")
            if _ONLY_THE_TIME.fullmatch(item["what"]):
                self._clamped = self._clamped._replace(different=self._clamped.different + 1)
                self._forget(kind, length, total=False)
                return
        self._changes += 1

    def _leave_out(self, kind: str, length: int, name: str) -> None:
        """Count an entry that no recipient can fetch."""
        self._skip(f"{show_name(name)} (FTP clients cannot fetch this name)")
        self._forget(kind, length, total=True)

    def _forget(self, kind: str, length: int, total: bool) -> None:
        """Take an entry out of what is left to copy, and with *total* out of all numbers."""
        less, files = self._without, kind == "f"
        less = less._replace(
            files_left=less.files_left + files, bytes_left=less.bytes_left + (length if files else 0)
        )
        if total:
            less = less._replace(
                entries_total=less.entries_total + 1,
                files_total=less.files_total + files,
                bytes_total=less.bytes_total + (length if kind in "fL" else 0),
            )
        self._without = less

    def _holds(self, time: str) -> bool:
        year = int(time[: time.index("/", 1)])
        return year in _SURE_YEARS or self._holds_time is None or self._holds_time(parse_time(time))

    def _skip(self, text: str) -> None:
        self._skipped_total += 1
        if len(self._skipped) < SKIPPED_LIMIT:
            self._skipped.append(text)


_UNSAFE = " (unsafe link)"


def _cut_target(text: bytes, length: int) -> bytes:
    """Return the name of ``name -> target``. The length of a link is that of its target."""
    return text[: len(text) - length - len(b" -> ")]


def parse_skipped(line: str) -> Optional[str]:
    """Return the text about a left-out file for the requester, or None for another line."""
    match = _UNSAFE_LINK.fullmatch(line)
    if match:
        return show_name(decode_escapes(f"{match['name']} -> {match['target']}")) + _UNSAFE
    match = _NON_REGULAR.fullmatch(line)
    return f"{show_name(decode_escapes(match['name']))} (not a regular file)" if match else None


def decode_escapes(text: str) -> str:
    r"""Return a name as it is on the disk: rsync prints each byte that is not plain ASCII as ``\#ooo``."""
    return decode_name(_ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), encode_name(text)))


def parse_time(text: str) -> int:
    """Return the seconds since the epoch of ``%M``, in UTC and for any year."""
    year, month, day, hour, minute, second = (int(part) for part in re.findall(r"(?:^-)?[0-9]+", text))
    # The calendar repeats itself every 400 years, and Python's ends with the year 9999.
    eras, within = divmod(year - 2000, 400)
    return calendar.timegm((2000 + within, month, day, hour, minute, second)) + eras * 146097 * 86400


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
