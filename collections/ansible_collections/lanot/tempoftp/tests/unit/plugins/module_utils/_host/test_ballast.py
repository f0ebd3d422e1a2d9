# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A disk without one free block, or without one free inode: what is said, and that shares can still be ended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.ballast import (
    BALLAST_BYTES,
    BALLAST_FILES,
    drop_ballast,
    take_ballast,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import prepare_tree

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_ext4]


@pytest.fixture
def small(host: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """An FTP host whose /data has 2000 inodes and 64 MiB, or is an ext4 of 192 MiB, which keeps some for itself."""
    if getattr(request, "param", "tmpfs") == "tmpfs":
        mount = ["-t", "tmpfs", "-o", "mode=755,size=64m,nr_inodes=2000", "small"]
    else:
        disk = host.folder / "disk"
        disk.touch()
        os.truncate(disk, 192 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-N", "2000", disk], check=True)
        mount = ["-o", "loop", disk]
    subprocess.run(["mount", *mount, host.root], check=True)
    try:
        host.record_root()
        (host.source / "goes").mkdir()
        (host.source / "goes" / "a.nc").write_bytes(b"a" * 5000)
        yield host
    finally:
        host.stop_all()
        subprocess.run(["umount", "--lazy", host.root], check=True)


def fill_blocks(root: Path) -> None:
    """Take every free block. ext4 gives some back once it has written what it was given, so more than one turn."""
    deadline = time.monotonic() + 20
    for chunk in (1 << 20, 4096, 1024):
        with (root / "filling").open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(chunk))
    while os.statvfs(root).f_bavail and time.monotonic() < deadline:
        subprocess.run(["sync", "--file-system", root], check=True)
        with (root / "filling").open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(1024))
    assert os.statvfs(root).f_bavail == 0


def fill_inodes(root: Path) -> None:
    """Take every free inode."""
    (root / "filling").mkdir()
    with pytest.raises(OSError, match="No space"):
        for number in range(5000):
            (root / "filling" / str(number)).touch()
    assert os.statvfs(root).f_ffree == 0


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize(("fill", "said"), [(fill_blocks, "no_space"), (fill_inodes, "no_inodes")])
def test_a_copy_that_fills_the_disk_says_so_and_gives_its_room_back(
    small: Any, fill: Any, said: str, killed: bool
) -> None:
    (small.source / "big.bin").write_bytes(os.urandom(6_000_000))
    small.run(small.share("p1", "big.bin"), wait=False, bwlimit="1M")
    partial = small.tree.data("p1") / "big.bin"
    small.wait_for(lambda: partial.exists() and partial.stat().st_size > 500_000)
    if killed:
        small.kill("tempoftp-copy-p1")  # the next one begins on a full disk
    fill(small.root)
    (result,) = small.run(small.share("p1", "big.bin"), bwlimit="1M")
    assert (result["error"]["class"], result["error"]["transient"]) == (said, True)
    assert not partial.exists()
    assert not list(small.root.rglob(".*.[0-9]*")), "no half written file of ours is left"
    subprocess.run(["rm", "-rf", small.root / "filling"], check=True)
    (result,) = small.run(small.share("p1", "big.bin"))
    assert (result["state"], result["error"]) == ("delivered", None)


@pytest.mark.parametrize("small", ["tmpfs", "ext4"], indirect=True)
@pytest.mark.parametrize(("fill", "said"), [(fill_blocks, "no_space"), (fill_inodes, "no_inodes")])
def test_shares_can_be_ended_when_nothing_can_begin(small: Any, fill: Any, said: str) -> None:
    shares = [small.share(f"p{number}", "goes", generation=1) for number in range(8)]
    assert {result["state"] for result in small.run(*shares)} == {"delivered"}
    fill(small.root)
    (result,) = small.run(small.share("late", "goes"))
    assert (result["error"]["class"], result["error"]["transient"]) == (said, True)
    ended = small.run(*[{"id": f"p{number}", "state": "absent", "generation": 2} for number in range(8)])
    assert [(result["state"], result["error"]) for result in ended] == [("absent", None)] * 8
    assert not list(small.root.glob("ftp_*"))
    assert len(list((small.root / ".tempoftp" / "tombstones").iterdir())) == 8


def test_ballast_is_taken_once_and_dropped_only_in_need(small: Any) -> None:
    prepare_tree(small.tree)
    take_ballast(small.tree)
    taken = {path.name: path.stat().st_ino for path in small.tree.ballast.iterdir()}
    assert len(taken) == BALLAST_FILES + 1
    assert (small.tree.ballast / "block").stat().st_blocks * 512 >= BALLAST_BYTES
    take_ballast(small.tree)
    drop_ballast(small.tree)
    assert {path.name: path.stat().st_ino for path in small.tree.ballast.iterdir()} == taken
    fill_blocks(small.root)
    drop_ballast(small.tree)
    assert list(small.tree.ballast.iterdir()) == []
    (small.root / "filling").unlink()
    take_ballast(small.tree)
    assert len(list(small.tree.ballast.iterdir())) == BALLAST_FILES + 1


def test_a_full_disk_gets_no_ballast_and_no_error(small: Any) -> None:
    prepare_tree(small.tree)
    fill_blocks(small.root)
    take_ballast(small.tree)
    assert not (small.tree.ballast / "block").exists()


def test_without_ballast_a_drop_does_nothing(small: Any) -> None:
    drop_ballast(small.tree)
    prepare_tree(small.tree)
    fill_inodes(small.root)
    drop_ballast(small.tree)
    assert not small.tree.ballast.exists()
