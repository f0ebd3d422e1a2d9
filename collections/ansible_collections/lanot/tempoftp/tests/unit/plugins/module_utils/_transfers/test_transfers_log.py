# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a log that is written to, rotated and compressed meanwhile: every whole line once, whatever happens to it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers.log import (
    LINE_LIMIT,
    LogError,
    LogReader,
    Position,
    RotatedError,
    list_log_files,
)
from hypothesis import given, settings
from hypothesis import strategies as st

UNLIMITED = 1 << 40
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class Log:
    """A log in a folder, and what logrotate does with it."""

    def __init__(self, folder: Path, fresh: bool = True) -> None:
        self.path = folder / "transfer.log"
        if fresh:
            self.path.write_bytes(b"")
        self.position = Position()
        self.gap = False

    def write(self, text: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(text)

    def read(self, since: float = 0, limit: int = UNLIMITED) -> list[bytes]:
        """Return the new lines, and keep the place."""
        reader = LogReader(self.path, self.position, since, limit)
        lines = [line.text for line in reader.read_lines()]
        self.position, self.gap = reader.position, reader.gap
        return lines

    def rotated(self, number: int, packed: str = "") -> Path:
        return self.path.with_name(f"transfer.log.{number}{packed}")

    def rotate(self, packed: str = ".gz") -> None:
        """As logrotate does with copytruncate, compress and delaycompress."""
        for number in range(8, 0, -1):
            if self.rotated(number, packed).exists():
                self.rotated(number, packed).rename(self.rotated(number + 1, packed))
        if self.rotated(1).exists():
            self.rotated(2, packed).write_bytes(PACKERS[packed](self.rotated(1).read_bytes()))
            self.rotated(1).unlink()
        shutil.copy(self.path, self.rotated(1))
        os.truncate(self.path, 0)

    def append_rotated(self, text: bytes) -> None:
        with self.rotated(1).open("ab") as stream:
            stream.write(text)

    def rename_away(self) -> None:
        """As logrotate does without copytruncate: sessions that run go on writing to the renamed file."""
        self.path.rename(self.rotated(1))
        self.path.write_bytes(b"")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_only_new_lines_are_read(log: Log) -> None:
    log.write(b"one\ntwo\n")
    assert log.read() == [b"one", b"two"]
    assert log.read() == []
    log.write(b"three\n")
    assert log.read() == [b"three"]


def test_a_line_without_its_end_waits_for_it(log: Log) -> None:
    log.write(b"one\ntw")
    assert log.read() == [b"one"]
    assert log.read() == []
    log.write(b"o\n")
    assert log.read() == [b"two"]


@pytest.mark.parametrize("packed", [".gz", ".bz2", ".xz"])
def test_lines_before_a_rotation_are_not_lost(log: Log, packed: str) -> None:
    log.write(b"one\n")
    assert log.read() == [b"one"]
    for number in range(4):
        log.write(b"%d\n" % number)
        log.rotate(packed)
    log.write(b"last\n")
    assert log.read() == [b"0", b"1", b"2", b"3", b"last"]
    assert log.read() == []
    assert not log.gap


def test_a_log_that_grew_past_the_old_place_is_not_taken_for_the_old_one(log: Log) -> None:
    log.write(b"one\ntwo\n")
    assert log.read() == [b"one", b"two"]
    log.rotate()
    log.write(b"x" * 100 + b"\n")
    assert log.read() == [b"x" * 100]


def test_sessions_may_go_on_writing_to_a_renamed_log(log: Log) -> None:
    log.write(b"one\n")
    assert log.read() == [b"one"]
    log.rename_away()
    log.append_rotated(b"two\n")
    assert log.read() == [b"two"]
    log.append_rotated(b"three\n")
    log.write(b"four\n")
    assert log.read() == [b"three", b"four"]


def test_dated_files_are_read_in_their_order(log: Log) -> None:
    for date, text in (("20261101", b"one\n"), ("20261108", b"two\n")):
        log.path.with_name(f"transfer.log-{date}.gz").write_bytes(gzip.compress(text))
    log.path.with_name("transfer.log-20261115").write_bytes(b"three\n")
    log.path.with_name("transfer.log.bak").write_bytes(b"nothing of ours\n")
    log.path.with_name("transfer.log2").write_bytes(b"nor this\n")
    log.write(b"four\n")
    assert log.read() == [b"one", b"two", b"three", b"four"]


def test_a_file_that_is_being_compressed_is_read_once(log: Log) -> None:
    log.write(b"one\n")
    log.rotate()
    log.rotated(1, ".gz").write_bytes(gzip.compress(b"one\n")[:10])
    assert log.read() == [b"one"]


def test_a_damaged_file_stops_only_itself(log: Log) -> None:
    whole = gzip.compress(b"".join(b"%d\n" % number for number in range(20_000)))
    log.rotated(2, ".gz").write_bytes(whole[: len(whole) // 2])
    log.rotated(1).write_bytes(b"one\n")
    log.write(b"two\n")
    reader = LogReader(log.path, Position(), 0, UNLIMITED)
    lines = [line.text for line in reader.read_lines()]
    assert lines[:2] == [b"0", b"1"] and lines[-2:] == [b"one", b"two"]
    assert reader.damaged == ["transfer.log.2.gz"]


def test_files_last_written_before_the_limit_are_skipped(log: Log) -> None:
    log.rotated(2, ".gz").write_bytes(gzip.compress(b"zero\n"))
    os.utime(log.rotated(2, ".gz"), (1499, 1499))
    log.rotated(1).write_bytes(b"one\n")
    os.utime(log.rotated(1), (1500, 1500))
    log.write(b"two\n")
    assert Log(log.path.parent, fresh=False).read(since=1000) == [b"zero", b"one", b"two"]
    assert log.read(since=1500) == [b"one", b"two"]


def test_the_log_itself_is_read_however_old_it_is(log: Log) -> None:
    log.write(b"one\n")
    os.utime(log.path, (1000, 1000))
    assert log.read(since=1500) == [b"one"]


def test_two_logs_are_distinguished_although_8191_bytes_are_equal(log: Log) -> None:
    same = b"x" * 8190 + b"\n"
    log.write(b"A" + same)
    assert log.read() == [b"A" + same[:-1]]
    log.path.write_bytes(b"B" + same)
    assert log.read() == [b"B" + same[:-1]]
    assert log.gap


def test_a_position_that_is_gone_is_reported(log: Log) -> None:
    log.write(b"one\n")
    assert log.read() == [b"one"]
    os.truncate(log.path, 0)
    log.write(b"two, which is longer\n")
    assert log.read() == [b"two, which is longer"]
    assert log.gap
    log.write(b"three\n")
    assert log.read() == [b"three"]
    assert not log.gap


def test_a_rotation_during_a_reading_is_reported(log: Log) -> None:
    log.write(b"one\ntwo\n")
    lines = LogReader(log.path, log.position, 0, UNLIMITED).read_lines()
    assert next(lines).text == b"one"
    log.rotate()
    with pytest.raises(RotatedError):
        list(lines)
    assert log.read() == [b"one", b"two"]


def test_a_truncation_during_a_reading_is_reported(log: Log) -> None:
    log.write(b"one\ntwo\n")
    lines = LogReader(log.path, log.position, 0, UNLIMITED).read_lines()
    assert next(lines).text == b"one"
    os.truncate(log.path, 0)
    with pytest.raises(RotatedError):
        list(lines)


def test_a_long_log_is_read_in_several_parts(log: Log) -> None:
    written = [b"line %d" % number for number in range(100)]
    log.rotated(1).write_bytes(b"\n".join(written[:50]) + b"\n")
    log.write(b"\n".join(written[50:]) + b"\n")
    found: list[bytes] = []
    for _go in range(200):
        fresh = log.read(limit=64)
        assert len(fresh) <= 10
        found += fresh
    assert found == written


def test_a_line_that_is_too_long_is_skipped(log: Log) -> None:
    log.write(b"x" * (3 * LINE_LIMIT) + b"\nnext\n")
    assert log.read() == [b"\0", b"next"]


def test_without_a_log_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="AltLog"):
        list_log_files(tmp_path / "transfer.log")


EVENTS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 300)),
    st.tuples(st.just("part"), st.integers(1, 50)),
    st.tuples(st.sampled_from(["rotate", "read"]), st.none()),
    st.tuples(st.just("short"), st.integers(1, 200)),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_every_whole_line_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int | None]]
) -> None:
    log = Log(tmp_path_factory.mktemp("log"))
    written: list[bytes] = []
    found: list[bytes] = []
    unended = b""
    for kind, size in events:
        if kind == "write":
            line = b"%d " % len(written) + b"x" * (size or 0)
            log.write(line + b"\n")
            written.append(unended + line)
            unended = b""
        elif kind == "part":
            log.write(b"y" * (size or 0))
            unended += b"y" * (size or 0)
        elif kind == "rotate":
            log.rotate()
            unended = b""  # its other half comes in another file: this one is never whole
        else:
            found += log.read(limit=size or UNLIMITED)
    found += log.read()
    assert found == written
    assert not log.gap
    assert log.read() == []
