# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of pure-ftpd's transfer log → transfers → how often a file was fetched, completely or in part. Pure.

The log has the number of bytes of a transfer, but not where in the file it began, nor whether it was interrupted.
docs/decisions/0061-what-counts-as-a-download.md has the measurements and the reasons for this way of counting.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional
from urllib.parse import unquote_to_bytes

from .._host.names import decode_name

CHUNK = 128 * 1024
"""pure-ftpd counts bytes in steps of this size. The last step of an interrupted transfer is not in the log."""
BUFFERED = 16 * 1024 * 1024
"""So many bytes of an interrupted transfer may be in the log, but still in the kernels' buffers."""
RESUME_WINDOW = 7 * 24 * 3600
"""Seconds after which an interrupted download no longer counts as resumed."""
PIECES_KEPT = 200
"""At most so many pieces of one file wait for the rest. If there are more, the two oldest are joined."""

_W3C = re.compile(
    rb"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \S+ \[\](?P<verb>sent|created) (?P<path>/\S*) 226 (?P<account>\S+)"
    rb" (?P<size>\d{1,19})"
)
_CLF = re.compile(
    rb"\S+ - (?P<account>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) (?P<sign>[+-])(?P<offset>\d{4})\]"
    rb' "(?P<verb>GET|PUT) (?P<path>/\S*)" 200 (?P<size>\d{1,19})'
)
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name.encode("ascii"): number for number, name in enumerate(_MONTH_NAMES, start=1)}


class Transfer(NamedTuple):
    """One transfer that ended: *at* in seconds since the epoch, *size* in bytes, *path* as on the host."""

    at: int
    account: str
    path: str
    size: int
    download: bool


class Piece(NamedTuple):
    """A transfer of a part of a file. It waits for the other parts."""

    size: int
    at: int


class FileCount(NamedTuple):
    """How often a file was fetched. *dropped*: pieces whose other parts never came."""

    complete: int = 0
    dropped: int = 0
    last: Optional[int] = None
    pieces: tuple[Piece, ...] = ()

    @property
    def partial(self) -> int:
        """The number of non-empty transfers that do not belong to a complete download."""
        return self.dropped + _count_nonempty(self.pieces)


def parse_line(line: bytes) -> Optional[Transfer]:
    """Return the transfer of a line of the log, or None for a line of another form.

    The two formats that encode names are read, ``w3c`` and ``clf``. In the others a file name could forge a line.
    """
    match = _W3C.fullmatch(line) or _CLF.fullmatch(line)
    if match is None:
        return None
    at = _parse_time(match)
    if at is None:
        return None
    return Transfer(
        at=at,
        account=decode_name(match["account"]),
        path=decode_name(unquote_to_bytes(match["path"])),
        size=int(match["size"]),
        download=match["verb"] in (b"sent", b"GET"),
    )


def is_comment(line: bytes) -> bool:
    """Whether a line is a header of w3c, or empty."""
    return not line or line.startswith(b"#")


def _parse_time(match: re.Match[bytes]) -> Optional[int]:
    text = match["time"]
    try:
        if b"/" not in text:
            year, month, day, hour, minute, second = (int(part) for part in re.split(rb"[- :]", text))
            return calendar.timegm((year, month, day, hour, minute, second))
        # strptime is slow, and its names of months depend on the locale.
        date, name, rest = text.split(b"/")
        year, hour, minute, second = (int(part) for part in rest.split(b":"))
        local = calendar.timegm((year, _MONTHS[name], int(date), hour, minute, second))
        offset = (int(match["offset"][:2]) * 60 + int(match["offset"][2:])) * 60
    except (KeyError, ValueError, OverflowError):
        return None
    # In summer this is one hour wrong: pure-ftpd writes the zone's offset without daylight saving. w3c has UTC.
    return local - offset if match["sign"] == b"+" else local + offset


def add_transfer(count: FileCount, file_size: int, size: int, at: int) -> FileCount:
    """Return *count* with one more transfer of *size* bytes of a file that has *file_size*.

    A transfer of at least the whole file is a complete download. A shorter one waits for others. The newest pieces are
    one complete download when together they have the bytes of the file and one of them reached its end.
    """
    last = at if count.last is None else max(at, count.last)
    if size >= file_size:
        return count._replace(complete=count.complete + 1, last=last)
    fresh = [piece for piece in count.pieces if piece.at >= at - RESUME_WINDOW]
    dropped = count.dropped + _count_nonempty(count.pieces) - _count_nonempty(fresh)
    pieces = _limit([*fresh, Piece(size, at)])
    begin = _find_whole(pieces, file_size)
    if begin is not None:
        return FileCount(count.complete + 1, dropped, last, tuple(pieces[:begin]))
    return FileCount(count.complete, dropped, last if size else count.last, tuple(pieces))


def _find_whole(pieces: list[Piece], file_size: int) -> Optional[int]:
    """Return the index of the first of the newest pieces that together are a whole file, or None."""
    total = cut = 0
    reached_end = False
    for count, piece in enumerate(reversed(pieces), start=1):
        total += piece.size
        cut += _is_cut(piece)
        reached_end = reached_end or not _is_cut(piece) or (piece.size > 0 and file_size % CHUNK == 0)
        least, most = file_size - cut * CHUNK, file_size + (count - 1) * BUFFERED
        if count > 1 and reached_end and least <= total <= most:
            return len(pieces) - count
    return None


def _is_cut(piece: Piece) -> bool:
    """Whether a piece was probably interrupted before the end of the file: it has only whole steps."""
    return piece.size % CHUNK == 0


def _count_nonempty(pieces: Sequence[Piece]) -> int:
    return sum(piece.size > 0 for piece in pieces)


def _limit(pieces: list[Piece]) -> list[Piece]:
    if len(pieces) <= PIECES_KEPT:
        return pieces
    first, second, *rest = pieces
    return [Piece(first.size + second.size, second.at), *rest]
