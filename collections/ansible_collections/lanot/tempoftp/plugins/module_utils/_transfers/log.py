# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the new lines of a log that is rotated, compressed and appended to meanwhile. Nothing is written.

The position of an earlier reading is found again by the bytes before it, in a file of any name. So every kind of
rotation works, and a log that was truncated and has grown again is not confused with the earlier one.
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
"""So many bytes before a position identify it. They are more than a whole line with its time, since two logs may begin
with lines that have the same end."""
LINE_LIMIT = 64 * 1024
"""pure-ftpd writes no longer line, since its paths have at most 4096 bytes."""
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
    """The log was rotated while it was read: the lines read so far may be incomplete."""


class Position(NamedTuple):
    """How far the log has been read: *offset* in the file that has the bytes *anchor* before it.

    *consumed* counts all bytes ever read, so every line has a number that never changes. *newest*: the latest time.
    """

    offset: int = 0
    anchor: bytes = b""
    consumed: int = 0
    newest: int = 0


class LogFile(NamedTuple):
    """One file of the log. *age* orders the files: 0 is the current one, higher numbers are older."""

    path: Path
    age: int
    packed: str
    inode: int
    mtime: float


class Line(NamedTuple):
    """One whole line without its line end. *number*: the count of all bytes ever read before it."""

    number: int
    text: bytes


def list_log_files(path: Path) -> list[LogFile]:
    """Return the log and its rotated files, oldest first; raise LogError when the log itself is missing."""
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
        # With `dateext`, newer files have higher numbers; with plain rotation, lower ones.
        number = int(match["number"])
        order = -number if len(match["number"]) >= 8 else number
        packed = match["packed"] or ""
        file = LogFile(Path(entry.path), 0, packed, facts.st_ino, facts.st_mtime)
        # While a file is being compressed, both are there. The plain one is complete and is sorted first.
        numbered.append(((order, 1 if packed else 0), file))
    ages: dict[int, LogFile] = {}
    for (order, _packed), file in sorted(numbered, key=lambda entry: entry[0]):
        ages.setdefault(order, file)
    for age, order in enumerate(sorted(ages), start=1):
        found[age] = ages[order]._replace(age=age)
    return [found[age] for age in sorted(found, reverse=True)]


class LogReader:
    """One reading: from a position to the end of the log, or until *limit* bytes are read.

    *since*: files that were last written before this time are skipped (seconds since the epoch).
    """

    def __init__(self, path: Path, start: Position, since: float, limit: int) -> None:
        self._path = path
        self._start = start
        self._since = since
        self._limit = limit
        self.position = start
        self.gap = False
        """Whether the position of the earlier reading was not found."""
        self.behind = False
        """Whether lines are left unread."""
        self.damaged: list[str] = []
        """Rotated files that could not be unpacked to their end."""

    def read_lines(self) -> Iterator[Line]:
        """Yield every new line. After a RotatedError, begin again from the same position.

        A LogError means that the log cannot be read.
        """
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
        """Return the index of the file to begin with, and the offset in it."""
        if not self._start.offset:
            return 0, 0
        for index in range(len(files) - 1, -1, -1):
            if _holds(files[index], self._start):
                return index, self._start.offset
        self.gap = True
        return 0, 0

    def _is_there(self, files: list[LogFile]) -> bool:
        """Whether the position read last is still in a file. It is not if the log was truncated without a copy."""
        return (
            self.gap
            or not self.position.offset
            or any(_holds(file, self.position) for file in reversed(files))
        )

    def _read_file(self, file: LogFile, offset: int, limit: int) -> Iterator[Line]:
        """Yield the whole lines of one file. An incomplete last line is left for the next reading."""
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
                        # A line that is too long is only counted; its text is dropped.
                        yield Line(number, text[:-1] if whole else b"\0")
                        number = place.consumed
                        if place.offset - offset >= limit:
                            self.behind = True
                            return
                    whole = ended
            except _UNPACK_ERRORS:
                self.damaged.append(file.path.name)


def open_log(file: LogFile) -> Any:
    """Open a file of the log, and unpack it if it is compressed."""
    try:
        return _OPENERS[file.packed](file.path, "rb")
    except FileNotFoundError:
        raise RotatedError from None
    except OSError as error:
        raise LogError(f"{file.path} cannot be read ({error.strerror}): look at it") from None


def _holds(file: LogFile, position: Position) -> bool:
    """Whether a position is in this file: the bytes before the offset are its anchor."""
    try:
        with open_log(file) as stream:
            return _skip(stream, position.offset) == position.anchor
    except (LogError, RotatedError, *_UNPACK_ERRORS):
        return False


def _skip(stream: Any, offset: int) -> bytes:
    """Go to an offset; return the bytes before it, fewer if the file is shorter."""
    begin = max(0, offset - ANCHOR)
    stream.seek(begin)
    return bytes(stream.read(offset - begin))


def _identify(files: list[LogFile]) -> list[tuple[str, int]]:
    return [(file.path.name, file.inode) for file in files]
