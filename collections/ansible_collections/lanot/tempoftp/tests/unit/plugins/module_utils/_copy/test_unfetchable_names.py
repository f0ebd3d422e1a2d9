# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that FTP clients cannot fetch are left out and named, so that a share can be fetched completely.

tests/collection/test_transfer_log.py shows with the real server which names these are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ODD = {
    b"goes/new\nline.nc": r"new\x0aline.nc",
    b"goes/cr\r": r"cr\x0d",
    b"goes/sub/tab\tx.nc": r"sub/tab\x09x.nc",
    b"goes/esc\x1b[31m.nc": r"esc\x1b[31m.nc",
    b"goes/back\\slash.nc": r"back\slash.nc",
    b"goes/in\na folder/x.nc": r"in\x0aa folder/x.nc",
}
GOOD = (
    b"a.nc",
    b" b.nc",
    b"c.nc ",
    "año.nc".encode(),
    b"a\xf1o.nc",
    b"-l",
    b"100%",
    b"[x]*?.nc",
    b".pureftpd-x",
    b"sub/z.nc",
)
END = " (FTP clients cannot fetch this name)"


@pytest.fixture
def goes(host: Any) -> Path:
    """A folder with such names and with others, each file of 5 bytes."""
    for name in (*ODD, *(b"goes/" + name for name in GOOD)):
        path = host.source / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return Path(host.source / "goes")


def list_names(folder: Path) -> set[bytes]:
    return {os.fsencode(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def expect_left_out(share: dict[str, Any]) -> None:
    assert (share["state"], share["files_total"]) == ("delivered", len(GOOD))
    assert share["bytes_total"] == 5 * len(GOOD)
    folder = [rf"in\x0aa folder/{END}"]
    assert sorted(share["skipped"]) == sorted([*(name + END for name in ODD.values()), *folder])
    assert share["skipped_total"] == len(ODD) + 1


@pytest.mark.parametrize("restricted", [False, True])
def test_they_are_left_out_and_named(host: Any, goes: Path, restricted: bool) -> None:
    if restricted:
        host.restrict()
    (share,) = host.run(host.share("p1", "goes", source_root=str(host.source) if restricted else None))
    expect_left_out(share)
    assert list_names(host.root / "ftp_p1" / "p1") == set(GOOD)


def test_a_big_share_has_the_same_numbers(host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (share,) = host.run(host.share("p1", "goes", size_probe="du"))
    assert (share["state"], share["files_total"], share["skipped_total"]) == (
        "delivered",
        len(GOOD),
        len(ODD) + 1,
    )


@pytest.mark.parametrize("restricted", [False, True])
def test_checksums_are_those_of_what_is_delivered(host: Any, goes: Path, restricted: bool) -> None:
    if restricted:
        host.restrict()
    (share,) = host.run(
        host.share("p1", "goes", checksums=True, source_root=str(host.source) if restricted else None)
    )
    assert share["state"] == "delivered", share["error"]
    text = (host.root / "ftp_p1" / "p1" / "SHA256SUMS").read_bytes()
    assert {line[66:] for line in text.splitlines()} == {b"./" + name for name in GOOD}


@pytest.mark.needs_root
def test_a_local_source_is_no_exception(host: Any, goes: Path) -> None:
    (share,) = host.run(host.share("p1", "goes", local=True, ssh_user=host.user))
    expect_left_out(share)


def test_a_link_of_such_a_name_is_left_out_and_its_target_does_not_matter(host: Any, goes: Path) -> None:
    (goes / "sub" / "x -> y\nz").symlink_to("z.nc")
    (goes / "sub" / "ok -> ok").symlink_to("no\nfile")
    (share,) = host.run(host.share("p1", "goes"))
    assert share["skipped_total"] == len(ODD) + 2
    assert r"sub/x -> y\x0az -> z.nc" + END in share["skipped"]
    assert str((host.root / "ftp_p1" / "p1" / "sub" / "ok -> ok").readlink()) == "no\nfile"


def test_a_second_execution_changes_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (share,) = host.run(host.share("p1", "goes"))
    assert share["changed"] is False
