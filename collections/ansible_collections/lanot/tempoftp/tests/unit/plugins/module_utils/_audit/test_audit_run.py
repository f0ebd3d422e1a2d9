# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit below its ``main``, on real files: what it finds after real damage, repairs, and leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.run import (
    FINDINGS_LIMIT,
    AuditOptions,
    compare_findings,
    describe_findings,
    digest_hash,
    parse_expected,
    run_audit,
    run_share_info,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.world import Finding
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import hold_lock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import prepare_tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.units import (
    COPY_PREFIX,
    PURGE_PREFIX,
    Unit,
    Units,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    read_manifest,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import (
    Tombstone,
    read_tombstone,
    write_tombstone,
)

LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def delivered(host: Any) -> Any:
    """A host with the share p1 delivered."""
    folder = host.source / "goes"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.nc").write_bytes(b"a" * 500)
    (folder / "sub" / "b").write_bytes(b"b")
    (result,) = host.run(host.share("p1", "goes"))
    assert result["state"] == "delivered"
    # The home's group is the group's of the shares, which here is ours.
    return host


def audit(host: Any, **changes: Any) -> dict[str, Any]:
    options = AuditOptions(host.tree, None, with_sessions=False)._replace(**changes)
    return run_audit(options)


def show(result: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return [(f["kind"], f["subject"], f["repair"], f["repaired"]) for f in result["findings"]]


def snapshot(root: Path) -> dict[str, Any]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in sorted(root.rglob("*"))
    }


def change_manifest(host: Any, share_id: str, **changes: Any) -> None:
    manifest = read_manifest(host.tree, share_id)
    assert manifest is not None
    write_manifest(host.tree, manifest._replace(**changes))


def wait_for_purge(host: Any, share_id: str) -> None:
    host.wait_for(lambda: host.pid(PURGE_PREFIX + share_id) is None and not list(host.tree.trash.iterdir()))


def test_a_host_that_never_had_a_share(host: Any) -> None:
    result = audit(host)
    assert (result["changed"], result["findings"], result["failures"]) == (False, [], [])
    assert sorted(path.name for path in host.tree.state.iterdir()) == ["lock", "root.json"]


def test_a_delivered_share_is_no_finding_and_nothing_is_written(delivered: Any) -> None:
    before = snapshot(delivered.root)
    result = audit(delivered, deep_limit=100)
    assert result["findings"] == []
    assert snapshot(delivered.root) == before
    (share,) = result["facts"]["shares"]
    assert (share["id"], share["state"], share["generation"]) == ("p1", "delivered", 1)
    assert result["summary"].endswith("nothing is wrong")


def test_the_lock_is_held_for_the_look_only(delivered: Any) -> None:
    audit(delivered)
    with hold_lock(delivered.tree.lock, timeout=0.1):
        pass


def test_without_repair_nothing_is_changed(delivered: Any) -> None:
    change_manifest(delivered, "p1", state="absent")
    before = snapshot(delivered.root)
    assert show(audit(delivered)) == [("half_deleted", "p1", "safe", False)]
    assert snapshot(delivered.root) == before


def test_a_half_deleted_share_is_finished(delivered: Any) -> None:
    change_manifest(delivered, "p1", state="absent")
    result = audit(delivered, repair=True)
    assert ("half_deleted", "p1", "safe", True) in show(result)
    assert result["changed"] is True
    assert not (delivered.root / "ftp_p1").exists()
    tombstone = read_tombstone(delivered.tree, "p1")
    assert tombstone is not None and tombstone.generation == 1
    wait_for_purge(delivered, "p1")
    assert audit(delivered)["findings"] == []


def test_a_share_that_ended_does_not_come_back_with_its_manifest(delivered: Any) -> None:
    """As when .tempoftp/shares was put back from a backup: the tombstone is newer and wins."""
    write_tombstone(delivered.tree, Tombstone("p1", 3, LONG_AGO))
    result = audit(delivered, repair=True)
    assert ("half_deleted", "p1", "safe", True) in show(result)
    assert not (delivered.root / "ftp_p1").exists()
    tombstone = read_tombstone(delivered.tree, "p1")
    assert tombstone is not None and tombstone.generation == 3


def test_a_repair_that_comes_late_leaves_a_newer_generation_alone(delivered: Any) -> None:
    """Between look and repair the share was asked for anew: the wish names the generation that was seen."""
    change_manifest(delivered, "p1", state="absent")

    class SlowUnits(Units):
        looks = 0

        def list_active(self) -> set[str]:
            SlowUnits.looks += 1
            if SlowUnits.looks == 2:  # the repair's own look, under the lock
                change_manifest(delivered, "p1", state="delivered", generation=2)
            return super().list_active()

    options = AuditOptions(delivered.tree, None, repair=True, with_sessions=False)
    result = run_audit(options, SlowUnits())
    manifest = read_manifest(delivered.tree, "p1")
    assert manifest is not None and (manifest.generation, manifest.state) == (2, "delivered")
    assert (delivered.root / "ftp_p1" / "p1" / "a.nc").exists()
    assert "late" in result["failures"][0]


def test_a_share_past_its_expiry_is_ended(delivered: Any) -> None:
    change_manifest(delivered, "p1", ready_at=LONG_AGO, expires="2020-01-11T00:00:00Z")
    assert show(audit(delivered)) == [("share_past_expiry", "p1", "safe", False)]
    result = audit(delivered, repair=True)
    assert ("share_past_expiry", "p1", "safe", True) in show(result)
    assert not (delivered.root / "ftp_p1").exists()
    tombstone = read_tombstone(delivered.tree, "p1")
    assert tombstone is not None and tombstone.reason == "expired"


def test_trash_without_a_running_removal_is_removed(delivered: Any) -> None:
    (delivered.tree.trash / "gone.1.1" / "deep").mkdir(parents=True)
    assert show(audit(delivered)) == [("half_deleted", "gone", "safe", False)]
    audit(delivered, repair=True)
    wait_for_purge(delivered, "gone")
    assert audit(delivered)["findings"] == []


def test_staging_of_no_copy_is_removed_and_that_of_one_stays(delivered: Any) -> None:
    (delivered.tree.staging("old") / "data").mkdir(parents=True)
    change_manifest(
        delivered, "p1", id="p2", path=str(delivered.tree.destination("ftp_p1", "p2")), state="copying"
    )
    (delivered.tree.staging("p2") / "data").mkdir(parents=True)
    write = delivered.tree.state / "shares" / ".p1.json.77"
    write.write_text("{")
    found = show(audit(delivered))
    assert [(kind, Path(subject).name) for kind, subject, _repair, _repaired in found] == [
        ("staging_left_over", ".p1.json.77"),
        ("staging_left_over", "old"),
    ]
    audit(delivered, repair=True)
    assert not write.exists() and not delivered.tree.staging("old").exists()
    assert delivered.tree.data("p2").is_dir()
    wait_for_purge(delivered, "old")


def test_a_directory_without_manifest_is_only_listed(delivered: Any) -> None:
    theirs = delivered.root / "ftp_p1" / "theirs"
    theirs.mkdir()
    (theirs / "data").write_text("not ours")
    strange = delivered.tree.held_folder / "strange"
    strange.mkdir(parents=True)
    for repair in (False, True):
        found = show(audit(delivered, repair=repair))
        assert found == [
            ("directory_without_manifest", str(strange), "manual", False),
            ("directory_without_manifest", str(theirs), "manual", False),
        ]
    assert (theirs / "data").read_text() == "not ours" and strange.is_dir()


def test_a_damaged_manifest_leads_to_no_removal(delivered: Any) -> None:
    delivered.tree.manifest("p1").write_text("{half")
    delivered.tree.staging("p1").mkdir(parents=True)
    path = str(delivered.tree.manifest("p1"))
    for repair in (False, True):
        assert show(audit(delivered, repair=repair)) == [("damaged_manifest", path, "manual", False)]
    assert (delivered.root / "ftp_p1" / "p1" / "a.nc").exists()
    assert delivered.tree.staging("p1").is_dir()


@pytest.mark.parametrize("name", ["tombstones/p9.json", "accounts/ftp_x.json", "evictions/p1.json"])
def test_other_damaged_files_are_named(delivered: Any, name: str) -> None:
    (delivered.tree.state / name).write_text("[]")
    assert show(audit(delivered)) == [("damaged_manifest", f"{delivered.tree.state}/{name}", "manual", False)]


def test_wrong_modes_are_repaired(delivered: Any) -> None:
    home, share = delivered.root / "ftp_p1", delivered.root / "ftp_p1" / "p1"
    (delivered.tree.state / "shares").chmod(0o755)
    share.chmod(0o777)
    result = audit(delivered, repair=True)
    assert {subject for _kind, subject, _repair, repaired in show(result) if repaired} == {
        str(share),
        str(delivered.tree.state / "shares"),
    }
    assert share.stat().st_mode & 0o7777 == 0o750
    home.chmod(0o700)
    audit(delivered, repair=True)
    assert home.stat().st_mode & 0o7777 == 0o750


def test_the_inside_of_a_share_is_compared_up_to_the_limit(delivered: Any) -> None:
    share = delivered.root / "ftp_p1" / "p1"
    (share / "sub" / "b").chmod(0o666)
    (share / "sub").chmod(0o700)
    assert audit(delivered)["findings"] == []
    found = show(audit(delivered, deep_limit=100))
    assert {subject for _kind, subject, _repair, _repaired in found} == {
        str(share / "sub"),
        str(share / "sub" / "b"),
    }
    (bounded,) = audit(delivered, deep_limit=1)["findings"]
    assert bounded["kind"] == "not_looked_at" and "deep_limit" in bounded["detail"]
    audit(delivered, deep_limit=100, repair=True)
    assert audit(delivered, deep_limit=100)["findings"] == []
    assert (share / "sub" / "b").stat().st_mode & 0o7777 == 0o640


def test_a_repair_follows_no_link_inside_a_share(delivered: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "f").touch(mode=0o644)
    sub = delivered.root / "ftp_p1" / "p1" / "sub"
    (sub / "b").unlink()
    (sub / "b").symlink_to(outside / "f")
    (sub / "d").symlink_to(outside)
    audit(delivered, deep_limit=100, repair=True)
    assert (outside.stat().st_mode & 0o7777, (outside / "f").stat().st_mode & 0o7777) == (0o755, 0o644)


def test_a_home_swapped_for_a_link_is_listed_and_not_followed(delivered: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (delivered.root / "ftp_p1").rename(tmp_path / "away")
    (delivered.root / "ftp_p1").symlink_to(outside)
    result = audit(delivered, repair=True, deep_limit=100)
    assert ("wrong_owner_or_mode", str(delivered.root / "ftp_p1"), "manual", False) in show(result)
    assert outside.stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "away" / "p1" / "a.nc").exists()


def test_a_share_whose_folder_is_gone_is_listed(delivered: Any, tmp_path: Path) -> None:
    (delivered.root / "ftp_p1" / "p1").rename(tmp_path / "away")
    assert show(audit(delivered, repair=True)) == [
        ("shares_lost", str(delivered.root), "manual", False),
        ("share_without_directory", "p1", "manual", False),
    ]


def test_a_blocked_share_that_can_be_seen_is_hidden(delivered: Any) -> None:
    change_manifest(delivered, "p1", state="blocked", hidden=True)
    result = audit(delivered, repair=True)
    assert ("share_out_of_place", "p1", "safe", True) in show(result)
    assert (delivered.tree.held("p1") / "a.nc").exists()
    assert not (delivered.root / "ftp_p1" / "p1").exists()
    assert audit(delivered)["findings"] == []


def test_a_copy_for_no_share_is_stopped(delivered: Any) -> None:
    unit = COPY_PREFIX + "orphan"
    Units().start({unit: Unit(["sleep", "600"])})
    delivered.wait_for(lambda: delivered.pid(unit))
    assert show(audit(delivered)) == [("unit_without_share", unit, "safe", False)]
    audit(delivered, repair=True)
    assert delivered.pid(unit) is None


def test_libraries_of_other_releases_are_removed(delivered: Any) -> None:
    kept = sorted(path.name for path in delivered.tree.lib.iterdir())
    for name, days in (("0123456789abcdef", 20), (".new-x", 1), ("running", 20)):
        folder = delivered.tree.lib / name / "copy"
        folder.mkdir(parents=True)
        (folder / "__main__.py").write_text("import time; time.sleep(600)")
        long_ago = time.time() - days * 86400
        os.utime(folder.parent, (long_ago, long_ago))
    program = [sys.executable, str(delivered.tree.lib / "running" / "copy")]
    with subprocess.Popen(program) as process:
        try:
            result = audit(delivered, repair=True)
        finally:
            process.kill()
    assert {kind for kind, _subject, _repair, _repaired in show(result)} == {"library_left_over"}
    assert sorted(path.name for path in delivered.tree.lib.iterdir()) == sorted([*kept, "running"])
    audit(delivered, repair=True)
    assert audit(delivered)["findings"] == []


def test_the_empty_home_of_ended_shares_is_removed(delivered: Any) -> None:
    write_tombstone(delivered.tree, Tombstone("old", 1, LONG_AGO, ftpuser="ftp_old"))
    for name in ("ftp_old", "ftp_somebody"):
        (delivered.root / name).mkdir(mode=0o750)
    audit(delivered, repair=True)
    assert not (delivered.root / "ftp_old").exists()
    assert (delivered.root / "ftp_somebody").is_dir()


def test_expected_rows_are_compared(delivered: Any) -> None:
    rows = [
        {"id": "p1", "generation": 1, "state": "eliminado"},
        {"id": "x", "generation": 1, "state": "listo"},
    ]
    found = show(audit(delivered, expected=parse_expected(rows), repair=True))
    assert found == [
        ("row_without_share", "x", "manual", False),
        ("share_without_row", "p1", "manual", False),
    ]
    assert (delivered.root / "ftp_p1" / "p1").is_dir()


@pytest.mark.parametrize("changes", [{"id": "../x"}, {"ftpuser": "a b"}, {"id": "user"}])
def test_expected_rows_are_checked(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidValueError):
        parse_expected([{"id": "p1", "generation": 1, "state": "listo", **changes}])
    assert parse_expected(None) is None


def test_units_that_cannot_be_asked_are_a_finding(delivered: Any) -> None:
    (delivered.folder / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2; exit 1\n")
    (finding,) = audit(delivered)["findings"]
    assert finding["kind"] == "not_looked_at" and "no bus" in finding["detail"]


def test_a_finding_is_repaired_when_the_second_look_does_not_find_it() -> None:
    first = [Finding("half_deleted", "a", "x", "safe"), Finding("half_deleted", "b", "x", "safe")]
    second = [Finding("half_deleted", "b", "y", "safe"), Finding("library_left_over", "c", "z", "safe")]
    told = compare_findings(first, second)
    assert [(finding.subject, finding.repaired) for finding in told] == [
        ("a", True),
        ("b", False),
        ("c", False),
    ]


def test_share_info_lists_everything_on_the_host(delivered: Any) -> None:
    end = Tombstone("old", 4, LONG_AGO, "ftp_old", "expired", "operator")
    write_tombstone(delivered.tree, end)
    before = snapshot(delivered.root)
    info = run_share_info(str(delivered.root), None)
    assert snapshot(delivered.root) == before
    (share,) = info["shares"]
    assert (share["id"], share["state"], share["copying"], share["tombstone"]) == (
        "p1",
        "delivered",
        False,
        None,
    )
    assert share["bytes_total"] == 501
    assert info["tombstones"] == [
        {
            "id": "old",
            "generation": 4,
            "ended_at": LONG_AGO,
            "ftpuser": "ftp_old",
            "reason": "expired",
            "managed_by": "operator",
        }
    ]
    assert info["host"]["space_total"] > 0
    (home,) = info["homes"]
    assert (home["name"], home["mode"], home["origin"], home["shares"]) == (
        "ftp_p1",
        "0750",
        "created",
        ["p1"],
    )
    assert (home["others"], info["staging"], info["held"], len(info["libraries"])) == ([], [], [], 1)
    json.dumps(info)
    only = run_share_info(str(delivered.root), ["old"])
    assert (only["shares"], len(only["tombstones"])) == ([], 1)
    with pytest.raises(InvalidValueError):
        run_share_info(str(delivered.root), ["../x"])


def test_prepared_folders_are_no_finding(host: Any) -> None:
    prepare_tree(host.tree)
    assert audit(host)["findings"] == []
    assert [path.name for path in host.root.iterdir()] == [".tempoftp"]


def test_names_with_any_bytes_are_reported(delivered: Any) -> None:
    home = os.fsencode(delivered.root / "ftp_p1")
    for name in (b"\xff\xfe", b"a\nb\x1b[31m", "{{ x }} ñ".encode()):
        Path(os.fsdecode(home + b"/" + name)).mkdir()
    found = audit(delivered, repair=True)["findings"]
    assert [Path(finding["subject"]).name for finding in found] == [
        "a\\nb\\x1b[31m",
        "{{ x }} ñ",
        "\\xff\\xfe",
    ]
    json.dumps(found).encode()


def test_findings_are_bounded() -> None:
    many = [Finding("library_left_over", str(number), "x", "safe") for number in range(FINDINGS_LIMIT + 3)]
    told = describe_findings(many)
    assert len(told) == FINDINGS_LIMIT + 1
    assert told[-1]["detail"].startswith("3 findings more")


def test_what_is_no_hash_has_no_digest() -> None:
    """A digest of a password in clear could be used to guess it."""
    assert digest_hash("in clear") is None and digest_hash("d8578edf8458ce06fbc5bb76a58c5ca4") is None
    assert str(digest_hash("$2b$12$" + "a" * 53)).startswith("sha256:")
