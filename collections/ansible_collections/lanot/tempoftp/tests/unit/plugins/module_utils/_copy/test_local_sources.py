# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources on the FTP host itself, copied: the same path as over ssh, and no ssh."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.local import (
    build_local_shell,
    reading_as,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
)


def read_tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b c").write_bytes(b"b")
    (folder / "fine").symlink_to("a.nc")
    return folder


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that another user reaches; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def share(host: Any, share_id: str, path: str = "goes", **changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = host.share(share_id, path, local=True, ssh_user=host.user)
    return {**item, **changes}


@pytest.mark.parametrize("method", ["auto", "copy"])
def test_a_folder_is_copied_without_ssh(host: Any, goes: Path, method: str) -> None:
    (result,) = host.run(share(host, "p1", method=method))
    assert (result["state"], result["error"], result["changed"]) == ("delivered", None, True)
    assert (result["bytes_total"], result["files_total"], result["percent"]) == (5005, 2, 100)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)
    assert (host.root / "ftp_p1" / "p1" / "fine").readlink() == Path("a.nc")
    assert host.log("ssh") == "" and "tempoftp-ssh-" not in host.log("systemd")
    assert host.execute(share(host, "p1", method=method))["changed"] is False


def test_an_auto_share_does_not_change_with_its_source(host: Any, goes: Path) -> None:
    host.run(share(host, "p1"))
    before = read_tree(host.root / "ftp_p1" / "p1")
    (goes / "a.nc").write_bytes(b"other")
    with (goes / "sub" / "b c").open("r+b") as stream:
        stream.write(b"X")
    assert read_tree(host.root / "ftp_p1" / "p1") == before


def test_a_file_is_copied_as_that_file(host: Any, goes: Path) -> None:
    (result,) = host.run(share(host, "p1", "goes/a.nc"))
    assert result["state"] == "delivered"
    assert read_tree(host.root / "ftp_p1" / "p1") == {"a.nc": (goes / "a.nc").read_bytes()}


@pytest.mark.parametrize("name", ["$(touch P);`id`'\"{a,b}~&é", "-rf", " blanks  ", "a:b"])
def test_a_path_is_taken_literally(host: Any, name: str) -> None:
    (host.source / name).mkdir()
    (host.source / name / "f").write_text("x")
    item = {**share(host, "p1"), "source": f"source1:{host.source}/{name}"}
    (result,) = host.run(item)
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(host.root / "ftp_p1" / "p1") == {"f": b"x"}
    assert not Path("P").exists() and not (host.source / "P").exists()


def test_what_must_not_be_shared_is_left_out_and_named(host: Any, goes: Path) -> None:
    (goes / "abs").symlink_to("/etc/passwd")
    (goes / "sub" / "up").symlink_to("../../../etc")
    os.mkfifo(goes / "pipe")
    (goes / "setuid").write_text("x")
    (goes / "setuid").chmod(0o4755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(goes / "socket"))
        (result,) = host.run(share(host, "p1"))
    assert sorted(result["skipped"]) == [
        "abs -> /etc/passwd (unsafe link)",
        "pipe (not a regular file)",
        "socket (not a regular file)",
        "sub/up -> ../../../etc (unsafe link)",
    ]
    delivered = host.root / "ftp_p1" / "p1"
    assert sorted(path.name for path in delivered.iterdir()) == ["a.nc", "fine", "setuid", "sub"]
    assert (delivered / "setuid").stat().st_mode & 0o7777 == 0o640


@pytest.mark.needs_root
def test_it_is_read_as_its_user_and_not_as_root(host: Any, public: Path) -> None:
    (public / "a.nc").write_text("everybody's")
    (public / "secret").write_text("root's alone")
    (public / "secret").chmod(0o600)
    item = {**share(host, "p1", ssh_user="nobody"), "source": f"source1:{public}"}
    (result,) = host.run(item)
    assert (result["state"], result["error"]["class"]) == ("failed", "source_denied")
    (public / "secret").unlink()
    (result,) = host.run(item)
    assert (result["state"], result["error"]) == ("delivered", None)
    delivered = host.root / "ftp_p1" / "p1" / "a.nc"
    assert (delivered.stat().st_uid, delivered.stat().st_mode & 0o7777) == (0, 0o640)


@pytest.mark.needs_root
def test_reading_as_another_user_ends_with_the_block(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    groups = os.getgroups()
    with reading_as("nobody"):
        assert os.geteuid() == pwd.getpwnam("nobody").pw_uid
        with pytest.raises(PermissionError):
            list(tmp_path.iterdir())
    assert (os.geteuid(), os.getgroups(), list(tmp_path.iterdir())) == (0, groups, [])


def test_the_shell_of_a_local_source_is_none_of_the_sources_words() -> None:
    assert build_local_shell(pwd.getpwuid(os.geteuid()).pw_name) == "sh -c 'exec \"$@\"'"


def test_a_user_that_is_not_there_is_told(host: Any, goes: Path) -> None:
    (result,) = host.run(share(host, "p1", ssh_user="no-such-user"))
    assert result["error"]["class"] == "invalid"
    assert "no user 'no-such-user'" in result["error"]["message"]


def test_a_source_that_is_not_there_is_told(host: Any, goes: Path) -> None:
    (result,) = host.run(share(host, "p1", "nothing"))
    assert result["error"]["class"] == "source_not_found"


@pytest.mark.parametrize("below", ["", "ftp_other", ".tempoftp/shares"])
def test_the_shares_themselves_are_no_source(host: Any, goes: Path, below: str) -> None:
    host.run(share(host, "other"))
    (host.source / "way").symlink_to(host.root)
    for path in (host.root, host.source / "way"):
        item = {**share(host, "p1"), "source": f"source1:{path}/{below}".rstrip("/")}
        (result,) = host.run(item)
        assert result["error"]["class"] == "invalid", result
        assert str(host.root) in result["error"]["message"]
    (result,) = host.run({**share(host, "p2"), "source": f"source1:{host.root.parent}"})
    assert result["error"]["class"] == "invalid"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"local": False, "method": "copy"}, "on the FTP host itself"),
        ({"local": False, "method": "reflink"}, "on the FTP host itself"),
        ({"local": False, "method": "bind"}, "on the FTP host itself"),
        ({"method": "rsync"}, "use auto or copy"),
        ({"method": "move"}, "one of auto, rsync"),
        ({"size_probe": "du"}, "use rsync"),
        ({"method": "bind", "writable": True}, "neither writable"),
        ({"method": "bind", "checksums": True}, "neither writable"),
    ],
)
def test_what_does_not_go_together_is_refused(
    host: Any, goes: Path, changes: dict[str, Any], word: str
) -> None:
    (result,) = host.run(share(host, "p1", **changes))
    assert (result["error"]["class"], result["changed"]) == ("invalid", False)
    assert word in result["error"]["message"]
    assert [path.name for path in host.tree.state.iterdir()] == ["root.json"]


def test_over_ssh_rsync_is_what_auto_means(host: Any, goes: Path) -> None:
    results = host.run(host.share("p1", "goes", method="rsync"), host.share("p2", "goes"))
    assert [result["delivered_by"] for result in results] == ["rsync", "rsync"]
    assert host.log("ssh") != ""


def test_a_killed_copy_is_resumed(host: Any) -> None:
    big = host.source / "big.bin"
    big.write_bytes(os.urandom(6_000_000))
    host.run(share(host, "p1", "big.bin"), wait=False, bwlimit="1M")
    partial = host.tree.data("p1") / "big.bin"
    host.wait_for(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
    host.kill("tempoftp-copy-p1")
    inode = partial.stat().st_ino
    (result,) = host.run(share(host, "p1", "big.bin"))
    assert (result["state"], result["delivered_by"]) == ("delivered", "copy")
    delivered = host.root / "ftp_p1" / "p1" / "big.bin"
    assert (delivered.stat().st_ino, delivered.read_bytes()) == (inode, big.read_bytes())


def test_how_it_was_delivered_is_kept(host: Any, goes: Path) -> None:
    (result,) = host.run(share(host, "p1", method="copy"))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None
    assert (result["delivered_by"], manifest.facts["delivered_by"], manifest.local) == ("copy", "copy", True)
    shutil.rmtree(goes)
    assert host.run(share(host, "p1", method="copy"))[0]["delivered_by"] == "copy"
