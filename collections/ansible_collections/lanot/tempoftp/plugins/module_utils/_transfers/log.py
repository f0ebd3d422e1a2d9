# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what is new in a log that is rotated, compressed and written to meanwhile. Nothing is written.

Where an earlier reading stopped is known again by the bytes before that place, whatever the file is called by now: so
it makes no difference how the log was rotated, and one that was truncated and has grown again is not taken for the old.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

ANCHOR = 8192
"""Bytes before a place by which it is known again: more than a whole line with its time, since two logs may begin with
a line that ends the same."""
LINE_LIMIT = 64 * 1024
"""A longer line is no line of pure-ftpd, whose paths have 4096 bytes at most."""
_ROTATED = re.compile(r"[.-](?P<number>\d{1,14})(?P<packed>\.gz|\.bz2|\.xz)?")
_OPENERS: dict[str, Callable[[Path, str], Any]] = {
    "": open,
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_UNPACK_ERRORS = (OSError, EOFError, lzma.LZMAError, zlib.error)


class LogError(Exception):
    """The log cannot be read; the message says which, why, and what to do."""


class RotatedError(Exception):
    """The log was rotated while it was read: what was read so far may lack something."""


class Position(NamedTuple):
    """How far the log has been read: *offset* in the file that has *anchor* before it.

    *consumed* counts all bytes ever read, and so numbers every line for good; *newest* is the latest time among them.
    """

    offset: int = 0
    anchor: bytes = b""
    consumed: int = 0
    newest: int = 0


class LogFile(NamedTuple):
    """One file of the log. *age* orders them: 0 is the one that is written to, higher ones are older."""

    path: Path
    age: int
    packed: str
    inode: int
    mtime: float


class Line(NamedTuple):
    """One whole line without its end; *number* is its place among all that was ever read."""

    number: int
    text: bytes


def list_log_files(path: Path) -> list[LogFile]:
    """Return the log and what was rotated from it, oldest first; raise LogError without the log itself."""
    try:
        facts = path.stat()
    except OSError as error:
        raise LogError(
            f"{path} cannot be read ({error.strerror}): check pure-ftpd's AltLog, or say where its log is"
        ) from None
    found = {0: LogFile(path, 0, "", facts.st_ino, facts.st_mtime)}
    numbered: list[tuple[tuple[int, int], LogFile]] = []
    for entry in os.scandir(path.parent):
        match = _ROTATED.fullmatch(entry.name[len(path.name) :]) if entry.name.startswith(path.name) else None
        if match is None or not entry.is_file(follow_symlinks=False):
            continue
        try:
            facts = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        # `dateext` gives higher numbers to younger files, plain rotation lower ones.
        number = int(match["number"])
        order = -number if len(match["number"]) >= 8 else number
        packed = match["packed"] or ""
        file = LogFile(Path(entry.path), 0, packed, facts.st_ino, facts.st_mtime)
        # While one is being compressed both are there: the plain one, sorted first, is whole.
        numbered.append(((order, 1 if packed else 0), file))
    ages: dict[int, LogFile] = {}
    for (order, _packed), file in sorted(numbered, key=lambda entry: entry[0]):
        ages.setdefault(order, file)
    for age, order in enumerate(sorted(ages), start=1):
        found[age] = ages[order]._replace(age=age)
    return [found[age] for age in sorted(found, reverse=True)]


class LogReader:
    """One reading: from a position to the end of the log, or until *limit* bytes are read.

    *since*: files that were closed before it have nothing that is asked for (seconds since the epoch).
    """

    def __init__(self, path: Path, start: Position, since: float, limit: int) -> None:
        self._path = path
        self._start = start
        self._since = since
        self._limit = limit
        self.position = start
        self.gap = False
        """Whether the place of the earlier reading was nowhere to be found."""
        self.behind = False
        """Whether there is more than was read."""
        self.damaged: list[str] = []
        """Rotated files that could not be unpacked to their end."""

    def read_lines(self) -> Iterator[Line]:
        """Give every new line. RotatedError: begin again, from the same position; LogError: it cannot be read."""
        files = list_log_files(self._path)
        begin, offset = self._find_begin(files)
        for file in files[begin:]:
            if file.age and file.mtime < self._since:
                offset = 0
                continue
            limit = self._limit - (self.position.consumed - self._start.consumed)
            yield from self._read_file(file, offset, limit)
            if self.behind:
                break
            offset = 0
        if _identify(list_log_files(self._path)) != _identify(files) or not self._is_there(files):
            raise RotatedError

    def _find_begin(self, files: list[LogFile]) -> tuple[int, int]:
        """Return the index of the file to begin with, and where in it."""
        if not self._start.offset:
            return 0, 0
        for index in range(len(files) - 1, -1, -1):
            if _holds(files[index], self._start):
                return index, self._start.offset
        self.gap = True
        return 0, 0

    def _is_there(self, files: list[LogFile]) -> bool:
        """Whether the log was not truncated under us without a copy: what was read last is still in it."""
        return (
            self.gap
            or not self.position.offset
            or any(_holds(file, self.position) for file in reversed(files))
        )

    def _read_file(self, file: LogFile, offset: int, limit: int) -> Iterator[Line]:
        """Give the whole lines of one file; what stands after its last line's end waits for the next time."""
        with open_log(file) as stream:
            try:
                anchor = _skip(stream, offset)
                place = self.position._replace(offset=offset, anchor=anchor)
                number, whole = place.consumed, True
                while text := stream.readline(LINE_LIMIT):
                    ended = text.endswith(b"\n")
                    if not ended and len(text) < LINE_LIMIT:
                        return
                    place = place._replace(
                        offset=place.offset + len(text),
                        anchor=(place.anchor + text)[-ANCHOR:],
                        consumed=place.consumed + len(text),
                    )
                    if ended:
                        self.position = place
                        # Of a line that was too long nothing is told but that it was there.
                        yield Line(number, text[:-1] if whole else b"\0")
                        number = place.consumed
                        if place.offset - offset >= limit:
                            self.behind = True
                            return
                    whole = ended
            except _UNPACK_ERRORS:
                self.damaged.append(file.path.name)


def open_log(file: LogFile) -> Any:
    """Open a file of the log, through what unpacks it."""
    try:
        return _OPENERS[file.packed](file.path, "rb")
    except FileNotFoundError:
        raise RotatedError from None
    except OSError as error:
        raise LogError(f"{file.path} cannot be read ({error.strerror}): look at it") from None


def _holds(file: LogFile, position: Position) -> bool:
    """Whether a position is in this file: the same bytes stand before it."""
    try:
        with open_log(file) as stream:
            return _skip(stream, position.offset) == position.anchor
    except (LogError, RotatedError, *_UNPACK_ERRORS):
        return False


def _skip(stream: Any, offset: int) -> bytes:
    """Go to an offset; return the bytes before it, fewer where the file ends sooner."""
    begin = max(0, offset - ANCHOR)
    stream.seek(begin)
    return bytes(stream.read(offset - begin))


def _identify(files: list[LogFile]) -> list[tuple[str, int]]:
    return [(file.path.name, file.inode) for file in files]
