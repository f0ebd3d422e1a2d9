# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random lives of shares, with kills at random steps: each ends as its last wish says, and an audit finds nothing."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    AuditOptions,
    run_audit,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
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
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import (
    ExpireSettings,
)

LONG_AGO = "2026-01-01T00:00:00Z"
IDS = ("p1", "p2")
STEPS = 14
# Where a run may die: every step and, inside the steps, between what they write.
KILLS = [
    *[
        (_share_actions, f"apply_{name}")
        for name in ("enlist", "adjust", "deliver", "confirm", "hide", "show")
    ],
    *[(_share_actions, f"apply_{name}") for name in ("mark_absent", "move_to_trash", "write_tombstone")],
    *[(_share_apply, name) for name in ("write_manifest", "_leave_home", "_enter_home", "write_eviction")],
    *[(_share_apply, name) for name in ("write_tombstone", "delete_manifest", "delete_tombstone")],
]


class Walk:
    """Two shares, what was last wished of each, and a source of chance."""

    def __init__(self, host: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.chance = random.Random(seed)
        self.patch = monkeypatch
        self.generation = dict.fromkeys(IDS, 0)
        self.state = dict.fromkeys(IDS, "absent")
        self.days = dict.fromkeys(IDS, 10)
        self.told: list[str] = []

    def step(self) -> None:
        """Do one thing to one share, dying on the way as often as not."""
        share_id = self.chance.choice(IDS)
        here = self.state[share_id] != "absent"
        action = self.chance.choice(["present", "blocked", "absent", *(["extend", "expire", "late"] * here)])
        self.told.append(f"{action} {share_id}")
        if action == "late":
            self.come_late(share_id)
        elif action == "expire":
            self.let_expire(share_id)
        else:
            self.desired(share_id, action)
        self.check()

    def desired(self, share_id: str, action: str) -> None:
        """A change of mind: a new generation."""
        self.generation[share_id] += 1
        if action == "extend":
            self.days[share_id] += 1
        else:
            self.state[share_id] = action
        item = self.build_item(share_id, self.generation[share_id])
        self.die_or_not(lambda: self.host.run(item))
        (result,) = self.host.run(item)
        assert result["error"] is None, self.told
        manifest = read_manifest(self.host.tree, share_id)
        if manifest is not None and manifest.ready_at is None:
            now = format_time(time.time())
            write_manifest(
                self.host.tree,
                manifest._replace(ready_at=now, expires=add_days(now, manifest.lifetime_days)),
            )

    def let_expire(self, share_id: str) -> None:
        """Its time is up: the sweep takes it away, and the other one stays."""
        manifest = read_manifest(self.host.tree, share_id)
        assert manifest is not None
        expires = add_days(LONG_AGO, manifest.lifetime_days)
        write_manifest(self.host.tree, manifest._replace(ready_at=LONG_AGO, expires=expires))
        self.die_or_not(lambda: run_sweep(self.host.tree, ExpireSettings()))
        assert run_sweep(self.host.tree, ExpireSettings()).problems == [], self.told
        self.state[share_id] = "absent"
        tombstone = read_tombstone(self.host.tree, share_id)
        assert tombstone is not None and tombstone.reason == "expired", self.told

    def come_late(self, share_id: str) -> None:
        """A run of an earlier wish changes nothing, whatever it wants."""
        if self.generation[share_id] < 2:
            return
        item = self.build_item(share_id, self.generation[share_id] - 1)
        item["state"] = self.chance.choice(["present", "blocked", "absent"])
        (result,) = self.host.run(item)
        assert (result["error"]["class"], result["changed"]) == ("stale", False), self.told

    def build_item(self, share_id: str, generation: int) -> dict[str, Any]:
        item: dict[str, Any] = self.host.share(
            share_id,
            "goes",
            generation=generation,
            ftpuser="ftp_x",
            state=self.state[share_id],
            lifetime_days=self.days[share_id],
        )
        return item

    def die_or_not(self, action: Any) -> None:
        if self.chance.random() < 0.4:
            return
        module, name = self.chance.choice(KILLS)
        after = self.chance.random() < 0.5
        real = getattr(module, name)

        def die(*arguments: Any, **named: Any) -> None:
            if after:
                real(*arguments, **named)
            raise KeyboardInterrupt

        with self.patch.context() as patch:
            patch.setattr(module, name, die)
            try:
                action()
            except KeyboardInterrupt:
                self.told.append(f"  killed {'after' if after else 'before'} {name}")

    def check(self) -> None:
        """Each share stands where it was last wished, and nowhere else."""
        for share_id in IDS:
            manifest = read_manifest(self.host.tree, share_id)
            places = {
                "present": self.host.root / "ftp_x" / share_id,
                "blocked": self.host.tree.held(share_id),
            }
            wanted: Optional[Path] = places.get(self.state[share_id])
            assert [path for path in places.values() if path.exists()] == ([wanted] if wanted else []), (
                self.told
            )
            assert (manifest is not None and manifest.live) == (wanted is not None), self.told
            if manifest is not None:
                assert manifest.generation == self.generation[share_id], self.told
                assert manifest.lifetime_days == self.days[share_id], self.told
            if wanted is not None:
                assert (wanted / "a.nc").read_bytes() == b"x" * 500


@pytest.mark.parametrize("seed", range(6))
def test_a_random_life_ends_as_it_was_wished(host: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    goes = host.source / "goes"
    goes.mkdir()
    (goes / "a.nc").write_bytes(b"x" * 500)
    walk = Walk(host, seed, monkeypatch)
    for _number in range(STEPS):
        walk.step()
    assert any("killed" in line for line in walk.told)
    run_sweep(host.tree, ExpireSettings())
    host.wait_for(lambda: list(host.tree.trash.iterdir()) == [])
    host.wait_for(lambda: not [path for path in (host.folder / "units").iterdir() if "ssh" not in path.name])
    found = run_audit(AuditOptions(host.tree, None, with_sessions=False))["findings"]
    assert [finding for finding in found if finding["kind"] != "library_left_over"] == [], walk.told
    assert list(host.tree.eviction("x").parent.iterdir()) == []
