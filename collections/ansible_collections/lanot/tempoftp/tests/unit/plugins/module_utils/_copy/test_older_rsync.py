# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rsync of Debian 11 and Rocky Linux 9 (3.2.3) on the FTP host, at the source, or on both. Everything is real."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy import ssh as _ssh
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync import ESCAPES_SINCE
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.rsync_version import read_rsync_version
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_probe import measure_source
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import SourceQuestion

OLDER = Path(__file__).parents[9] / "var" / "older-rsync" / "bin" / "rsync-3.2.3"
READER = 65534
STRANGE = "a b'\"$(id);`id`&~ñ(1)#|<>$HOME"

pytestmark = [pytest.mark.needs_older_rsync, pytest.mark.needs_root]


@pytest.fixture(params=["ftp host", "source", "both"])
def mixed(host: Any, request: pytest.FixtureRequest) -> Any:
    """An FTP host and a source with something of everything; one of both, or both, have the older rsync."""
    older, bin_folder = request.param, host.folder / "bin"
    if older != "source":
        (bin_folder / "rsync").symlink_to(OLDER)
    # The source's side runs through the ssh of this folder. rrsync itself always starts /usr/bin/rsync.
    there = host.folder / "there"
    there.mkdir()
    (there / "rsync").symlink_to(OLDER if older != "ftp host" else "/usr/bin/rsync")
    ssh = bin_folder / "ssh"
    ssh.write_text(ssh.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\nPATH={there}:$PATH\n", 1))
    goes = host.source / "goes"
    (goes / "sub").mkdir(parents=True)
    (goes / "a.nc").write_bytes(os.urandom(300_000))
    (goes / "sub" / STRANGE).write_bytes(b"strange")
    (goes / "sub" / "in").symlink_to("../a.nc")
    (goes / "sub" / "out").symlink_to("/etc/passwd")
    os.mkfifo(goes / "pipe")
    with (goes / "holes").open("wb") as file:
        file.truncate(20_000_000)
    return host


def preview(host: Any, path: str, **changes: Any) -> Any:
    question = SourceQuestion(f"source1:{host.source}/{path}", **changes)
    access = _ssh.read_access(question)
    return measure_source(question, access, time.monotonic() + 60, host.folder / "run", host.tree)


@pytest.mark.parametrize("restricted", [False, True], ids=["open", "restricted"])
def test_a_share_is_whole(mixed: Any, restricted: bool) -> None:
    host = mixed
    root = str(host.source) if restricted else None
    if restricted:
        host.restrict()
    measured = preview(host, "goes", source_root=root)
    (share,) = host.run(host.share("p1", "goes", source_root=root), group="games")
    assert share["state"] == "delivered", share["error"]
    assert (share["bytes_total"], share["files_total"]) == (measured.bytes, measured.files)
    assert share["skipped_total"] == measured.skipped_total == 2
    path = Path(share["path"])
    for name in ("a.nc", f"sub/{STRANGE}", "holes"):
        assert (path / name).read_bytes() == (host.source / "goes" / name).read_bytes()
        facts = (path / name).lstat()
        assert (stat.S_IMODE(facts.st_mode), facts.st_gid) == (0o640, 60)
    assert (path / "holes").stat().st_blocks * 512 < 1_000_000
    assert (path / "sub").stat().st_gid == 60
    assert (path / "sub" / "in").readlink() == Path("../a.nc")
    assert not os.path.lexists(path / "sub" / "out") and not os.path.lexists(path / "pipe")


@pytest.mark.parametrize("restricted", [False, True], ids=["open", "restricted"])
def test_a_path_is_taken_literally(mixed: Any, restricted: bool) -> None:
    """Before 3.2.4 rsync hands a path to the remote shell as it is."""
    host = mixed
    root = str(host.source) if restricted else None
    if restricted:
        host.restrict()
    (host.source / STRANGE).mkdir()
    (host.source / STRANGE / "dato").write_text("x")
    assert preview(host, STRANGE, source_root=root).files == 1
    (share,) = host.run(host.share("p1", STRANGE, source_root=root))
    assert share["state"] == "delivered", share["error"]
    assert (Path(share["path"]) / "dato").read_text() == "x"


def test_one_file_is_a_share_too(mixed: Any) -> None:
    (share,) = mixed.run(mixed.share("p1", "goes/a.nc"))
    assert share["state"] == "delivered", share["error"]
    assert [path.name for path in Path(share["path"]).iterdir()] == ["a.nc"]


def test_a_killed_copy_goes_on(mixed: Any) -> None:
    host = mixed
    host.run(host.share("p1", "goes"), wait=False)
    host.wait_for(lambda: host.tree.data("p1").is_dir())
    host.kill("tempoftp-copy-p1")
    (share,) = host.run(host.share("p1", "goes"))
    assert share["state"] == "delivered", share["error"]
    assert (Path(share["path"]) / "a.nc").read_bytes() == (host.source / "goes" / "a.nc").read_bytes()


@pytest.mark.parametrize(
    ("asked", "error_class"), [("nowhere", "source_not_found"), ("goes/nowhere", "source_not_found")]
)
def test_what_is_not_there_is_named(mixed: Any, asked: str, error_class: str) -> None:
    (share,) = mixed.run(mixed.share("p1", asked))
    assert share["error"]["class"] == error_class, share["error"]
    assert asked in share["error"]["message"]


@pytest.mark.parametrize("closed", ["goes", "goes/sub", "goes/a.nc"])
def test_what_may_not_be_read_is_named(mixed: Any, closed: str) -> None:
    (mixed.source / closed).chmod(0)
    mixed.read_as(READER)
    (share,) = mixed.run(mixed.share("p1", "goes"))
    assert share["error"]["class"] == "source_denied", share["error"]
    assert f'"{mixed.source}/{closed}"' in share["error"]["message"]


def test_the_version_is_read(mixed: Any) -> None:
    expected = (3, 2, 3) if (mixed.folder / "bin" / "rsync").exists() else ESCAPES_SINCE
    assert read_rsync_version()[:3] >= expected
    assert (read_rsync_version() == (3, 2, 3)) is (mixed.folder / "bin" / "rsync").exists()
