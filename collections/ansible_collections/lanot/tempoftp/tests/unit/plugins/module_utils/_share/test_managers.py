# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share belongs to the service or to an operator, and neither changes a share of the other one by mistake."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.mysql_login import LoginOptions
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import AuditOptions, run_audit
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import read_tombstone
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import ExpireSettings

NO_DATABASE = ExpireSettings(login=LoginOptions(login_config_file="/nowhere/mysql.cnf"))
OTHER = {"service": "operator", "operator": "service"}


@pytest.fixture
def goes(host: Any) -> Path:
    folder: Path = host.source / "goes"
    folder.mkdir()
    (folder / "a.nc").write_bytes(os.urandom(500))
    return folder


@pytest.fixture(params=["service", "operator"])
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def deliver(host: Any, managed_by: str) -> None:
    (result,) = host.run(host.share("p1", "goes", managed_by=managed_by))
    assert (result["state"], result["error"]) == ("delivered", None)


def forget_manager(host: Any) -> None:
    """Make the manifest one of a release that did not write down whose a share is."""
    path = host.tree.manifest("p1")
    content = json.loads(path.read_text())
    del content["managed_by"]
    path.write_text(json.dumps(content))


def test_the_manager_is_written_down_and_kept(host: Any, goes: Path, manager: str) -> None:
    deliver(host, manager)
    assert read_manifest(host.tree, "p1").managed_by == manager
    executed = host.execute(host.share("p1", "goes", managed_by=manager))
    assert executed["changed"] is False
    host.run(host.share("p1", "goes", lifetime_days=20))  # whoever does not say it changes it not
    assert read_manifest(host.tree, "p1").managed_by == manager


def test_a_new_share_of_nobody_is_an_operators(host: Any, goes: Path) -> None:
    host.run(host.share("p1", "goes"))
    assert read_manifest(host.tree, "p1").managed_by == "operator"


def test_a_share_of_an_older_release_is_the_services(host: Any, goes: Path) -> None:
    deliver(host, "operator")
    forget_manager(host)
    assert read_manifest(host.tree, "p1").managed_by == "service"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lifetime_days": 99},
        {"state": "blocked"},
        {"state": "absent"},
        {"state": "absent", "generation": 9},
        {"generation": 9},
        {"generation": 9, "ftpuser": "ftp_else"},
        {"require_existing": True},
    ],
    ids=str,
)
def test_a_share_of_the_other_one_is_refused(
    host: Any, goes: Path, manager: str, changes: dict[str, Any]
) -> None:
    deliver(host, manager)
    before = host.tree.manifest("p1").read_bytes()
    (result,) = host.run(host.share("p1", "goes", managed_by=OTHER[manager], **changes))
    assert (result["error"]["class"], result["changed"]) == ("managed_elsewhere", False)
    assert ("service" if manager == "service" else "share.yml") in result["error"]["message"]
    assert host.tree.manifest("p1").read_bytes() == before
    assert (host.root / "ftp_p1" / "p1" / "a.nc").exists()
    assert read_tombstone(host.tree, "p1") is None


def test_it_is_taken_over_when_somebody_says_so(host: Any, goes: Path, manager: str) -> None:
    deliver(host, manager)
    inode = (host.root / "ftp_p1" / "p1").stat().st_ino
    taking = host.share("p1", "goes", managed_by=OTHER[manager], take_over=True)
    assert host.execute(taking, check_mode=True)["changed"] is True
    (result,) = host.run(taking)
    assert (result["state"], result["changed"], result["error"]) == ("delivered", True, None)
    assert read_manifest(host.tree, "p1").managed_by == OTHER[manager]
    assert (host.root / "ftp_p1" / "p1").stat().st_ino == inode, "nothing is copied again"
    assert host.execute(taking)["changed"] is False


def test_the_end_says_whose_share_it_was_and_frees_the_id(host: Any, goes: Path, manager: str) -> None:
    deliver(host, manager)
    host.run({"id": "p1", "state": "absent", "managed_by": manager})
    assert read_tombstone(host.tree, "p1").managed_by == manager
    (result,) = host.run(host.share("p1", "goes", managed_by=OTHER[manager]))
    assert (result["state"], result["generation"], result["error"]) == ("delivered", 2, None)
    assert read_manifest(host.tree, "p1").managed_by == OTHER[manager]


def test_data_that_waits_in_the_trash_is_not_given_to_the_other_one(
    host: Any, goes: Path, manager: str
) -> None:
    (host.folder / "etc" / "expire.json").write_text(json.dumps({"trash_hours": 24}))
    deliver(host, manager)
    inode = (host.root / "ftp_p1" / "p1").stat().st_ino
    host.run({"id": "p1", "state": "absent", "managed_by": manager})
    deliver(host, OTHER[manager])
    assert (host.root / "ftp_p1" / "p1").stat().st_ino != inode


def test_the_sweep_ends_an_operators_share_at_its_end(host: Any, goes: Path) -> None:
    deliver(host, "operator")
    ready = format_time(time.time() - 11 * 86400)
    times = {"ready_at": ready, "expires": add_days(ready, 10)}
    write_manifest(host.tree, read_manifest(host.tree, "p1")._replace(**times))
    assert [finding["kind"] for finding in audit(host)] == ["share_past_expiry"]
    run_sweep(host.tree, NO_DATABASE)
    assert read_manifest(host.tree, "p1") is None
    tombstone = read_tombstone(host.tree, "p1")
    assert (tombstone.reason, tombstone.managed_by) == ("expired", "operator")


def audit(host: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_audit(AuditOptions(host.tree, None, expected=(), with_sessions=False))[
        "findings"
    ]
    return found


def test_only_a_share_of_the_service_needs_a_row(host: Any, goes: Path, manager: str) -> None:
    deliver(host, manager)
    kinds = {"service": ["share_without_row"], "operator": []}
    assert [finding["kind"] for finding in audit(host)] == kinds[manager]
