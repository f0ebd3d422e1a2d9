# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of the transfer log, and what is a complete download. Sizes are those that pure-ftpd 1.0.50 logged."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers.transfers import (
    BUFFERED,
    CHUNK,
    PIECES_KEPT,
    RESUME_WINDOW,
    FileCount,
    Transfer,
    add_transfer,
    is_comment,
    parse_line,
)
from hypothesis import given
from hypothesis import strategies as st

NOON = 1_795_435_200  # 2026-11-23 12:00:00 UTC
BIG = 20_000_003


def count(size: int, *pieces: int, gap: int = 60) -> FileCount:
    """Return the count of a file of *size* bytes after transfers of so many bytes, *gap* seconds apart."""
    found = FileCount()
    for number, piece in enumerate(pieces):
        found = add_transfer(found, size, piece, NOON + number * gap)
    return found


@pytest.mark.parametrize(
    ("line", "transfer"),
    [
        (
            b"2026-11-23 12:00:00 127.0.0.1 []sent /data/ftp_a/p1/a%20dir/%C3%B1%22%25.txt 226 ftp_a 1000",
            Transfer(NOON, "ftp_a", '/data/ftp_a/p1/a dir/ñ"%.txt', 1000, True),
        ),
        (
            b"2026-11-23 12:00:00 2001:db8::1 []created /data/ftp_a/p1/new%0Aline 226 ftp_a 0",
            Transfer(NOON, "ftp_a", "/data/ftp_a/p1/new\nline", 0, False),
        ),
        (
            b'127.0.0.1 - ftp_a [23/Nov/2026:13:00:00 +0100] "GET /data/ftp_a/p1/latin%F1.txt" 200 7',
            Transfer(NOON, "ftp_a", "/data/ftp_a/p1/latin\udcf1.txt", 7, True),
        ),
        (
            b'127.0.0.1 - ftp_a [23/Nov/2026:06:00:00 -0600] "PUT /data/ftp_a/p1/x" 200 18446744073709551',
            Transfer(NOON, "ftp_a", "/data/ftp_a/p1/x", 18446744073709551, False),
        ),
    ],
)
def test_a_line_is_one_transfer(line: bytes, transfer: Transfer) -> None:
    assert parse_line(line) == transfer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"2026-11-23 12:00:00 127.0.0.1 []sent /data/ftp_a/p1/a 226 ftp_a",
        b"2026-13-23 12:00:00 127.0.0.1 []sent /data/ftp_a/p1/a 226 ftp_a 1",
        b'127.0.0.1 - ftp_a [23/Foo/2026:13:00:00 +0100] "GET /data/x" 200 7',
        b'127.0.0.1 - ftp_a [23/Nov/2026:13:00:00 +0100] "GET /data/x" 200 7 GET',
        b"1795457655 6b048270.4192 alice 127.0.0.1 D 1000 0 /data/ftp_a/p1/small.txt",
        b"Mon Nov 23 18:14:15 2026 0 127.0.0.1 1000 /data/ftp_a/p1/small.txt b _ o r alice ftp 1 * c",
    ],
)
def test_other_lines_are_none(line: bytes) -> None:
    assert parse_line(line) is None


@given(st.binary(max_size=200))
def test_no_line_breaks_the_parser(line: bytes) -> None:
    parse_line(line)
    assert is_comment(b"#" + line)


@given(
    st.binary(min_size=1, max_size=60).map(lambda name: name.replace(b"\0", b"x")), st.integers(0, 2**63 - 1)
)
def test_every_name_survives_the_log(name: bytes, size: int) -> None:
    encoded = quote(name, safe="/_.-").encode("ascii")
    found = parse_line(b"2026-11-23 12:00:00 ::1 []sent /data/" + encoded + b" 226 ftp_a %d" % size)
    assert found is not None
    assert found.path == "/data/" + name.decode("utf-8", "surrogateescape")
    assert found.size == size


def test_a_whole_file_is_one_complete_download_each_time() -> None:
    assert count(1000, 1000, 1000) == FileCount(2, 0, NOON + 60, ())


def test_text_mode_has_more_bytes_than_the_file() -> None:
    assert count(5000, 6000).complete == 1


def test_an_empty_file_is_complete_with_nothing() -> None:
    assert count(0, 0).complete == 1


# What pure-ftpd logged for downloads that curl was killed in and resumed, and for one that ABOR ended.
@pytest.mark.parametrize(
    "pieces", [(13_762_560, 9_379_075), (4_079_601, 15_924_483), (6_553_600, 13_762_560, 0, 1)]
)
def test_a_resumed_download_is_one_complete_download(pieces: tuple[int, ...]) -> None:
    found = count(BIG, *pieces)
    assert (found.complete, found.partial) == (1, 0)


def test_a_resumed_download_may_lack_what_was_not_logged_of_its_last_step() -> None:
    # The client got 100,000 bytes of the second step and went on from there.
    received = CHUNK + 100_000
    assert count(BIG, CHUNK, BIG - received).complete == 1


@pytest.mark.parametrize("pieces", [(14_155_776,), (14_155_776, 14_155_776), (4_849_664, 0, 14_155_776)])
def test_interrupted_transfers_alone_are_never_complete(pieces: tuple[int, ...]) -> None:
    found = count(BIG, *pieces)
    assert (found.complete, found.partial) == (0, sum(piece > 0 for piece in pieces))


def test_a_download_that_starts_again_leaves_the_first_one_partial() -> None:
    found = count(1 << 30, 5 * CHUNK, 1 << 30)
    assert (found.complete, found.partial) == (1, 1)
    half = (1 << 29) // CHUNK * CHUNK
    again = count((1 << 30) + 1, 6 * half // 5 // CHUNK * CHUNK, half, (1 << 30) + 1 - half)
    assert (again.complete, again.partial) == (1, 1)


def test_a_file_of_whole_steps_needs_its_bytes_too() -> None:
    size = 1 << 30
    assert count(size, size // 2, size // 2).complete == 1
    assert count(size, size // 2, size // 4).complete == 0
    # Far more than the file: twice begun and twice cut short.
    assert count(size, size // 10 * 6 // CHUNK * CHUNK, size // 10 * 6 // CHUNK * CHUNK).complete == 0


def test_fetching_the_end_of_a_file_that_was_complete_counts_nothing() -> None:
    found = count(BIG, BIG, 0)
    assert (found.complete, found.partial, found.last) == (1, 0, NOON)


def test_a_download_resumed_too_late_is_two_partial_downloads() -> None:
    pieces = (13_762_560, 9_379_075)
    assert count(BIG, *pieces, gap=RESUME_WINDOW).complete == 1
    late = count(BIG, *pieces, gap=RESUME_WINDOW + 1)
    assert (late.complete, late.partial) == (0, 2)


def test_any_number_of_pieces_is_kept_within_bounds() -> None:
    pieces = [CHUNK] * (3 * PIECES_KEPT)
    size = len(pieces) * CHUNK + 5
    found = count(size, *pieces, gap=1)
    assert (found.complete, len(found.pieces)) == (0, PIECES_KEPT)
    assert add_transfer(found, size, 5, NOON + 3600).complete == 1


@given(
    st.integers(1, 1 << 32),
    st.lists(st.tuples(st.integers(0, 1 << 32), st.integers(0, 2 * RESUME_WINDOW)), max_size=12),
)
def test_nothing_is_complete_with_fewer_bytes_than_the_file(
    size: int, history: list[tuple[int, int]]
) -> None:
    found, at, total, whole = FileCount(), NOON, 0, 0
    for piece, pause in history:
        at += pause
        before = found
        found = add_transfer(found, size, piece, at)
        total += piece
        whole += piece >= size
        assert found.complete - before.complete in (0, 1)
        assert found.partial >= 0 and found.dropped >= before.dropped
        assert found.last is None or found.last <= at
        assert found.complete + found.partial <= len(history)
    assert found.complete >= whole
    assert found.complete * size <= total + len(history) * CHUNK


@given(st.integers(2, 1 << 32), st.data())
def test_an_honest_resumed_download_is_always_one_complete_download(size: int, data: st.DataObject) -> None:
    """The server's view of a client that keeps what it got: cut pieces are whole steps, give or take the buffers."""
    cuts = sorted(data.draw(st.lists(st.integers(1, size - 1), max_size=8, unique=True)))
    found = FileCount()
    for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, size], strict=False)):
        sent = end - begin
        if end != size:
            buffered = data.draw(st.integers(0, min(BUFFERED, size - end)))
            sent = (sent + buffered) // CHUNK * CHUNK
            # pure-ftpd had handed over the whole rest: then this attempt is complete by itself as far as it knows.
            if sent >= size:
                return
        found = add_transfer(found, size, sent, NOON + number)
    # One offset in 131,072 makes the rest of the file look like a piece that was cut short.
    if (size - (cuts[-1] if cuts else 0)) % CHUNK or size % CHUNK == 0:
        assert found.complete >= 1


@given(st.lists(st.integers(1, 1 << 24), min_size=2, max_size=9))
def test_pieces_side_by_side_are_complete_in_any_order(parts: list[int]) -> None:
    size = sum(parts)
    last = parts[-1]
    found = FileCount()
    for number, part in enumerate([last, *parts[:-1]]):
        found = add_transfer(found, size, part, NOON + number)
    if last % CHUNK:
        assert found.complete == 1
