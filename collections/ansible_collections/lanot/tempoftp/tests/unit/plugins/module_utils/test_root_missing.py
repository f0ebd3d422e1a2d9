# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disk of the delivery root is away: every part says ``root_missing``, touches nothing, and goes on afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    AuditOptions,
    run_audit,
    run_share_info,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.copier import copy_share
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.source_run import run_source_info
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import RootMissingError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.files import read_json
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import read_manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.trash import purge_share
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.expire import expire_shares
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.library import install_expire
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.run import run_sweep
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.settings import ExpireSettings
from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers.run import (
    TransfersOptions,
    run_transfers,
)


@contextmanager
def disk_away(host: Any) -> Iterator[Path]:
    """An empty folder stands in the place of the disk; what was written there is an error."""
    away = host.root.with_name("away")
    host.root.rename(away)
    host.root.mkdir(mode=0o755)
    try:
        yield away
    finally:
        found = [str(path.relative_to(host.root)) for path in host.root.rglob("*")]
        host.root.rename(host.root.with_name(f"written-{time.monotonic_ns()}"))
        away.rename(host.root)
    assert found == []


@pytest.fixture
def delivered(host: Any) -> Any:
    """A host with a delivered share."""
    (host.source / "a.nc").write_bytes(b"data")
    assert [result["state"] for result in host.run(host.share("p1"))] == ["delivered"]
    return host


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("state", ["present", "absent", "blocked"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_share_says_so_and_keeps_everything(delivered: Any, state: str, check_mode: bool) -> None:
    host = delivered
    with disk_away(host) as away:
        before = snapshot(away)
        outcome = host.execute(
            host.share("p1", state=state, generation=2), {"id": "../x"}, check_mode=check_mode
        )
        assert snapshot(away) == before
    for share in outcome["shares"]:
        assert share["error"]["class"] == "root_missing" and share["error"]["transient"]
        assert not share["changed"]
    assert outcome["host"]["root"]["ok"] is False and outcome["host"]["space_free"] is None
    assert read_manifest(host.tree, "p1").state == "delivered"
    again = host.run(host.share("p1", state=state, generation=2), check_mode=check_mode)[0]
    assert again["error"] is None


def test_a_new_share_is_not_delivered_onto_the_system_disk(host: Any) -> None:
    (host.source / "b.nc").write_bytes(b"data")
    with disk_away(host):
        assert host.run(host.share("p9"))[0]["error"]["class"] == "root_missing"
    assert host.run(host.share("p9"))[0]["state"] == "delivered"


def test_the_copier_leaves_no_status_and_the_next_one_delivers(
    host: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (host.source / "c.nc").write_bytes(b"data" * 1000)
    (host.folder / "unreachable").touch()
    assert host.run(host.share("p1"))[0]["error"]["class"] == "source_unreachable"
    before = read_json(host.tree.status("p1"))
    with disk_away(host):
        assert copy_share(host.root, "p1") == 1
    assert "mount it" in capsys.readouterr().err
    assert read_json(host.tree.status("p1")) == before
    (host.folder / "unreachable").unlink()
    assert host.run(host.share("p1"))[0]["state"] == "delivered"


def test_a_copy_whose_disk_goes_away_writes_nothing_in_its_place(host: Any) -> None:
    """The copier is in the middle; the next run after the disk is back delivers without an error."""
    (host.source / "d.nc").write_bytes(b"data")
    item = host.share("p1", source=f"silent:{host.source}")
    assert host.run(item, wait=False)[0]["state"] in ("queued", "probing")
    host.wait_for(lambda: host.pid("tempoftp-copy-p1"))
    with disk_away(host):
        result = host.run(item, wait=False)[0]
        assert result["error"]["class"] == "root_missing"
        # It may have ended by itself, since it could not write its status.
        with suppress(FileNotFoundError, AssertionError):
            host.kill("tempoftp-copy-p1")
    item = host.share("p1", generation=2)
    assert host.run(item)[0]["state"] == "delivered"


def test_python_writes_nothing_beside_the_programs(delivered: Any) -> None:
    """It would make the missing folders again, in the place of a disk that has just gone away."""
    host = delivered
    host.run(host.share("p1", state="absent", generation=2))
    host.wait_for(lambda: not host.pid("tempoftp-purge-p1"))
    assert [path for path in host.tree.lib.rglob("*") if path.suffix == ".pyc"] == []


def test_the_purge_touches_nothing(delivered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    host = delivered
    (host.tree.trash / "p7.1.1").mkdir()
    with disk_away(host) as away:
        assert purge_share(host.root, "p7") == 1
        assert (away / ".tempoftp" / "trash" / "p7.1.1").is_dir()
    assert "mount it" in capsys.readouterr().err


def test_the_sweep_ends_nothing_and_fails_loudly(delivered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    host = delivered
    with disk_away(host):
        with pytest.raises(RootMissingError):
            run_sweep(host.tree, ExpireSettings())
        assert expire_shares(host.root, [str(host.folder / "none.json")]) == 1
    assert "mount it" in capsys.readouterr().err


def test_the_programs_of_a_stale_copy_of_the_tree_refuse_too(delivered: Any) -> None:
    """Programs can be left in the folder below the mount point, since before there was a disk."""
    host = delivered
    program = install_expire(host.tree) / "expire"
    stale = host.root.with_name("stale")
    subprocess.run(["cp", "-a", str(host.root), str(stale)], check=True)
    (stale / ".tempoftp" / "root.json").unlink()
    away = host.root.with_name("away")
    host.root.rename(away)
    stale.rename(host.root)
    try:
        for argv in ([str(program)], [str(next(host.tree.lib.glob("*/copy"))), "p1"]):
            ended = subprocess.run([sys.executable, "-I", *argv], capture_output=True, text=True, check=False)
            assert ended.returncode == 1 and "mount it" in ended.stderr
    finally:
        host.root.rename(stale)
        away.rename(host.root)


def test_what_only_looks_says_so(delivered: Any) -> None:
    host = delivered
    with disk_away(host):
        for look in (
            lambda: run_share_info(str(host.root), None),
            lambda: run_transfers(TransfersOptions(str(host.root))),
            lambda: run_audit(AuditOptions(host.tree, None)),
            lambda: run_source_info(
                [],
                {
                    **{"root": str(host.root), "time_limit": 5, "max_probes": 1},
                    **{"reserve_bytes": 0, "reserve_inodes": 0},
                },
            ),
        ):
            with pytest.raises(RootMissingError):
                look()
