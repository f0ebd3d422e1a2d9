# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that runs ahead, and one that is put right: access ends and comes back, and no data is removed by it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import LoginOptions
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import AuditOptions, run_audit
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import clock as _clock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.clock import read_mark
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import (
    DAY,
    add_days,
    format_time,
    parse_time,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.units import Units
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import (
    Account,
    read_account,
    write_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import SweepResult, run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import ExpireSettings

NO_DATABASE = ExpireSettings(login=LoginOptions(login_config_file="/nowhere/mysql.cnf"))
YEAR = 365 * DAY


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(b"goes" * 100)
    return folder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that puts this process' clock some seconds ahead of the real one."""
    real = time.time

    def put(ahead: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + ahead)

    return put


def make_ready(host: Any, share_id: str, ago: float = 0.0) -> None:
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    ready = format_time(time.time() - ago)
    times = {"ready_at": ready, "expires": add_days(ready, manifest.lifetime_days)}
    write_manifest(host.tree, manifest._replace(**times))


def sweep(host: Any) -> SweepResult:
    return run_sweep(host.tree, NO_DATABASE)


def is_there(host: Any, share_id: str) -> bool:
    return bool((host.root / f"ftp_{share_id}" / share_id / "a.nc").exists())


@pytest.mark.parametrize("ahead", [2 * DAY, YEAR, 30 * YEAR])
def test_one_sweep_of_a_clock_ahead_takes_access_and_keeps_everything(
    host: Any, goes: Path, clock: Callable[[float], None], ahead: float
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1), host.share("p2", "goes", lifetime_days=20000))
    host.run(host.share("p3", "goes", lifetime_days=1))
    host.run(host.share("p3", "goes", lifetime_days=1, state="blocked"))
    for share_id in ("p1", "p2", "p3"):
        make_ready(host, share_id)
    write_account(host.tree, Account("ftp_p1", "created", format_time(time.time())))
    sweep(host)
    inode = (host.root / "ftp_p1" / "p1").stat().st_ino
    clock(ahead)
    for _time in range(2):
        seen = sweep(host)
        assert not is_there(host, "p1") and is_there(host, "p2")
        assert (host.tree.held("p1") / "a.nc").exists() and (host.tree.held("p3") / "a.nc").exists()
        assert list(host.tree.trash.iterdir()) == []
        # The run fails, so that a person sees it.
        assert not seen.clock_confirmed and any("ahead" in problem for problem in seen.problems)
    assert read_account(host.tree, "ftp_p1") is not None
    assert host.execute()["host"]["clock"]["ok"] is False
    (result,) = host.run(host.share("p1", "goes", lifetime_days=1))
    assert result["error"]["class"] == "clock_unsure" and result["error"]["transient"]
    clock(0)
    right = sweep(host)
    assert right.clock_confirmed and right.clock_ahead == 0
    assert is_there(host, "p1") and (host.root / "ftp_p1" / "p1").stat().st_ino == inode
    # What a person has blocked stays blocked.
    assert not is_there(host, "p3") and (host.tree.held("p3") / "a.nc").exists()
    (result,) = host.run(host.share("p1", "goes", lifetime_days=1))
    assert (result["state"], result["error"], result["changed"]) == ("delivered", None, False)
    mark = read_mark(host.tree)
    assert mark is not None and abs(mark.time - time.time()) < 120


def test_a_synchronised_clock_may_leap_and_ends_what_is_over(
    host: Any, goes: Path, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that was off for a month, and whose clock daemon has synchronised it since."""
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    sweep(host)
    clock(30 * DAY)
    monkeypatch.setattr(_clock, "read_synchronised", time.time)
    assert sweep(host).clock_confirmed
    assert read_manifest(host.tree, "p1") is None


def test_a_host_without_a_clock_daemon_that_runs_on_is_not_in_doubt(
    host: Any, goes: Path, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    sweep(host)
    real = _clock.read_uptime
    monkeypatch.setattr(_clock, "read_uptime", lambda: real() + 30 * DAY)
    clock(30 * DAY)
    assert sweep(host).clock_confirmed
    assert read_manifest(host.tree, "p1") is None


@pytest.mark.parametrize("ahead", [0, YEAR, -YEAR])
def test_the_host_says_what_its_own_clock_says(
    host: Any, clock: Callable[[float], None], ahead: float
) -> None:
    """The service compares its clock with this one before it ends a share."""
    clock(ahead)
    said = parse_time(host.execute()["host"]["time"])
    assert said is not None and abs(said - time.time()) < 60


def test_a_deletion_by_a_person_needs_no_clock(host: Any, goes: Path, clock: Callable[[float], None]) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    sweep(host)
    clock(YEAR)
    sweep(host)
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 1})
    assert result["error"] is None and result["reason"] == "deleted"
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])


def test_a_mark_of_the_future_ends_access_for_no_longer_than_the_doubt(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=9))
    make_ready(host, "p1")
    host.tree.clock.write_text(json.dumps({"schema": 1, "time": format_time(time.time() + YEAR)}))
    assert not sweep(host).clock_confirmed and not is_there(host, "p1")
    assert (host.tree.held("p1") / "a.nc").exists()
    monkeypatch.setattr(_clock, "read_synchronised", time.time)
    assert sweep(host).clock_confirmed and is_there(host, "p1")


def test_an_audit_repairs_nothing_by_a_clock_in_doubt(
    host: Any, goes: Path, clock: Callable[[float], None]
) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1")
    sweep(host)
    clock(YEAR)
    for hidden in (False, True):
        result = run_audit(AuditOptions(host.tree, None, repair=True, with_sessions=False))
        assert [finding["kind"] for finding in result["findings"]] == ["not_looked_at"]
        assert not result["changed"] and is_there(host, "p1") is not hidden
        sweep(host)


def test_a_copy_that_failed_is_not_given_up_by_a_clock_in_doubt(
    host: Any, goes: Path, clock: Callable[[float], None]
) -> None:
    (host.folder / "unreachable").touch()
    host.run(host.share("p1", "goes"))
    sweep(host)
    clock(YEAR)
    sweep(host)
    assert host.tree.staging("p1").is_dir()
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None and manifest.state == "copying"


def test_an_audit_says_that_a_share_is_held_when_the_clock_jumps_before_its_repair(
    host: Any, goes: Path, clock: Callable[[float], None]
) -> None:
    """Its time is confirmed at the first look and in doubt at the second: nothing has ended the share meanwhile."""
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1", ago=DAY + 3600)
    mark = {"schema": 1, "time": format_time(time.time() - DAY / 2), "boot_id": "another", "uptime": 5.0}
    host.tree.clock.write_text(json.dumps(mark))

    class JumpingUnits(Units):
        looks = 0

        def list_active(self) -> set[str]:
            JumpingUnits.looks += 1
            if JumpingUnits.looks == 2:  # the repair's own look
                clock(YEAR)
            return super().list_active()

    result = run_audit(AuditOptions(host.tree, None, repair=True, with_sessions=False), JumpingUnits())
    (finding,) = [finding for finding in result["findings"] if finding["kind"] == "share_past_expiry"]
    assert not finding["repaired"] and "it is held" in finding["detail"]
    assert (host.tree.held("p1") / "a.nc").exists()
    clock(0)
    result = run_audit(AuditOptions(host.tree, None, repair=True, with_sessions=False))
    assert ("share_past_expiry", True) in {(found["kind"], found["repaired"]) for found in result["findings"]}
    assert not host.tree.held("p1").exists()
