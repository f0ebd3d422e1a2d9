# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module below its ``main``: real rsync, real copier, real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.held_copy import (
    SMALL_BYTES,
    SMALL_ENTRIES,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.starts import START_LIMIT
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
    Refused,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account, write_account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import read_manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import read_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    actions as _share_actions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    apply as _share_apply,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    launcher as _share_launcher,
)

BIG = 6_000_000


def read_tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(os.urandom(5000))
    (folder / "sub" / "b c").write_bytes(b"b")
    return folder


@pytest.fixture
def big(host: Any) -> Path:
    file: Path = host.source / "big.bin"
    file.write_bytes(os.urandom(BIG))
    return file


def test_a_folder_is_delivered_with_its_contents(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["changed"], result["error"]) == ("delivered", True, None)
    assert (result["percent"], result["bytes_total"], result["files_total"]) == (100, 5001, 2)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)
    assert (host.root / "ftp_p1").stat().st_mode & 0o7777 == 0o750
    assert (host.root / "ftp_p1" / "p1").stat().st_mode & 0o7777 == 0o750
    assert (host.root / "ftp_p1" / "p1" / "a.nc").stat().st_mode & 0o7777 == 0o640
    assert list((host.root / ".tempoftp" / "staging").iterdir()) == []
    assert {"copy", "verify"} <= set(result["durations"])


def test_a_second_execution_changes_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    before = (host.tree.manifest("p1")).read_bytes()
    executed = host.execute(host.share("p1", "goes"))
    assert executed["changed"] is False
    assert executed["shares"][0]["state"] == "delivered"
    assert host.tree.manifest("p1").read_bytes() == before


def test_check_mode_says_what_would_be_and_does_nothing(host: Any, goes: Path) -> None:
    executed = host.execute(host.share("p1", "goes"), check_mode=True)
    assert (executed["changed"], executed["shares"][0]["state"]) == (True, "delivered")
    assert [path.name for path in host.tree.state.iterdir()] == ["root.json"]
    assert executed["diff"][0]["before"] == {"state": "absent"}
    assert executed["diff"][0]["after"]["source"].endswith("/goes")
    host.run(host.share("p1", "goes"))
    assert host.execute(host.share("p1", "goes"), check_mode=True)["changed"] is False
    gone = host.execute({"id": "p1", "state": "absent"}, check_mode=True)
    assert (gone["changed"], gone["shares"][0]["state"]) == (True, "absent")
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_a_file_is_delivered_as_that_file(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes/a.nc"))
    assert result["state"] == "delivered"
    assert read_tree(host.root / "ftp_p1" / "p1") == {"a.nc": (goes / "a.nc").read_bytes()}


@pytest.mark.parametrize("name", ["$(touch P);`id`'\"{a,b}~&é", "-rf", " blanks  ", "~x"])
def test_a_path_is_taken_literally(host: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.source / name).mkdir()
    (host.source / name / "f").write_text("x")
    for share_id in ("shell", "restricted"):
        if share_id == "restricted":
            host.restrict()
        changes = {"source_root": str(host.source)} if share_id == "restricted" else {}
        source = f"source1:{host.source}/{name}"
        (result,) = host.run(host.share(share_id, source=source, **changes))
        assert (result["state"], result["error"]) == ("delivered", None)
        assert read_tree(host.root / f"ftp_{share_id}" / share_id) == {"f": b"x"}
    assert not (host.source / "P").exists() and not Path("P").exists()


@pytest.mark.parametrize("path", ["", "goes", "goes/a.nc"])
def test_a_restricted_key_gets_paths_relative_to_its_root(host: Any, goes: Path, path: str) -> None:
    host.restrict()
    (result,) = host.run(host.share("p1", path, source_root=str(host.source)))
    assert (result["state"], result["error"]) == ("delivered", None)
    expected = (
        {"a.nc": (goes / "a.nc").read_bytes()} if path == "goes/a.nc" else read_tree(host.source / path)
    )
    assert read_tree(host.root / "ftp_p1" / "p1") == expected


@pytest.mark.parametrize("size", ["many", "large"])
def test_a_share_that_is_not_small_is_probed(host: Any, goes: Path, size: str) -> None:
    if size == "many":
        # So many that it cannot be over before it is told to stop.
        for number in range(20 * SMALL_ENTRIES):
            (goes / "sub" / f"f{number}").touch()
    else:
        with (goes / "large").open("wb") as stream:
            stream.truncate(SMALL_BYTES + 1)
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert "space" in result["durations"]
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)


def test_what_is_left_out_is_named(host: Any, goes: Path) -> None:
    (goes / "abs").symlink_to("/etc/passwd")
    (goes / "sub" / "up").symlink_to("../../../etc")
    (goes / "fine").symlink_to("a.nc")
    os.mkfifo(goes / "pipe")
    (goes / "setuid").write_text("x")
    (goes / "setuid").chmod(0o4755)
    (result,) = host.run(host.share("p1", "goes"))
    assert sorted(result["skipped"]) == [
        "abs -> /etc/passwd (unsafe link)",
        "pipe (not a regular file)",
        "sub/up -> ../../../etc (unsafe link)",
    ]
    assert result["skipped_total"] == 3
    delivered = host.root / "ftp_p1" / "p1"
    assert sorted(path.name for path in delivered.iterdir()) == ["a.nc", "fine", "setuid", "sub"]
    assert (delivered / "setuid").stat().st_mode & 0o7777 == 0o640


def test_one_failing_share_harms_no_other(host: Any, goes: Path) -> None:
    refused = Refused("bad type", InvalidValueError("generation x is refused: an integer is needed"))
    results = host.run(
        host.share("gone", "nothing"),
        refused,
        host.share("../x", "goes"),
        host.share("glob", source="source1:/srv/*"),
        host.share("good", "goes"),
        host.share("good", "goes"),
    )
    assert [result["state"] for result in results] == [
        "failed",
        "absent",
        "absent",
        "absent",
        "delivered",
        "absent",
    ]
    classes = [result["error"]["class"] if result["error"] else None for result in results]
    assert classes == ["source_not_found", "invalid", "invalid", "invalid", None, "invalid"]
    assert not (host.root / "ftp_gone").exists()


def test_a_failure_is_told_once_and_then_tried_again(host: Any, goes: Path) -> None:
    (host.folder / "unreachable").touch()
    (result,) = host.run(host.share("p1", "goes"))
    assert result["error"]["class"] == "source_unreachable" and result["error"]["transient"] is True
    assert "No route to host" in result["error"]["message"]
    (host.folder / "unreachable").unlink()
    assert host.run(host.share("p1", "goes"))[0]["state"] == "delivered"


def test_a_failure_between_two_executions_is_not_lost(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "nothing"), wait=False)
    host.wait_for(
        lambda: '"failed"' in host.tree.status("p1").read_text() if host.tree.status("p1").exists() else False
    )
    assert host.run(host.share("p1", "nothing"), wait=False)[0]["error"]["class"] == "source_not_found"


def test_more_than_the_disk_holds_is_refused_before_copying(host: Any, own_disk: Any, big: Path) -> None:
    total = os.statvfs(host.root).f_blocks * os.statvfs(host.root).f_frsize
    (result,) = host.run(host.share("p1", "big.bin"), reserve_bytes=total)
    assert result["error"]["class"] == "too_large" and result["error"]["transient"] is False
    assert not host.tree.data("p1").exists()
    free = os.statvfs(host.root).f_bavail * os.statvfs(host.root).f_frsize
    (result,) = host.run(host.share("p1", "big.bin"), reserve_bytes=free)
    assert result["error"]["class"] == "no_space" and result["error"]["transient"] is True


def test_more_inodes_than_there_are_is_refused(host: Any, own_disk: Any, goes: Path) -> None:
    facts = os.statvfs(host.root)
    (result,) = host.run(host.share("p1", "goes"), reserve_inodes=facts.f_favail)
    assert result["error"]["class"] == "no_inodes"


def test_du_measures_with_a_shell_and_its_failure_is_one(host: Any, goes: Path) -> None:
    assert host.run(host.share("p1", "goes", size_probe="du"))[0]["state"] == "delivered"
    assert f"du -sb -- {goes}" in host.log("ssh")
    (result,) = host.run(host.share("p2", "goes", size_probe="du", source_root=str(host.source)))
    assert result["error"]["class"] == "invalid"


def test_a_killed_copy_is_resumed(host: Any, big: Path) -> None:
    (result,) = host.run(host.share("p1", "big.bin"), wait=False, bwlimit="1M")
    assert result["state"] in ("queued", "probing")
    partial = host.tree.data("p1") / "big.bin"
    host.wait_for(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
    host.kill("tempoftp-copy-p1")
    inode, size = partial.stat().st_ino, partial.stat().st_size
    assert 1_000_000 < size < BIG
    (result,) = host.run(host.share("p1", "big.bin"))
    assert (result["state"], result["bytes_done"]) == ("delivered", BIG)
    delivered = host.root / "ftp_p1" / "p1" / "big.bin"
    assert delivered.read_bytes() == big.read_bytes()
    assert delivered.stat().st_ino == inode


def test_a_killed_rsync_is_resumed_by_its_copier(host: Any, big: Path) -> None:
    host.run(host.share("p1", "big.bin"), wait=False, bwlimit="2M")
    partial = host.tree.data("p1") / "big.bin"
    host.wait_for(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
    for pid in find_rsyncs(str(host.tree.data("p1"))):
        os.kill(pid, signal.SIGKILL)
    (result,) = host.run(host.share("p1", "big.bin"))
    assert result["state"] == "delivered"
    assert (host.root / "ftp_p1" / "p1" / "big.bin").read_bytes() == big.read_bytes()
    assert host.log("systemd").count("tempoftp-copy-p1 ") == 1


def test_a_copier_that_dies_without_a_word_is_not_started_for_ever(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when each run sees only one of its starts."""
    with monkeypatch.context() as patch:
        patch.setattr(_share_launcher, "build_program_argv", lambda *_arguments: ["false"])
        results = []
        # A run that sees it end may start it again at once; none sees more than there are.
        for _run in range(START_LIMIT + 1):
            (result,) = host.run(host.share("p1", "goes"), wait=False)
            results.append(result)
            if result["error"] is not None:
                break
            host.wait_for(lambda: not (host.folder / "units" / "tempoftp-copy-p1").exists())
        assert result["error"]["class"] == "copy_failed", results
        assert host.log("systemd").count("tempoftp-copy-p1 ") == START_LIMIT
        assert "journalctl -u tempoftp-copy-p1" in result["error"]["message"]
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert list((host.root / ".tempoftp" / "staging").iterdir()) == []


def find_rsyncs(word: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"rsync" and any(word.encode() in other for other in words):
            found.append(int(path.parent.name))
    return found


def test_progress_is_told_while_it_copies(host: Any, big: Path) -> None:
    host.run(host.share("p1", "big.bin"), wait=False, bwlimit="1M")
    seen: list[dict[str, Any]] = []

    def copied_some() -> bool:
        seen.append(host.run(host.share("p1", "big.bin"), wait=False, bwlimit="1M")[0])
        return 0 < seen[-1]["bytes_done"] < BIG

    host.wait_for(copied_some)
    last = seen[-1]
    assert (last["state"], last["bytes_total"], last["changed"]) == ("copying", BIG, False)
    assert last["percent"] == last["bytes_done"] * 100 // BIG


def test_after_a_reboot_sizes_and_times_are_not_trusted(host: Any, big: Path) -> None:
    """A power loss leaves files of the right size and time with other content."""
    host.run(host.share("p1", "big.bin"), wait=False, bwlimit="1M")
    partial = host.tree.data("p1") / "big.bin"
    host.wait_for(lambda: partial.exists() and partial.stat().st_size > 100_000)
    host.kill("tempoftp-copy-p1")
    partial.write_bytes(bytes(BIG))
    os.utime(partial, ns=(big.stat().st_atime_ns, big.stat().st_mtime_ns))
    partial.chmod(0o640)
    manifest = json.loads(host.tree.manifest("p1").read_text())
    host.tree.manifest("p1").write_text(json.dumps({**manifest, "boot_id": "an-earlier-boot"}))
    assert host.run(host.share("p1", "big.bin"))[0]["state"] == "delivered"
    assert (host.root / "ftp_p1" / "p1" / "big.bin").read_bytes() == big.read_bytes()


def test_no_more_copies_at_once_than_allowed(host: Any, big: Path) -> None:
    items = [host.share(f"p{number}", "big.bin") for number in range(4)]
    results = host.run(*items, wait=False, max_copies=2, bwlimit="1M")
    assert [result["state"] for result in results].count("queued") == 2
    assert sum(path.name.startswith("tempoftp-copy-") for path in (host.folder / "units").iterdir()) <= 2
    started = [line.split()[0] for line in host.log("systemd").splitlines() if "tempoftp-copy-" in line]
    assert sorted(started) == ["tempoftp-copy-p0", "tempoftp-copy-p1"]


def test_many_small_shares_use_one_connection(host: Any, goes: Path) -> None:
    results = host.run(*[host.share(f"p{number}", "goes") for number in range(6)])
    assert {result["state"] for result in results} == {"delivered"}
    assert host.log("systemd").count("tempoftp-ssh-") == 1


def test_a_unit_is_told_nothing_but_the_id(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (line,) = [line for line in host.log("systemd").splitlines() if line.startswith("tempoftp-copy-p1 ")]
    assert line.split()[-1] == "p1"
    assert "goes" not in line and "source1" not in line


def test_an_older_generation_changes_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=2))
    late = [host.share("p1", "goes", generation=1), {"id": "p1", "state": "absent", "generation": 1}]
    for item in late:
        (result,) = host.run(item)
        assert (result["error"]["class"], result["changed"], result["state"]) == ("stale", False, "delivered")
    host.run({"id": "p1", "state": "absent", "generation": 3})
    for generation in (2, 3):
        (result,) = host.run(host.share("p1", "goes", generation=generation))
        assert (result["error"]["class"], result["state"]) == ("stale", "absent")
    assert not (host.root / "ftp_p1").exists()
    assert host.run(host.share("p1", "goes", generation=4))[0]["state"] == "delivered"


def test_without_a_generation_the_next_one_after_an_end_is_meant(host: Any, goes: Path) -> None:
    assert host.run(host.share("p1", "goes"))[0]["generation"] == 1
    assert host.run({"id": "p1", "state": "absent"})[0]["state"] == "absent"
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["generation"]) == ("delivered", 2)


def test_the_same_generation_cannot_mean_something_else(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (result,) = host.run(host.share("p1", "goes/sub"))
    assert (result["error"]["class"], result["state"]) == ("invalid", "delivered")


def test_a_newer_generation_takes_up_what_is_there(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=1))
    inode = (host.root / "ftp_p1" / "p1" / "a.nc").stat().st_ino
    other = goes.with_name("other")
    shutil.copytree(goes, other)
    (other / "sub" / "b c").unlink()
    (other / "new").write_text("new")
    (result,) = host.run(host.share("p1", "other", generation=2))
    assert (result["state"], result["generation"]) == ("delivered", 2)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(other)
    assert (host.root / "ftp_p1" / "p1" / "a.nc").stat().st_ino == inode
    (result,) = host.run(host.share("p1", "other/new", generation=3))
    assert read_tree(host.root / "ftp_p1" / "p1") == {"new": b"new"}


def test_a_newer_generation_replaces_a_running_copy(host: Any, goes: Path, big: Path) -> None:
    host.run(host.share("p1", "big.bin", generation=1), wait=False, bwlimit="1M")
    host.wait_for((host.tree.data("p1") / "big.bin").exists)
    (result,) = host.run(host.share("p1", "goes", generation=2))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)


def test_absent_removes_data_and_remembers(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert (result["state"], result["changed"], result["error"]) == ("absent", True, None)
    assert not (host.root / "ftp_p1").exists()
    assert list(host.tree.trash.iterdir()) == []
    assert read_manifest(host.tree, "p1") is None
    tombstone = read_tombstone(host.tree, "p1")
    assert tombstone is not None and tombstone.generation == 2
    assert host.execute({"id": "p1", "state": "absent", "generation": 2})["changed"] is False


def test_absent_of_an_unknown_share_only_leaves_a_tombstone(host: Any, goes: Path) -> None:
    assert host.execute({"id": "p1", "state": "absent"})["changed"] is False
    assert sorted(path.name for path in host.tree.state.iterdir()) == ["lock", "root.json"]
    executed = host.execute({"id": "p1", "state": "absent", "generation": 3})
    assert (executed["changed"], executed["shares"][0]["state"]) == (False, "absent")
    assert host.run(host.share("p1", "goes", generation=3))[0]["error"]["class"] == "stale"


def test_absent_ends_a_running_copy(host: Any, big: Path) -> None:
    host.run(host.share("p1", "big.bin"), wait=False, bwlimit="1M")
    host.wait_for((host.tree.data("p1") / "big.bin").exists)
    (result,) = host.run({"id": "p1", "state": "absent"})
    assert (result["state"], result["error"]) == ("absent", None)
    assert find_rsyncs(str(host.tree.data("p1"))) == []
    assert not host.tree.staging("p1").exists()


def test_absent_keeps_the_home_of_other_shares(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", ftpuser="ftp_x"), host.share("p2", "goes", ftpuser="ftp_x"))
    host.run({"id": "p1", "state": "absent"})
    assert sorted(path.name for path in (host.root / "ftp_x").iterdir()) == ["p2"]
    host.run({"id": "p2", "state": "absent"})
    assert not (host.root / "ftp_x").exists()


def test_absent_keeps_a_home_that_was_there_before(host: Any, goes: Path) -> None:
    (host.root / "ftp_x").mkdir(mode=0o750)
    host.run(host.share("p1", "goes", ftpuser="ftp_x", adopt=True))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None and manifest.origin == "adopted"
    host.run({"id": "p1", "state": "absent"})
    assert (host.root / "ftp_x").is_dir()


def test_an_account_record_says_whose_the_home_is(host: Any, goes: Path) -> None:
    host.run(host.share("p0", "goes"))
    write_account(host.tree, Account("ftp_x", "adopted", "2026-01-01T00:00:00Z"))
    (refused,) = host.run(host.share("p1", "goes", ftpuser="ftp_x"))
    assert refused["error"]["class"] == "account_conflict"
    host.run(host.share("p1", "goes", ftpuser="ftp_x", adopt=True))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None and manifest.origin == "adopted"


def test_a_home_that_was_there_gets_nothing_until_somebody_said_whose_it_is(host: Any, goes: Path) -> None:
    (host.root / "ftp_p1").mkdir(mode=0o750)
    for check_mode in (True, False):
        (refused,) = host.run(host.share("p1", "goes"), check_mode=check_mode)
        assert (refused["error"]["class"], refused["changed"]) == ("account_conflict", False)
        assert "tempoftp account map EMAIL ftp_p1" in refused["error"]["message"]
    assert list((host.root / "ftp_p1").iterdir()) == []
    assert read_manifest(host.tree, "p1") is None
    (result,) = host.run(host.share("p1", "goes", adopt=True))
    assert result["state"] == "delivered"
    # Once begun, whoever looks after it need not say so again.
    (again,) = host.run(host.share("p1", "goes"))
    assert (again["state"], again["error"], again["changed"]) == ("delivered", None, False)


def test_a_home_of_our_own_shares_needs_nobody_to_say_so(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", ftpuser="ftp_x"))
    (result,) = host.run(host.share("p2", "goes", ftpuser="ftp_x"))
    assert result["state"] == "delivered"


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_not_ours_is_never_touched(host: Any, goes: Path, kind: str) -> None:
    (host.root / "ftp_p1").mkdir(mode=0o750)
    target = host.root / "ftp_p1" / "p1"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("precious")
    else:
        target.symlink_to("/nowhere")
    (result,) = host.run(host.share("p1", "goes", adopt=True))
    assert (result["error"]["class"], result["changed"]) == ("destination_occupied", False)
    assert host.run({"id": "p1", "state": "absent", "generation": 1})[0]["state"] == "absent"
    assert os.path.lexists(target)


def test_what_appears_in_the_home_while_copying_is_not_touched(host: Any, big: Path) -> None:
    host.run(host.share("p1", "big.bin"), wait=False, bwlimit="4M")
    (host.root / "ftp_p1" / "p1").mkdir(parents=True, mode=0o750)
    (host.root / "ftp_p1").chmod(0o750)
    (result,) = host.run(host.share("p1", "big.bin"))
    assert result["error"]["class"] == "destination_occupied"
    assert host.run({"id": "p1", "state": "absent"})[0]["state"] == "absent"
    assert (host.root / "ftp_p1" / "p1").is_dir()


def test_a_home_that_is_a_symlink_is_refused(host: Any, goes: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (host.root / "ftp_p1").symlink_to(outside)
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["error"]["class"], result["changed"]) == ("account_conflict", False)
    assert list(outside.iterdir()) == []


def test_a_home_that_others_may_write_to_is_refused(host: Any, goes: Path) -> None:
    (host.root / "ftp_p1").mkdir()
    (host.root / "ftp_p1").chmod(0o777)
    assert host.run(host.share("p1", "goes"))[0]["error"]["class"] == "account_conflict"


@pytest.mark.parametrize("step", ["write_manifest", "apply_confirm", "sync_directory"])
def test_delivery_may_be_killed_anywhere(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        real = getattr(_share_apply, step)

        def die(*arguments: Any) -> Any:
            if (host.root / "ftp_p1" / "p1").exists():
                raise KeyboardInterrupt
            return real(*arguments)

        patch.setattr(_share_apply, step, die)
        with pytest.raises(KeyboardInterrupt):
            host.run(host.share("p1", "goes"))
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["error"]) == ("delivered", None)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)
    assert host.log("systemd").count("tempoftp-copy-p1 ") == 1


@pytest.mark.parametrize(
    "step", ["apply_move_to_trash", "write_tombstone", "delete_manifest", "remove_empty_home"]
)
def test_deletion_may_be_killed_anywhere(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    host.run(host.share("p1", "goes", generation=1))

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_share_actions if step == "apply_move_to_trash" else _share_apply, step, die)
        with pytest.raises(KeyboardInterrupt):
            host.run({"id": "p1", "state": "absent", "generation": 2})
    (late,) = host.run(host.share("p1", "goes", generation=1))
    assert late["error"]["class"] == "stale"
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 2})
    assert (result["state"], result["error"]) == ("absent", None)
    assert not (host.root / "ftp_p1" / "p1").exists()
    assert list(host.tree.trash.iterdir()) == []


def test_data_that_somebody_took_away_is_copied_again(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (host.root / "ftp_p1" / "p1").rename(host.folder / "elsewhere")
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["state"], result["changed"]) == ("delivered", True)
    assert read_tree(host.root / "ftp_p1" / "p1") == read_tree(goes)


def test_writable_gives_the_files_to_the_ftp_user(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes", writable=True))
    if result["error"]:
        assert "needs a user" in result["error"]["message"]  # the test's user has a group of another name
    else:
        assert (host.root / "ftp_p1" / "p1").stat().st_uid == os.geteuid()


def test_a_copier_that_cannot_run_is_not_started_for_ever(host: Any, goes: Path) -> None:
    (host.folder / "systemd_broken").touch()
    (result,) = host.run(host.share("p1", "goes"))
    assert result["error"]["class"] == "copy_failed"
    assert "Failed to connect to bus" in result["error"]["message"]


def test_a_host_that_is_not_ready_is_refused(host: Any, goes: Path) -> None:
    host.root.chmod(0o777)
    with pytest.raises(InvalidValueError, match="written by others"):
        host.run(host.share("p1", "goes"))
    host.root.chmod(0o755)
    with pytest.raises(InvalidValueError, match="no group"):
        host.run(host.share("p1", "goes"), group="no-such-group")
    (result,) = host.run(host.share("p1", "goes"), root=str(host.root / "missing"))
    assert result["error"]["class"] == "root_missing"


def test_a_damaged_manifest_stops_only_its_share(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"), host.share("p2", "goes"))
    host.tree.manifest("p1").write_text("{")
    results = host.run(host.share("p1", "goes"), host.share("p2", "goes"))
    assert results[0]["error"]["class"] == "run_failed" and "damaged" in results[0]["error"]["message"]
    assert (results[1]["state"], results[1]["error"]) == ("delivered", None)


def test_an_empty_list_reports_the_host(host: Any) -> None:
    executed = host.execute()
    assert (executed["shares"], executed["changed"]) == ([], False)
    facts = executed["host"]
    assert 0 < facts["space_free"] <= facts["space_total"]
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts["copies_running"] == 0
