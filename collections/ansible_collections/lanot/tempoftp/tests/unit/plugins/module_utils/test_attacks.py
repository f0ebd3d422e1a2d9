# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attacks on the modules themselves, as if nothing stood before them: values, source trees, share trees, mounts.

docs/security.md names every attack with the tests that hold it off.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
)

SOURCES = {
    "an option for ssh": "-oProxyCommand=touch {witness}:/x",
    "an option as host": "lanotadm@-oProxyCommand=touch {witness}:/x",
    "an option for rsync": "--rsh=touch {witness} :/x",
    "a newline": "source1:/x\ntouch {witness}",
    "a glob": "source1:/g*",
    "a class of a glob": "source1:/[g]oes",
    "an rsync module": "source1::module",
    "an rsync url": "rsync://source1/x",
    "two colons": "/a:b",
    "this host": "localhost:/etc",
    "this host by number": "127.0.0.1:/etc",
    "another user": "root@source1:/etc/shadow",
    "upwards": "source1:/data/../etc",
    "a template as host": "{{{{ lookup('pipe', 'touch {witness}') }}}}:/x",
}
IDS = [
    "../x",
    ".",
    "..",
    "/etc",
    "",
    "a" * 65,
    "a\0",
    "a\n",
    "-rf",
    "expired",
    "user",
    "auditoria",
    "${X}",
    "{{ 7*7 }}",
]
NAMES = ["../x", ".", "..", "/etc", "", "a" * 33, "-rf", "a/b", "a\0", "' OR 1=1 -- ", "{{ 7*7 }}", "ñandú"]


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b").write_bytes(b"b")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What an attacker would have root change or delete."""
    folder = tmp_path / "outside"
    folder.mkdir(mode=0o700)
    (folder / "precious").write_text("precious")
    (folder / "precious").chmod(0o600)
    return folder


def read_facts(folder: Path) -> list[tuple[str, int, int, int]]:
    """Names, modes and owners of a folder and what is in it."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return [(path.name, path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid) for path in paths]


def list_names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("restricted", [True, False], ids=["restricted key", "shell"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_a_hostile_source_starts_nothing(
    host: Any, goes: Path, tmp_path: Path, source: str, restricted: bool
) -> None:
    witness = tmp_path / "witness"
    root = {"source_root": "/data"} if restricted else {}
    (result,) = host.run(host.share("p1", source=source.format(witness=witness), **root))
    assert (result["error"]["class"], result["changed"]) == ("invalid", False)
    assert result["error"]["message"].isprintable()
    assert host.log("ssh") == host.log("systemd") == ""
    assert not witness.exists()
    assert set(list_names(host.root)) <= {".tempoftp", ".tempoftp/lock", ".tempoftp/root.json"}


@pytest.mark.parametrize("path", ["/etc", "/data2/x", "/", "/dat"])
def test_a_source_outside_of_its_root_starts_nothing(host: Any, path: str) -> None:
    (result,) = host.run(host.share("p1", source=f"source1:{path}", source_root="/data"))
    assert result["error"]["class"] == "invalid"
    assert host.log("ssh") == host.log("systemd") == ""


@pytest.mark.parametrize("value", IDS, ids=ascii)
def test_a_hostile_id_names_no_file(host: Any, goes: Path, value: str) -> None:
    for item in (host.share("x", "goes", id=value), {"id": value, "state": "absent", "generation": 1}):
        (result,) = host.run(item)
        assert (result["error"]["class"], result["changed"]) == ("invalid", False)
    assert host.log("systemd") == ""
    assert set(list_names(host.root)) <= {".tempoftp", ".tempoftp/lock", ".tempoftp/root.json"}


@pytest.mark.parametrize("value", NAMES, ids=ascii)
def test_a_hostile_account_makes_no_home(host: Any, goes: Path, value: str) -> None:
    (result,) = host.run(host.share("p1", "goes", ftpuser=value))
    assert (result["error"]["class"], result["changed"]) == ("invalid", False)
    assert host.log("systemd") == ""


@pytest.mark.parametrize(
    "name", ["{{ lookup('pipe', 'touch P') }}", "${X}..", "$(touch P)", "`touch P`", "x;touch P"]
)
def test_a_strange_path_is_that_path_in_manifest_and_answer(host: Any, name: str) -> None:
    (host.source / name).mkdir()
    (host.source / name / "link").symlink_to("/etc/{{ lookup('pipe', 'touch P') }}")
    (result,) = host.run(host.share("p1", source=f"source1:{host.source}/{name}"))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert result["skipped"] == ["link -> /etc/{{ lookup('pipe', 'touch P') }} (unsafe link)"]
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None and manifest.source == f"source1:{host.source}/{name}"
    assert name not in host.log("systemd")
    assert not any(Path(folder, "P").exists() for folder in (".", host.folder, host.root, host.source))


def test_what_systemd_would_expand_does_not_leave_the_folder(host: Any) -> None:
    """`pub/${X}../private` is `pub/../private` for whoever expands it."""
    (host.source / "pub").mkdir()
    (host.source / "private").mkdir()
    (host.source / "private" / "secret").write_text("secret")
    (result,) = host.run(host.share("p1", "pub/${X}../private"))
    assert result["error"]["class"] == "source_not_found"
    assert "secret" not in "".join(list_names(host.root))


def test_a_silent_source_makes_nobody_wait(host: Any, goes: Path) -> None:
    slow, good = host.run(
        host.share("slow", source="silent:/x"), host.share("good", "goes"), wait_timeout=3, max_copies=2
    )
    assert (good["state"], good["error"]) == ("delivered", None)
    assert slow["state"] in ("probing", "copying") and slow["error"] is None
    (again,) = host.run(host.share("later", "goes"), wait_timeout=30, max_copies=2)
    assert again["state"] == "delivered"


@pytest.mark.needs_root
def test_only_files_folders_and_inner_links_arrive(host: Any, goes: Path, outside: Path) -> None:
    os.mknod(goes / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 0))
    os.mknod(goes / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(goes / "fifo")
    (goes / "itself").symlink_to("itself")
    (goes / "round").symlink_to("sub/round")
    (goes / "sub" / "round").symlink_to("../round")
    (goes / "here").symlink_to(".")
    (goes / "out").symlink_to(outside)
    (goes / "sub" / "up").symlink_to("../../outside")
    (goes / "root").write_text("x")
    (goes / "root").chmod(0o6777)
    (goes / "sub").chmod(0o7777)
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["error"]) == ("delivered", None)
    told = " ".join(result["skipped"])
    assert result["skipped_total"] == 5
    assert all(name in told for name in ("disk", "null", "fifo", "out -> ", "sub/up -> "))
    share = host.root / "ftp_p1" / "p1"
    for path in share.rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), path
        if stat.S_ISLNK(mode):
            # Where it leads by its text alone: a loop leads nowhere else either.
            assert Path(os.path.normpath(path.parent / path.readlink())).is_relative_to(share), path
        else:
            assert stat.S_IMODE(mode) == (0o750 if stat.S_ISDIR(mode) else 0o640), path


@pytest.mark.parametrize(
    "swapped", ["sub", "a.nc", ""], ids=["a folder in it", "a file in it", "the share itself"]
)
def test_root_follows_no_link_out_of_a_share(host: Any, goes: Path, outside: Path, swapped: str) -> None:
    """A recipient with write access swaps what is there for a link, then the share is renewed, then ended."""
    host.run(host.share("p1", "goes", generation=1))
    target = host.root / "ftp_p1" / "p1" / swapped
    target.rename(host.folder / "taken")
    target.symlink_to(outside / "precious" if swapped == "a.nc" else outside)
    before = read_facts(outside)
    (renewed,) = host.run(host.share("p1", "goes", generation=2))
    assert renewed["state"] == "delivered" or renewed["error"], renewed
    assert read_facts(outside) == before
    (ended,) = host.run({"id": "p1", "state": "absent", "generation": 3})
    assert (ended["state"], ended["error"]) == ("absent", None)
    assert read_facts(outside) == before
    assert (outside / "precious").read_text() == "precious"


def test_a_manifest_made_by_somebody_else_leads_nowhere(host: Any, goes: Path, outside: Path) -> None:
    """Should a manifest name another id, account or path, no step is taken with it."""
    host.run(host.share("p1", "goes"))
    path = host.tree.manifest("p1")
    whole = json.loads(path.read_text())
    for change in ({"id": "../p1"}, {"ftpuser": "../outside"}, {"ftpuser": ""}):
        path.write_text(json.dumps({**whole, **change}))
        (result,) = host.run({"id": "p1", "state": "absent", "generation": 9})
        assert result["error"] is not None and result["changed"] is False
    assert (outside / "precious").exists()
    path.write_text(json.dumps({**whole, "path": str(outside)}))
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 9})
    assert (result["state"], result["error"]) == ("absent", None)
    assert (outside / "precious").exists()


@pytest.fixture
def mounted(host: Any, goes: Path) -> Iterator[Path]:
    """A delivered share with its source bind-mounted inside: one filesystem, so `--one-file-system` is no help."""
    host.run(host.share("p1", "goes", generation=1))
    place: Path = host.root / "ftp_p1" / "p1" / "sub"
    subprocess.run(["mount", "--bind", goes, place], check=True)
    yield place
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if line.split()[4].startswith(f"{host.root}/"):
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", "--lazy", line.split()[4]], check=True)


@pytest.mark.needs_root
def test_deletion_unmounts_what_is_mounted_below(host: Any, goes: Path, mounted: Path) -> None:
    before = read_facts(goes)
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert (result["state"], result["error"]) == ("absent", None)
    assert read_facts(goes) == before
    assert (goes / "a.nc").stat().st_size == 5000
    assert not (host.root / "ftp_p1").exists()


@pytest.mark.needs_root
def test_deletion_is_refused_while_a_mount_is_busy(host: Any, goes: Path, mounted: Path) -> None:
    before = read_facts(goes)
    busy = subprocess.Popen([sys.executable, "-c", "input()"], cwd=mounted, stdin=subprocess.PIPE)
    try:
        (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
        assert result["error"] is not None and str(mounted) in result["error"]["message"]
        assert read_facts(goes) == before
    finally:
        busy.communicate(b"\n")
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert (result["state"], result["error"]) == ("absent", None)
    assert read_facts(goes) == before


@pytest.mark.needs_root
def test_what_is_mounted_in_the_trash_is_not_removed(host: Any, goes: Path, mounted: Path) -> None:
    subprocess.run(["umount", mounted], check=True)
    (host.folder / "systemd_broken").touch()  # the removal does not start yet
    host.run({"id": "p1", "state": "absent", "generation": 2})
    (trash,) = host.tree.trash.iterdir()
    place = next(path for path in trash.rglob("sub"))
    subprocess.run(["mount", "--bind", goes, place], check=True)
    (host.folder / "systemd_broken").unlink()
    before = read_facts(goes)
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert result["error"] is not None and result["error"]["transient"]
    assert read_facts(goes) == before
    subprocess.run(["umount", place], check=True)
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert (result["state"], result["error"]) == ("absent", None)
    assert read_facts(goes) == before
