# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Local sources by reflink, on a real btrfs in a file, mounted in a mount namespace of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.reflink import (
    Cloner,
    ImpossibleError,
    can_clone,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.safe_open import open_directory_below

MEGABYTE = 1024 * 1024


def read_tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def count_free(path: Path) -> int:
    subprocess.run(["sync", "-f", str(path)], check=True)
    return shutil.disk_usage(path).free


@pytest.fixture
def sharing(host: Any, private_mounts: None, tmp_path: Path) -> Iterator[Any]:
    """The FTP host with its source and its root on one btrfs."""
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(300 * MEGABYTE)
    subprocess.run(["mkfs.btrfs", "-q", str(image)], check=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(host.folder / "fs")], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no btrfs can be mounted here: {mounted.stderr.decode()}")
    for path in (host.root, host.source):
        shutil.rmtree(path)
    host.root, host.source = host.folder / "fs" / "data", host.folder / "fs" / "source"
    host.tree = host.tree._replace(root=host.root)
    for path in (host.root, host.source):
        path.mkdir(mode=0o755)
    host.record_root()
    yield host
    host.stop_all()
    subprocess.run(["umount", "--lazy", str(host.folder / "fs")], check=True)


@pytest.fixture
def goes(sharing: Any) -> Path:
    folder: Path = sharing.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(40 * MEGABYTE))
    (folder / "sub" / "b c").write_bytes(b"b")
    (folder / "empty").touch()
    (folder / "fine").symlink_to("a.nc")
    return folder


def share(host: Any, share_id: str, path: str = "goes", **changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = host.share(share_id, path, local=True, ssh_user=host.user)
    return {**item, **changes}


@pytest.mark.parametrize("method", ["auto", "reflink"])
def test_a_share_takes_no_room_and_stays_as_it_is(sharing: Any, goes: Path, method: str) -> None:
    free = count_free(sharing.root)
    (result,) = sharing.run(share(sharing, "p1", method=method))
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "reflink")
    assert free - count_free(sharing.root) < 10 * MEGABYTE
    delivered = sharing.root / "ftp_p1" / "p1"
    before = read_tree(goes)
    assert read_tree(delivered) == before
    assert (delivered / "fine").readlink() == Path("a.nc")
    assert {path.stat().st_mode & 0o7777 for path in delivered.rglob("*") if path.is_file()} == {0o640}
    with (goes / "a.nc").open("r+b") as stream:
        stream.write(b"changed")
    (goes / "sub" / "b c").unlink()
    assert read_tree(delivered) == before
    assert sharing.execute(share(sharing, "p1", method=method))["changed"] is False


def test_copy_takes_the_room(sharing: Any, goes: Path) -> None:
    free = count_free(sharing.root)
    (result,) = sharing.run(share(sharing, "p1", method="copy"))
    assert result["delivered_by"] == "copy"
    assert free - count_free(sharing.root) > 39 * MEGABYTE


def test_a_share_bigger_than_what_is_free_is_cloned(sharing: Any, goes: Path) -> None:
    # Half of what it has: a btrfs takes and gives back some of its own meanwhile.
    reserve = count_free(sharing.root) - 20 * MEGABYTE
    (result,) = sharing.run(share(sharing, "p1"), reserve_bytes=reserve)
    assert (result["state"], result["error"], result["delivered_by"]) == ("delivered", None, "reflink")
    (result,) = sharing.run(share(sharing, "p2", method="copy"), reserve_bytes=reserve)
    assert result["error"]["class"] == "no_space"


def test_a_file_is_cloned_as_that_file(sharing: Any, goes: Path) -> None:
    (result,) = sharing.run(share(sharing, "p1", "goes/a.nc"))
    assert (result["error"], result["delivered_by"]) == (None, "reflink")
    assert read_tree(sharing.root / "ftp_p1" / "p1") == {"a.nc": (goes / "a.nc").read_bytes()}


def test_what_must_not_be_shared_is_left_out_and_named(sharing: Any, goes: Path) -> None:
    (goes / "abs").symlink_to("/etc/passwd")
    (goes / "sub" / "up").symlink_to("../../../etc")
    os.mkfifo(goes / "pipe")
    os.mknod(goes / "null", 0o20666, os.makedev(1, 3))
    (goes / "setuid").write_text("x")
    (goes / "setuid").chmod(0o4755)
    (result,) = sharing.run(share(sharing, "p1", method="reflink"))
    assert sorted(result["skipped"]) == [
        "abs -> /etc/passwd (unsafe link)",
        "null (not a regular file)",
        "pipe (not a regular file)",
        "sub/up -> ../../../etc (unsafe link)",
    ]
    delivered = sharing.root / "ftp_p1" / "p1"
    assert sorted(path.name for path in delivered.iterdir()) == ["a.nc", "empty", "fine", "setuid", "sub"]
    assert [path.name for path in (delivered / "sub").iterdir()] == ["b c"]
    assert (delivered / "setuid").stat().st_mode & 0o7777 == 0o640


def test_the_second_generation_is_brought_up_to_date(sharing: Any, goes: Path) -> None:
    sharing.run(share(sharing, "p1", generation=1))
    with (goes / "a.nc").open("r+b") as stream:
        stream.write(b"changed")
    (goes / "sub" / "b c").unlink()
    (result,) = sharing.run(share(sharing, "p1", generation=2, checksums=True))
    delivered = sharing.root / "ftp_p1" / "p1"
    (delivered / "SHA256SUMS").unlink()
    assert (result["error"], read_tree(delivered)) == (None, read_tree(goes))


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(sharing: Any, goes: Path) -> None:
    """rsync's list of the source is made; then somebody swaps a folder for a link to what only root may read."""
    secret = sharing.source / "secret"
    secret.mkdir(mode=0o700)
    (secret / "b c").write_text("root's alone")
    target = sharing.folder / "fs" / "target"
    target.mkdir()
    cloner = Cloner(target, sharing.user, 0, 0)
    shutil.rmtree(goes / "sub")
    (goes / "sub").symlink_to(secret)
    top = os.open(goes, os.O_RDONLY)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        open_directory_below(top, ("sub",))
    os.close(top)
    cloner.clone(goes, is_file=False)
    assert sorted(path.name for path in target.iterdir()) == ["a.nc", "empty"]


@pytest.mark.needs_root
def test_it_is_read_as_its_user(sharing: Any, goes: Path) -> None:
    (goes / "a.nc").chmod(0o600)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        subprocess.run(["mount", "--bind", str(goes), folder], check=True)
        try:
            target = sharing.folder / "fs" / "target"
            target.mkdir()
            Cloner(target, "nobody", 0, 0).clone(Path(folder), is_file=False)
            assert sorted(path.name for path in target.iterdir()) == ["empty", "sub"]
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_filesystem_that_cannot_is_told(host: Any, private_mounts: None) -> None:
    """tmpfs shares no blocks, wherever these tests run."""
    place = host.folder / "fs"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
    try:
        assert not can_clone(place)
        (host.source / "a.nc").write_text("x")
        with pytest.raises(ImpossibleError):
            Cloner(place, host.user, 0, 0).clone(host.source / "a.nc", is_file=True)
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_another_filesystem_is_copied_by_auto_and_refused_by_reflink(sharing: Any) -> None:
    outside = sharing.folder / "outside"
    outside.mkdir()
    (outside / "a.nc").write_text("x")
    item = {**share(sharing, "p1", method="reflink"), "source": f"source1:{outside}"}
    (result,) = sharing.run(item)
    assert (result["state"], result["error"]["class"]) == ("failed", "invalid")
    assert "use auto or copy" in result["error"]["message"]
    (result,) = sharing.run({**item, "id": "p2", "method": "auto"})
    assert (result["state"], result["delivered_by"]) == ("delivered", "copy")
