# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times at the source that the FTP host's filesystem cannot hold: an ext4 with small inodes ends in 2038.

The source is a tmpfs, which holds every time.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import ssh as _ssh
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync import parse_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import measure_source
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import SourceQuestion
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.target_times import build_time_check

ODD_TIMES = {
    "1601-01-01": -11644473600,
    "1899-12-31": -2209075200,
    "2500-06-15": 16739481600,
    "9999-12-31": 253402214400,
    "40000-01-01": 1200110860800,
}
GOOD_TIMES = (-1, -1000, 0, 1, 2**31 - 1, 1_700_000_000)


@pytest.fixture
def old_disk(host: Any, private_mounts: None, record_root: Any) -> Any:
    """The FTP host with its root on an ext4 with 128-byte inodes, and the source on a tmpfs."""
    image = host.folder / "image"
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-I", "128", str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(host.root)], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(host.source)], check=True)
    (host.root / "lost+found").rmdir()
    record_root(host.root)
    return host


def write(path: Path, content: bytes, seconds: int, nanoseconds: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    moment = seconds * 10**9 + nanoseconds if abs(seconds) < 2**33 else None
    if moment is None:
        os.utime(path, (seconds, seconds))
    else:
        os.utime(path, ns=(moment, moment))


def note(name: str, date: str) -> str:
    return f"{name} (delivered, but the FTP host's disk cannot hold its date {date})"


needs_disk = pytest.mark.needs_ext4


@needs_disk
@pytest.mark.parametrize("size_probe", ["rsync", "du"])
def test_a_time_that_cannot_be_held_is_no_change(old_disk: Any, size_probe: str) -> None:
    folder = old_disk.source / "archive"
    for date, seconds in ODD_TIMES.items():
        write(folder / f"{date}.nc", date.encode() * 100, seconds)
    for number, seconds in enumerate(GOOD_TIMES):
        write(folder / f"good{number}.nc", b"x", seconds, 123_456_789 if seconds >= 0 else 0)
    (share,) = old_disk.run(old_disk.share("p1", "archive", size_probe=size_probe))
    assert share["state"] == "delivered", share["error"]
    assert share["files_total"] == len(ODD_TIMES) + len(GOOD_TIMES)
    assert sorted(share["skipped"]) == sorted(note(f"{date}.nc", date) for date in ODD_TIMES)
    for date in ODD_TIMES:
        assert (old_disk.root / "ftp_p1" / "p1" / f"{date}.nc").read_bytes() == date.encode() * 100
    (share,) = old_disk.run(old_disk.share("p1", "archive"))
    assert share["changed"] is False


@needs_disk
def test_folders_and_links_with_such_times_too(old_disk: Any) -> None:
    folder = old_disk.source / "archive"
    write(folder / "a.nc", b"x", 0)
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("a.nc")
    for path in (folder / "link", folder / "sub", folder):
        os.utime(path, (ODD_TIMES["2500-06-15"],) * 2, follow_symlinks=False)
    (share,) = old_disk.run(old_disk.share("p1", "archive"))
    assert share["state"] == "delivered", share["error"]
    names = ("./", "sub/", "link -> a.nc")
    assert sorted(share["skipped"]) == sorted(note(name, "2500-06-15") for name in names)


@needs_disk
def test_contents_that_change_under_such_a_time_are_copied_again(old_disk: Any) -> None:
    folder = old_disk.source / "archive"
    write(folder / "a.nc", b"before", ODD_TIMES["1601-01-01"])
    old_disk.run(old_disk.share("p1", "archive/", generation=1))
    folder.rename(old_disk.source / "moved")
    write(old_disk.source / "moved" / "a.nc", b"after!", ODD_TIMES["1601-01-01"])
    (share,) = old_disk.run(old_disk.share("p1", "moved", generation=2))
    assert share["state"] == "delivered", share["error"]
    assert (old_disk.root / "ftp_p1" / "p1" / "a.nc").read_bytes() == b"after!"


@needs_disk
def test_a_preview_says_the_same(old_disk: Any) -> None:
    write(old_disk.source / "archive" / "a.nc", b"x", ODD_TIMES["2500-06-15"])
    question = SourceQuestion(f"source1:{old_disk.source}/archive")
    access = _ssh.read_access(question)
    deadline = time.monotonic() + 60
    measure = measure_source(question, access, deadline, old_disk.folder / "run", old_disk.tree)
    assert (measure.files, measure.skipped) == (1, (note("a.nc", "2500-06-15"),))


@needs_disk
def test_the_disk_says_what_it_holds(old_disk: Any) -> None:
    holds = build_time_check(old_disk.root)
    assert all(holds(seconds) for seconds in GOOD_TIMES)
    assert not any(holds(seconds) for seconds in (*ODD_TIMES.values(), 2**31, -(2**31) - 1, 2**70))
    assert all(build_time_check(old_disk.source)(seconds) for seconds in ODD_TIMES.values())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970/01/01-00:00:00", 0),
        ("1969/12/31-23:59:59", -1),
        ("2024/02/29-12:00:01", 1709208001),
        *((date.replace("-", "/") + "-00:00:00", seconds) for date, seconds in ODD_TIMES.items()),
    ],
)
def test_times_of_any_year_are_read(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds
