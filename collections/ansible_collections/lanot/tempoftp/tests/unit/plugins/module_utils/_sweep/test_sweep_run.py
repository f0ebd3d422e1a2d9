# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sweeps of a real tree: real files, real copies, real units' stand-ins. The users table: tests/collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import (
    LoginOptions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account, write_account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import read_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    actions as _share_actions,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import (
    apply as _share_apply,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep import run as _sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.library import install_expire
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import (
    SweepResult,
    run_sweep,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import (
    ExpireSettings,
)

LONG_AGO = "2026-01-01T00:00:00Z"
DAY = 86400
NO_DATABASE = ExpireSettings(login=LoginOptions(login_config_file="/nowhere/mysql.cnf"))


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(os.urandom(500))
    return folder


def make_ready(host: Any, share_id: str, ready_at: str = LONG_AGO) -> None:
    """Give a share the times that tempoftp_ftpuser fixes."""
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    expires = add_days(ready_at, manifest.lifetime_days)
    write_manifest(host.tree, manifest._replace(ready_at=ready_at, expires=expires))


def sweep(host: Any, check_mode: bool = False, **changes: Any) -> SweepResult:
    return run_sweep(host.tree, NO_DATABASE._replace(**changes), check_mode)


def is_gone(host: Any, share_id: str) -> bool:
    """Whether nothing of a share is within reach, and its end is written down."""
    tombstone = read_tombstone(host.tree, share_id)
    places = (host.root / f"ftp_{share_id}", host.tree.held(share_id), host.tree.staging(share_id))
    gone = read_manifest(host.tree, share_id) is None and not any(path.exists() for path in places)
    return gone and tombstone is not None and tombstone.reason == "expired"


def test_shares_whose_time_is_up_end_and_the_others_stay(host: Any, goes: Path) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2", "p3")])
    host.run(host.share("p2", "goes", lifetime_days=1, state="blocked"))
    make_ready(host, "p1")
    make_ready(host, "p2")
    make_ready(host, "p3", format_time(time.time()))
    result = sweep(host)
    assert (result.changed, result.problems) == (True, [])
    assert [(share["id"], share["reason"]) for share in result.shares] == [
        ("p1", "expired"),
        ("p2", "expired"),
    ]
    assert is_gone(host, "p1") and is_gone(host, "p2")
    assert (host.root / "ftp_p3" / "p3" / "a.nc").exists()
    third = read_manifest(host.tree, "p3")
    assert third is not None and result.next_end == third.expires
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])
    again = sweep(host)
    assert (again.changed, again.shares) == (False, [])


def test_check_mode_only_lists_what_would_end(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    before = {path: path.read_bytes() for path in host.tree.state.rglob("*.json")}
    result = sweep(host, check_mode=True)
    assert result.changed
    assert [(share["id"], share["state"]) for share in result.shares] == [("p1", "absent")]
    assert {path: path.read_bytes() for path in host.tree.state.rglob("*.json")} == before
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_a_host_that_never_had_a_share_is_not_changed(host: Any) -> None:
    assert sweep(host).changed is False
    assert [path.name for path in host.root.iterdir()] == [".tempoftp"]


def test_the_usual_minute_starts_no_process(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    (host.folder / "bin" / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    assert sweep(host).problems == []


def test_a_damaged_manifest_is_named_and_stops_no_other(host: Any, goes: Path) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2")])
    make_ready(host, "p2")
    host.tree.manifest("p1").write_text("{")
    result = sweep(host)
    assert is_gone(host, "p2")
    assert "shares/p1.json" in result.problems[0]
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_without_the_database_the_data_is_removed_and_the_account_later(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    write_account(host.tree, Account("ftp_p1", "created", LONG_AGO))
    for expected in (["p1"], []):
        result = sweep(host)
        assert [share["id"] for share in result.shares] == expected
        assert is_gone(host, "p1")
        assert any("/nowhere/mysql.cnf" in problem for problem in result.problems)
        assert host.tree.account("ftp_p1").exists()
        host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])


def test_a_share_that_was_extended_is_not_ended(host: Any, goes: Path) -> None:
    """Also while its account is not yet confirmed with the new end."""
    host.run(host.share("p1", "goes", generation=1, lifetime_days=1))
    make_ready(host, "p1", format_time(time.time() - DAY + 3600))
    host.run(host.share("p1", "goes", generation=2, lifetime_days=3, require_existing=True))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None
    write_manifest(host.tree, manifest._replace(expires=format_time(time.time() - 5)))
    assert sweep(host).changed is False
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_a_look_before_the_extension_does_not_count(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the sweep's look and its lock somebody extends the share."""
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    real = _sweep.Batch.run

    def extend_first(batch: Any) -> Any:
        manifest = read_manifest(host.tree, "p1")
        assert manifest is not None
        write_manifest(host.tree, manifest._replace(lifetime_days=9000))
        return real(batch)

    monkeypatch.setattr(_sweep.Batch, "run", extend_first)
    assert sweep(host).shares == []
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_a_clock_that_was_set_back_reopens_nothing_and_is_reported(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1", format_time(time.time()))
    host.tree.clock.write_text(json.dumps({"schema": 1, "time": format_time(time.time() + 2 * DAY)}))
    result = sweep(host)
    # Which of the two times is right is not known: access has ended, and the data stays.
    assert not (host.root / "ftp_p1" / "p1").exists() and (host.tree.held("p1") / "a.nc").exists()
    assert abs(result.clock_ahead - 2 * DAY) < 60 and not result.clock_confirmed
    assert any("behind" in problem for problem in result.problems)


def test_each_sweep_records_the_time(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    sweep(host)
    noted = json.loads(host.tree.clock.read_text())["time"]
    assert noted <= format_time(time.time())
    sweep(host)
    assert json.loads(host.tree.clock.read_text())["time"] == noted


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (_share_actions, "apply_mark_absent"),
        (_share_actions, "apply_move_to_trash"),
        (_share_apply, "write_eviction"),
        (_share_apply, "_leave_home"),
        (_share_apply, "write_tombstone"),
        (_share_apply, "delete_manifest"),
        (_share_apply, "remove_empty_home"),
        (_sweep, "run_accounts"),
        (_sweep, "evict"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sweep_may_be_killed_anywhere(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str
) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2")])
    make_ready(host, "p1")
    make_ready(host, "p2")
    write_account(host.tree, Account("ftp_p1", "created", LONG_AGO))
    real = getattr(module, step)

    def die(*arguments: Any) -> None:
        if when == "after":
            real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(KeyboardInterrupt):
            sweep(host)
    sweep(host)
    assert is_gone(host, "p1") and is_gone(host, "p2")
    host.wait_for(lambda: (sweep(host), list(host.tree.trash.iterdir()) == [])[1])
    assert list(host.tree.eviction("x").parent.iterdir()) == []


def test_what_a_killed_deletion_left_is_finished_as_deleted(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(host.share("p1", "goes"))

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_share_actions, "apply_move_to_trash", die)
        with pytest.raises(KeyboardInterrupt):
            host.run({"id": "p1", "state": "absent", "generation": 4})
    sweep(host)
    tombstone = read_tombstone(host.tree, "p1")
    assert tombstone is not None and (tombstone.generation, tombstone.reason) == (4, "deleted")


@pytest.mark.parametrize("ago", [6, 8])
def test_what_a_failed_copy_left_is_kept_for_some_days(host: Any, goes: Path, ago: int) -> None:
    (host.folder / "unreachable").touch()
    host.run(host.share("p1", "goes"))
    host.wait_for(lambda: host.pid("tempoftp-copy-p1") is None)
    host.tree.data("p1").mkdir(exist_ok=True)
    (host.tree.data("p1") / "part").write_bytes(b"x")
    then = time.time() - ago * DAY
    os.utime(host.tree.status("p1"), (then, then))
    result = sweep(host)
    assert result.problems == []
    assert result.staging == (["p1"] if ago > 7 else [])
    assert is_gone(host, "p1") == (ago > 7)
    (host.folder / "unreachable").unlink()
    (again,) = host.run(host.share("p1", "goes"))
    assert (again["state"], again["generation"]) == ("delivered", 2 if ago > 7 else 1)


def test_staging_without_a_share_is_removed_after_some_days(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    for share_id, ago in (("old", 8), ("new", 1)):
        (host.tree.data(share_id)).mkdir(parents=True)
        then = time.time() - ago * DAY
        os.utime(host.tree.staging(share_id), (then, then))
    assert sweep(host).staging == ["old"]
    assert not host.tree.staging("old").exists() and host.tree.staging("new").exists()
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])


def test_staging_with_a_mount_inside_is_reported_and_not_removed(
    host: Any, goes: Path, private_mounts: None
) -> None:
    host.run(host.share("p1", "goes"))
    host.tree.data("old").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(host.tree.data("old"))], check=True)
    (host.tree.data("old") / "theirs").touch()
    then = time.time() - 8 * DAY
    os.utime(host.tree.staging("old"), (then, then))
    result = sweep(host)
    assert result.staging == [] and (host.tree.data("old") / "theirs").exists()
    assert result.problems == [f"{host.tree.staging('old')} has something mounted in it: unmount it first"]
    subprocess.run(["umount", str(host.tree.data("old"))], check=True)
    assert sweep(host).staging == ["old"]


def test_a_full_disk_keeps_no_share_whose_copy_failed_long_ago(own_disk: Any, goes: Path) -> None:
    host = own_disk
    (host.folder / "unreachable").touch()
    host.run(host.share("p1", "goes"))
    host.wait_for(lambda: host.pid("tempoftp-copy-p1") is None)
    then = time.time() - 8 * DAY
    os.utime(host.tree.status("p1"), (then, then))
    with (host.root / "filling").open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    result = sweep(host)
    assert (result.staging, result.problems) == (["p1"], [])
    assert is_gone(host, "p1")


def test_a_program_that_is_used_again_meanwhile_stays(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the sweep's look and its removal another release takes the program into use."""
    host.run(host.share("p1", "goes"))
    install_expire(host.tree)
    library = host.tree.lib / "aaaaaaaaaaaaaaaa"
    library.mkdir()
    then = time.time() - 20 * DAY
    os.utime(library, (then, then))
    real = _sweep.list_binds

    def want_first(tree: Tree) -> Any:
        os.utime(library)
        return real(tree)

    with monkeypatch.context() as patch:
        patch.setattr(_sweep, "list_binds", want_first)
        assert sweep(host).libraries == []
    assert library.is_dir()
    os.utime(library, (then, then))
    assert sweep(host).libraries == ["aaaaaaaaaaaaaaaa"]


def test_programs_of_earlier_releases_are_removed_unless_they_run(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    current = install_expire(host.tree)
    then = time.time() - 20 * DAY
    for name in ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"):
        (host.tree.lib / name / "copy").mkdir(parents=True)
        (host.tree.lib / name / "copy" / "__main__.py").write_text("import time\ntime.sleep(60)\n")
        os.utime(host.tree.lib / name, (then, then))
    os.utime(current, (then, then))
    program = host.tree.lib / "bbbbbbbbbbbbbbbb" / "copy"
    host_pid = os.posix_spawn(sys.executable, [sys.executable, "-IS", str(program)], os.environ)
    try:
        host.wait_for(lambda: str(program).encode() in Path(f"/proc/{host_pid}/cmdline").read_bytes())
        assert sweep(host).libraries == ["aaaaaaaaaaaaaaaa"]
    finally:
        os.kill(host_pid, 9)
        os.waitpid(host_pid, 0)
    assert sweep(host).libraries == ["bbbbbbbbbbbbbbbb"]
    assert current.is_dir() and (host.tree.lib / "current").resolve() == current


def test_sessions_end_with_their_share_and_a_transfer_has_its_grace(
    host: Any, goes: Path, start_session: Any, print_living: Any
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    idle, busy = start_session(), start_session("pure-ftpd (DOWNLOAD)")
    who = host.folder / "bin" / "pure-ftpwho"
    who.write_text(f"#!{sys.executable}\n" + print_living(idle, "ftp_p1") + print_living(busy, "ftp_p1"))
    result = sweep(host, grace_seconds=600.0)
    assert (result.sessions_ended, result.sessions_left) == (1, 1)
    assert result.wake_at is not None and 500 < result.wake_at - time.time() <= 600
    assert idle.wait(10) == -15 and busy.poll() is None
    note = json.loads(host.tree.eviction("p1").read_text())
    host.tree.eviction("p1").write_text(json.dumps({**note, "grace": 0.0}))
    result = sweep(host, grace_seconds=600.0)
    assert (result.sessions_ended, result.sessions_left, result.wake_at) == (1, 0, None)
    assert busy.wait(10) == -15


def test_a_mount_in_a_share_prevents_only_its_own_removal(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(*[host.share(share_id, "goes", lifetime_days=1) for share_id in ("p1", "p2")])
    make_ready(host, "p1")
    make_ready(host, "p2")
    inside = str(host.root / "ftp_p1" / "p1" / "m")
    module = "ansible_collections.lanot.tempoftp.plugins.module_utils"

    def list_mounts(path: Path) -> list[str]:
        return [inside] if inside.startswith(f"{path}/") else []

    (host.folder / "bin" / "umount").write_text("#!/bin/sh\necho busy >&2\nexit 32\n")
    (host.folder / "bin" / "umount").chmod(0o755)
    for name in ("_share.look", "_share.trash"):
        monkeypatch.setattr(f"{module}.{name}.list_mounts_below", list_mounts)
    result = sweep(host)
    assert is_gone(host, "p2")
    assert any(inside in problem for problem in result.problems)
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()


def test_check_mode_creates_no_folder(tmp_path: Path, record_root: Callable[[Path], Tree]) -> None:
    tree = record_root(tmp_path / "data")
    assert run_sweep(tree, NO_DATABASE, check_mode=True).changed is False
    assert sorted(path.name for path in tree.state.iterdir()) == ["lock", "root.json"]
