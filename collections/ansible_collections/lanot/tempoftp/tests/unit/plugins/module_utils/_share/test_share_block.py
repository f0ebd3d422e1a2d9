# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blocking, extending and changing one's mind about a share that lives: real rsync, real copier, real files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days
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

BIG = 4_000_000


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(os.urandom(5000))
    return folder


def make_ready(host: Any, share_id: str, ready_at: str = "2026-01-01T00:00:00Z") -> None:
    """Give a share the times that tempoftp_ftpuser fixes."""
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    expires = add_days(ready_at, manifest.lifetime_days)
    write_manifest(host.tree, manifest._replace(ready_at=ready_at, expires=expires))


def count_copies(host: Any) -> int:
    return int(host.log("systemd").count("tempoftp-copy-p1 "))


def test_blocking_hides_one_share_and_unblocking_shows_it_again(host: Any, goes: Path) -> None:
    mine = {"ftpuser": "ftp_x"}
    host.run(host.share("p1", "goes", generation=1, **mine), host.share("p2", "goes", **mine))
    inode = (host.root / "ftp_x" / "p1" / "a.nc").stat().st_ino
    (result,) = host.run(host.share("p1", "goes", generation=2, state="blocked", **mine))
    assert (result["state"], result["generation"], result["changed"]) == ("blocked", 2, True)
    assert [path.name for path in (host.root / "ftp_x").iterdir()] == ["p2"]
    assert host.tree.held("p1").parent.stat().st_mode & 0o7777 == 0o700
    assert host.execute(host.share("p1", "goes", state="blocked", **mine))["changed"] is False
    (result,) = host.run(host.share("p1", "goes", generation=3, **mine))
    assert (result["state"], result["changed"], result["error"]) == ("delivered", True, None)
    assert (host.root / "ftp_x" / "p1" / "a.nc").stat().st_ino == inode
    assert not host.tree.held("p1").exists()
    assert count_copies(host) == 1


def test_the_last_share_of_a_home_may_be_blocked(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    assert host.run(host.share("p1", "goes", state="blocked"))[0]["state"] == "blocked"
    (host.root / "ftp_p1").rmdir()
    assert host.run(host.share("p1", "goes"))[0]["state"] == "delivered"
    assert (host.root / "ftp_p1").stat().st_mode & 0o7777 == 0o750


def test_a_share_asked_for_blocked_is_never_seen(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes", state="blocked"))
    assert (result["state"], result["percent"], result["error"]) == ("blocked", 100, None)
    assert (host.tree.held("p1") / "a.nc").exists()
    assert not (host.root / "ftp_p1").exists()


def test_a_copy_goes_on_when_its_share_is_blocked_and_extended(host: Any) -> None:
    big = host.source / "big.bin"
    big.write_bytes(os.urandom(BIG))
    host.run(host.share("p1", "big.bin", generation=1), wait=False, bwlimit="2M")
    host.wait_for((host.tree.data("p1") / "big.bin").exists)
    unit = host.pid("tempoftp-copy-p1")
    changes = {"generation": 2, "state": "blocked", "lifetime_days": 20}
    (result,) = host.run(host.share("p1", "big.bin", **changes), wait=False, bwlimit="2M")
    assert (result["generation"], host.pid("tempoftp-copy-p1")) == (2, unit)
    (result,) = host.run(host.share("p1", "big.bin", **changes))
    assert (result["state"], result["generation"]) == ("blocked", 2)
    assert (host.tree.held("p1") / "big.bin").read_bytes() == big.read_bytes()
    assert count_copies(host) == 1


def test_a_later_wish_with_another_lifetime_copies_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=1, lifetime_days=3))
    (goes / "a.nc").unlink()
    (result,) = host.run(host.share("p1", "goes", generation=2, lifetime_days=5))
    assert (result["state"], result["generation"], result["changed"]) == ("delivered", 2, True)
    (result,) = host.run(host.share("p1", "goes", generation=3, lifetime_days=5))
    assert (result["state"], result["generation"]) == ("delivered", 3)
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None and (manifest.lifetime_days, manifest.copied_for) == (5, 1)
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()
    assert count_copies(host) == 1


def test_a_later_wish_tries_a_failed_copy_again(host: Any, goes: Path) -> None:
    """Even one whose failure nobody was told of: it belongs to the earlier wish."""
    (host.folder / "unreachable").touch()
    host.run(host.share("p1", "goes", generation=1), wait=False)
    host.wait_for(
        lambda: host.tree.status("p1").exists() and '"failed"' in host.tree.status("p1").read_text()
    )
    (host.folder / "unreachable").unlink()
    assert host.run(host.share("p1", "goes", generation=2))[0]["state"] == "delivered"


def test_what_is_over_is_not_revived(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=1, lifetime_days=1))
    make_ready(host, "p1", "2026-01-01T00:00:00Z")
    longer = host.share("p1", "goes", generation=2, lifetime_days=5000, require_existing=True)
    (result,) = host.run(longer)
    assert (result["error"]["class"], result["changed"]) == ("ended", False)
    host.run({"id": "p1", "state": "absent"})
    tombstone = read_tombstone(host.tree, "p1")
    assert tombstone is not None
    assert (tombstone.generation, tombstone.ftpuser, tombstone.reason) == (1, "ftp_p1", "expired")
    (result,) = host.run(longer)
    assert (result["error"]["class"], result["state"], result["reason"]) == ("ended", "absent", "expired")
    assert not (host.root / "ftp_p1").exists()


def test_what_is_over_can_be_asked_for_anew(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=1, lifetime_days=1))
    make_ready(host, "p1", "2026-01-01T00:00:00Z")
    (result,) = host.run(host.share("p1", "goes", generation=2, lifetime_days=1))
    assert (result["state"], result["generation"], result["expires"]) == ("delivered", 2, None)
    assert count_copies(host) == 2


def test_a_share_that_must_exist_is_not_begun(host: Any, goes: Path) -> None:
    (result,) = host.run(host.share("p1", "goes", require_existing=True))
    assert (result["error"]["class"], result["error"]["transient"]) == ("not_delivered", False)
    assert not host.tree.manifest("p1").exists()
    host.run(host.share("p1", "goes"))
    assert host.run(host.share("p1", "goes", require_existing=True))[0]["error"] is None


def test_an_end_says_whose_share_it_was_and_why(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    host.run({"id": "p1", "state": "absent", "generation": 2})
    (result,) = host.run({"id": "p1", "state": "absent", "generation": 5})
    assert (result["reason"], result["ftpuser"], result["generation"]) == ("deleted", "ftp_p1", 5)


@pytest.mark.parametrize("state", ["present", "blocked"])
def test_a_blocked_share_ends_with_its_data(host: Any, goes: Path, state: str) -> None:
    host.run(host.share("p1", "goes", state="blocked"))
    assert host.run({"id": "p1", "state": "absent"})[0]["state"] == "absent"
    assert list(host.tree.held_folder.iterdir()) == list(host.tree.trash.iterdir()) == []
    (result,) = host.run(host.share("p1", "goes", state=state))
    assert result["state"] == {"present": "delivered", "blocked": "blocked"}[state]


def test_what_took_the_place_of_a_blocked_share_is_not_touched(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", state="blocked"))
    (host.root / "ftp_p1").mkdir(mode=0o750)
    (host.root / "ftp_p1" / "p1").write_text("precious")
    (result,) = host.run(host.share("p1", "goes"))
    assert (result["error"]["class"], result["state"]) == ("destination_occupied", "blocked")
    assert host.run({"id": "p1", "state": "absent"})[0]["state"] == "absent"
    assert (host.root / "ftp_p1" / "p1").read_text() == "precious"


def test_another_source_for_a_blocked_share_starts_from_its_data(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", generation=1, state="blocked"))
    goes.rename(goes.with_name("other"))
    (result,) = host.run(host.share("p1", "other", generation=2, state="blocked"))
    assert (result["state"], result["generation"]) == ("blocked", 2)
    assert (host.tree.held("p1") / "a.nc").exists()


def test_check_mode_of_a_block_changes_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    before = host.tree.manifest("p1").read_bytes()
    executed = host.execute(host.share("p1", "goes", state="blocked"), check_mode=True)
    assert (executed["changed"], executed["shares"][0]["state"]) == (True, "blocked")
    assert executed["diff"][0]["after"]["state"] == "blocked"
    assert (host.root / "ftp_p1" / "p1").exists() and host.tree.manifest("p1").read_bytes() == before


def test_a_clock_set_back_revives_nothing(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", lifetime_days=1))
    make_ready(host, "p1", "2099-01-01T00:00:00Z")
    host.tree.clock.write_text('{"schema": 1, "time": "2099-01-02T00:00:00Z"}')
    (result,) = host.run(host.share("p1", "goes", lifetime_days=1))
    # It had ended by a time that was confirmed. While the clock is in doubt nothing of it is decided anew.
    assert result["error"]["class"] == "clock_unsure"
    assert not (host.root / "ftp_p1" / "p1").exists()


@pytest.mark.parametrize(
    ("module", "step", "when"),
    [
        (_share_actions, "apply_adjust", "before"),
        (_share_actions, "apply_adjust", "after"),
        (_share_apply, "_leave_home", "before"),
        (_share_apply, "_leave_home", "after"),
        (_share_actions, "apply_show", "before"),
        (_share_apply, "_enter_home", "before"),
        (_share_apply, "_enter_home", "after"),
    ],
)
def test_blocking_and_unblocking_may_be_killed_anywhere(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, when: str
) -> None:
    host.run(host.share("p1", "goes", generation=1))
    real = getattr(module, step)

    def die(*arguments: Any) -> None:
        if when == "after":
            real(*arguments)
        raise KeyboardInterrupt

    killed = 0
    for generation, state, expected in ((2, "blocked", "blocked"), (3, "present", "delivered")):
        desired = host.share("p1", "goes", generation=generation, state=state)
        with monkeypatch.context() as patch:
            patch.setattr(module, step, die)
            try:
                host.run(desired)
            except KeyboardInterrupt:
                killed += 1
        (result,) = host.run(desired)
        assert (result["state"], result["error"]) == (expected, None)
        assert (host.root / "ftp_p1" / "p1").exists() == (expected == "delivered")
        assert host.tree.held("p1").exists() == (expected == "blocked")
    assert killed >= 1
    assert count_copies(host) == 1


@pytest.mark.parametrize("step", ["apply_confirm", "sync_directory"])
def test_a_hidden_delivery_may_be_killed_anywhere(
    host: Any, goes: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:

        def die(*_arguments: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(_share_apply, step, die)
        with pytest.raises(KeyboardInterrupt):
            host.run(host.share("p1", "goes", state="blocked"))
    (result,) = host.run(host.share("p1", "goes", state="blocked"))
    assert (result["state"], result["error"]) == ("blocked", None)
    assert count_copies(host) == 1


def test_a_hidden_delivery_whose_status_was_lost_is_taken_up(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes", state="blocked"))
    manifest = read_manifest(host.tree, "p1")
    assert manifest is not None
    write_manifest(host.tree, manifest._replace(state="copying", delivered_at=None))
    (result,) = host.run(host.share("p1", "goes", state="blocked"))
    assert (result["state"], result["error"]) == ("blocked", None)
    assert list(host.tree.trash.iterdir()) == []
