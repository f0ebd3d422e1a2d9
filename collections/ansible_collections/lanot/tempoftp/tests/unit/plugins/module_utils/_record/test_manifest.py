# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, tombstones, account records and the lock, on real files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    CLASSES,
    PERMANENT,
    TRANSIENT,
    InvalidValueError,
    LockTimeoutError,
    TempoftpError,
    build_error,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.lock import (
    hold_lock,
    is_locked,
    take_lock,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import (
    Tree,
    open_tree,
    prepare_tree,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import (
    Account,
    delete_account,
    read_account,
    write_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
    Manifest,
    delete_manifest,
    list_account_manifests,
    list_manifests,
    read_json,
    read_manifest,
    write_json,
    write_manifest,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.status import (
    Status,
    read_status,
    write_status,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import (
    Tombstone,
    read_tombstone,
    write_tombstone,
)


@pytest.fixture
def tree(tmp_path: Path, record_root: Callable[[Path], Tree]) -> Tree:
    tmp_path.chmod(0o755)
    record_root(tmp_path)
    made = open_tree(str(tmp_path))
    prepare_tree(made)
    return made


MANIFEST = Manifest("p1", 2, "ftp_x", "h:/x", skipped=("a -> b",), durations={"copy": 1.5}, bytes_total=3)


def test_a_manifest_is_read_as_it_was_written(tree: Tree) -> None:
    write_manifest(tree, MANIFEST)
    assert read_manifest(tree, "p1") == MANIFEST
    assert tree.manifest("p1").stat().st_mode & 0o7777 == 0o600
    assert [path.name for path in tree.manifest("p1").parent.iterdir()] == ["p1.json"]


def test_a_missing_manifest_is_none(tree: Tree) -> None:
    assert read_manifest(tree, "p1") is None
    delete_manifest(tree, "p1")


def test_keys_of_a_newer_release_are_ignored(tree: Tree) -> None:
    write_manifest(tree, MANIFEST)
    content = json.loads(tree.manifest("p1").read_text())
    tree.manifest("p1").write_text(json.dumps({**content, "colour": "red"}))
    assert read_manifest(tree, "p1") == MANIFEST


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"id": "p2"},
        {"generation": 0},
        {"generation": True},
        {"generation": "2"},
        {"ftpuser": "../etc"},
        {"ftpuser": None},
        {"source": 3},
        {"state": "gone"},
        {"origin": "stolen"},
        {"uid": -1},
        {"writable": "yes"},
        {"skipped": 3},
        {"skipped": [3]},
        {"durations": {"copy": "x"}},
        {"bytes_total": "3"},
    ],
)
def test_a_damaged_manifest_is_an_error(tree: Tree, change: dict[str, object]) -> None:
    write_manifest(tree, MANIFEST)
    content = json.loads(tree.manifest("p1").read_text())
    tree.manifest("p1").write_text(json.dumps({**content, **change}))
    with pytest.raises(TempoftpError, match=r"p1\.json"):
        read_manifest(tree, "p1")


@pytest.mark.parametrize("durable", [True, False])
def test_what_must_survive_a_power_loss_is_synced_before_and_after_its_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    path, synced, real = tmp_path / "a.json", [], os.fsync

    def sync(descriptor: int) -> None:
        real(descriptor)
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    write_json(path, {"a": 1}, durable)
    assert read_json(path) == {"a": 1}
    if durable:
        assert synced == [(str(tmp_path / f".a.json.{os.getpid()}"), False), (str(tmp_path), True)]
    else:
        assert synced == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_what_is_no_object_is_an_error(tree: Tree, text: str) -> None:
    tree.manifest("p1").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(TempoftpError, match="damaged"):
        read_manifest(tree, "p1")


def test_one_damaged_manifest_does_not_hide_the_others(tree: Tree) -> None:
    write_manifest(tree, MANIFEST)
    write_manifest(tree, MANIFEST._replace(id="p2", state="absent"))
    write_manifest(tree, MANIFEST._replace(id="p3", ftpuser="ftp_y"))
    tree.manifest("p4").write_text("{")
    manifests, damaged = list_manifests(tree)
    assert [manifest.id for manifest in manifests] == ["p1", "p2", "p3"]
    assert damaged == ["p4.json"]
    assert [manifest.id for manifest in list_account_manifests(tree, "ftp_x")] == ["p1"]


def test_tombstones_and_accounts_are_read_as_they_were_written(tree: Tree) -> None:
    tombstone, account = (
        Tombstone("p1", 3, "2026-01-01T00:00:00Z"),
        Account("ftp_x", "adopted", "2026-01-01T00:00:00Z"),
    )
    write_tombstone(tree, tombstone)
    write_account(tree, account)
    assert (read_tombstone(tree, "p1"), read_account(tree, "ftp_x")) == (tombstone, account)
    delete_account(tree, "ftp_x")
    assert (read_tombstone(tree, "p2"), read_account(tree, "ftp_x")) == (None, None)


def test_a_status_that_cannot_be_read_is_none(tree: Tree) -> None:
    path = tree.state / "status.json"
    assert read_status(path) is None
    write_status(path, Status(1, "boot", "copying", bytes_done=3))
    assert read_status(path) == Status(1, "boot", "copying", bytes_done=3)
    for text in ("", "{}", '{"generation": 1}', '{"generation": 1, "boot_id": "b", "phase": "flying"}'):
        path.write_text(text)
        assert read_status(path) is None


def test_a_root_that_others_could_change_is_refused(
    tmp_path: Path, record_root: Callable[[Path], Tree]
) -> None:
    record_root(tmp_path / "open").root.chmod(0o777)
    with pytest.raises(InvalidValueError, match="can be written by others"):
        open_tree(f"{tmp_path}/open")
    (tmp_path / "link").symlink_to(tmp_path / "open")
    record_root(tmp_path / "link")
    with pytest.raises(InvalidValueError, match="symlink"):
        open_tree(f"{tmp_path}/link")
    with pytest.raises(InvalidValueError):
        open_tree(f"{tmp_path}/open/../open")
    for root in ("/", "data", ""):
        with pytest.raises(InvalidValueError):
            open_tree(root)


def test_the_lock_has_one_holder(tree: Tree) -> None:
    with hold_lock(tree.lock):
        assert is_locked(tree.lock)
        with pytest.raises(LockTimeoutError), hold_lock(tree.lock, timeout=0.05):
            pytest.fail("two hold it")
    assert not is_locked(tree.lock)
    descriptor = take_lock(tree.lock, 0.0)
    assert descriptor is not None
    assert take_lock(tree.lock, 0.0) is None
    os.close(descriptor)
    assert not is_locked(tree.state / "missing")


def test_every_class_is_transient_or_permanent() -> None:
    assert set(CLASSES) == TRANSIENT | PERMANENT
    assert not TRANSIENT & PERMANENT
    error = TempoftpError("x" * 5000, "no_space")
    assert error.transient and error.to_dict()["class"] == "no_space"
    assert len(build_error("stale", "x" * 5000)["message"]) == 1000
    with pytest.raises(ValueError, match="unknown"):
        TempoftpError("x", "bad_luck")
