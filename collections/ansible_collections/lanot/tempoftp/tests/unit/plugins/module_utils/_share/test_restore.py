# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleted data waits ``trash_hours`` in the trash, comes back by one rename, and goes when its hours are over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import LoginOptions
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import AuditOptions, run_audit
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import clock as _clock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share import apply as _share_apply
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.trash import purge_share
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import SweepResult, run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import ExpireSettings

HOURS = 24
NO_DATABASE = ExpireSettings(trash_hours=HOURS, login=LoginOptions(login_config_file="/nowhere/mysql.cnf"))
ABSENT = {"id": "p1", "state": "absent"}


@pytest.fixture
def kept(host: Any) -> Any:
    """A host that keeps what it deletes, with a share that was deleted; ``inode`` is that of its data."""
    (host.folder / "etc" / "expire.json").write_text(json.dumps({"trash_hours": HOURS}))
    (host.source / "goes").mkdir()
    (host.source / "goes" / "a.nc").write_bytes(os.urandom(500))
    host.run(host.share("p1", "goes"))
    make_ready(host)
    host.inode = (host.root / "ftp_p1" / "p1").stat().st_ino
    (result,) = host.run(ABSENT)
    assert (result["state"], result["error"]) == ("absent", None)
    assert result["restorable_until"] > format_time(time.time() + HOURS * 3600 - 60)
    return host


def make_ready(host: Any, ago: float = 60.0) -> None:
    manifest = read_manifest(host.tree, "p1")
    ready = format_time(time.time() - ago)
    times = {"ready_at": ready, "expires": add_days(ready, manifest.lifetime_days)}
    write_manifest(host.tree, manifest._replace(**times))


def sweep(host: Any) -> SweepResult:
    return run_sweep(host.tree, NO_DATABASE)


def is_restored(host: Any) -> bool:
    folder: Path = host.root / "ftp_p1" / "p1"
    return folder.is_dir() and folder.stat().st_ino == host.inode and (folder / "a.nc").exists()


def move_on(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Let time pass, with a clock that is synchronised."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    monkeypatch.setattr(_clock, "read_synchronised", time.time)


def test_it_is_out_of_reach_and_comes_back_without_a_copy(kept: Any) -> None:
    assert not (kept.root / "ftp_p1").exists()
    before = kept.log("systemd")
    assert kept.execute()["host"]["trash"] == {"shares": 1, "bytes": 500}
    (result,) = kept.run(kept.share("p1", "goes"))
    assert (result["state"], result["generation"], result["changed"]) == ("delivered", 2, True)
    assert kept.execute()["host"]["trash"] == {"shares": 0, "bytes": 0}
    assert is_restored(kept) and kept.log("systemd") == before
    # An end that is not over stays as it was promised.
    manifest = read_manifest(kept.tree, "p1")
    assert manifest.expires is not None and manifest.expires == manifest.promised
    assert list(kept.tree.trash.iterdir()) == []
    assert kept.run(kept.share("p1", "goes"))[0]["changed"] is False


def test_it_may_come_back_blocked(kept: Any) -> None:
    (result,) = kept.run(kept.share("p1", "goes", state="blocked"))
    assert result["state"] == "blocked" and kept.tree.held("p1").stat().st_ino == kept.inode


@pytest.mark.parametrize("changes", [{"restore": False}, {"ftpuser": "ftp_other"}, {"writable": True}])
def test_other_wishes_copy_anew(kept: Any, changes: dict[str, Any]) -> None:
    if "writable" in changes:
        changes = {"source": f"source1:{kept.source}"}
    (result,) = kept.run(
        kept.share("p1", "goes", **changes) if "source" not in changes else {**kept.share("p1"), **changes}
    )
    assert result["state"] == "delivered" and not is_restored(kept)


def test_check_mode_says_so_and_does_nothing(kept: Any) -> None:
    before = sorted(path.name for path in kept.tree.trash.iterdir())
    (result,) = kept.run(kept.share("p1", "goes"), check_mode=True)
    assert (result["state"], result["changed"]) == ("delivered", True)
    assert sorted(path.name for path in kept.tree.trash.iterdir()) == before


def test_a_late_run_does_not_restore_what_was_deleted(kept: Any) -> None:
    (result,) = kept.run(kept.share("p1", "goes", generation=1))
    assert result["error"]["class"] == "stale" and not is_restored(kept)


def test_it_waits_for_its_hours_and_goes_then(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sweep(kept).problems == [] and purge_share(kept.root, "p1") == 0
    result = run_audit(AuditOptions(kept.tree, None, repair=True, with_sessions=False))
    assert (result["findings"], result["changed"]) == ([], False)
    assert len(list(kept.tree.trash.iterdir())) == 2
    move_on(monkeypatch, HOURS + 1)
    sweep(kept)
    # The program of the unit has the real clock; here it runs with this one.
    assert purge_share(kept.root, "p1") == 0
    assert list(kept.tree.trash.iterdir()) == []
    monkeypatch.undo()


def test_a_clock_in_doubt_removes_nothing(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(kept)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 400 * 86400)
    assert not sweep(kept).clock_confirmed
    assert purge_share(kept.root, "p1") == 0
    monkeypatch.setattr(time, "time", real)
    kept.run(kept.share("p1", "goes"))
    assert is_restored(kept)


def test_an_expired_share_counts_its_days_anew(host: Any) -> None:
    (host.folder / "etc" / "expire.json").write_text(json.dumps({"trash_hours": HOURS}))
    (host.source / "a.nc").write_bytes(b"a")
    host.run(host.share("p1", lifetime_days=1))
    make_ready(host, 2 * 86400)
    host.inode = (host.root / "ftp_p1" / "p1").stat().st_ino
    assert [share["reason"] for share in sweep(host).shares] == ["expired"]
    (result,) = host.run(host.share("p1", lifetime_days=1))
    assert result["state"] == "delivered" and is_restored(host)
    assert read_manifest(host.tree, "p1").expires is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": 5, "manifest": {}}'])
def test_a_damaged_note_keeps_nothing(kept: Any, content: str) -> None:
    next(kept.tree.trash.glob("*.manifest")).write_text(content)
    assert kept.run(ABSENT)[0]["restorable_until"] is None
    kept.wait_for(lambda: list(kept.tree.trash.iterdir()) == [])


@pytest.mark.parametrize("step", ["write_manifest", "delete_tombstone", "sync_directory"])
def test_a_kill_in_mid_restore_is_finished_by_the_next_run(
    kept: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_share_apply, step, die)
    with pytest.raises(KeyboardInterrupt):
        kept.run(kept.share("p1", "goes", generation=2))
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{kept.folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TEMPOFTP_CONFIGURATION_DIRECTORY", str(kept.folder / "etc"))
    (result,) = kept.run(kept.share("p1", "goes", generation=2))
    assert (result["state"], result["error"]) == ("delivered", None) and is_restored(kept)


def test_without_hours_data_goes_at_once(host: Any) -> None:
    (host.source / "a.nc").write_bytes(b"a")
    host.run(host.share("p1"))
    assert host.run(ABSENT)[0]["restorable_until"] is None
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])
