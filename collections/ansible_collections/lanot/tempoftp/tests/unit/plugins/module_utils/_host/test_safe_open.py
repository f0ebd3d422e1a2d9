# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders are opened part by part, and a symlink in any part is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.safe_open import (
    closing_descriptor,
    open_directory,
    open_directory_below,
    open_file,
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A folder with another one two levels below it, and a file in that one."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("content")
    return tmp_path


def count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_folder_below_is_opened_by_its_parts(top: Path) -> None:
    with closing_descriptor(open_directory(top)) as folder:
        with closing_descriptor(open_directory_below(folder, ["a", b"b"])) as inner:
            assert os.stat("file", dir_fd=inner).st_size == len("content")
        with closing_descriptor(open_directory_below(folder, [])) as same:
            assert os.fstat(same).st_ino == top.stat().st_ino


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_a_symlink_in_any_part_is_refused(top: Path, link: str) -> None:
    (top / link).rename(top / "elsewhere")
    (top / link).symlink_to(top / "elsewhere")
    with closing_descriptor(open_directory(top)) as folder:
        before = count_descriptors()
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            open_directory_below(folder, ["a", "b"])
        assert count_descriptors() == before


def test_a_missing_part_leaves_no_descriptor_open(top: Path) -> None:
    with closing_descriptor(open_directory(top)) as folder:
        before = count_descriptors()
        with pytest.raises(FileNotFoundError):
            open_directory_below(folder, ["a", "missing", "b"])
        assert count_descriptors() == before


def test_only_directories_are_opened_as_such(top: Path) -> None:
    with pytest.raises(NotADirectoryError):
        open_directory(top / "a" / "b" / "file")
    (top / "link").symlink_to(top / "a")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        open_directory(top / "link")


def test_a_file_is_opened_below_its_folder_and_a_symlink_is_refused(top: Path) -> None:
    (top / "a" / "b" / "link").symlink_to("file")
    with closing_descriptor(open_directory(top / "a" / "b")) as folder:
        with closing_descriptor(open_file("file", folder)) as file:
            assert os.read(file, 100) == b"content"
        with pytest.raises(OSError, match="Too many levels"):
            open_file("link", folder)


def test_a_fifo_without_a_writer_does_not_block(top: Path) -> None:
    os.mkfifo(top / "fifo")
    with (
        closing_descriptor(open_directory(top)) as folder,
        closing_descriptor(open_file("fifo", folder)) as fifo,
    ):
        assert stat.S_ISFIFO(os.fstat(fifo).st_mode)
