# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which disk is the delivery root: the marker below it and the record of the host must agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import RootMissingError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.facts import read_host
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import (
    check_root,
    establish_root,
    find_marker,
    find_server_file,
    read_marker,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.space import explain_os_error
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, hold_tree, open_tree


@pytest.fixture
def tree(tmp_path: Path, record_root: Callable[[Path], Tree]) -> Tree:
    return record_root(tmp_path / "data")


def take_away(tree: Tree) -> Path:
    """Leave an empty folder at the root, as ``umount`` does; return where the disk's files are meanwhile."""
    away = tree.root.with_name("away")
    tree.root.rename(away)
    tree.root.mkdir(mode=0o755)
    return away


def bring_back(tree: Tree, away: Path) -> None:
    tree.root.rmdir()
    away.rename(tree.root)


def test_the_recorded_disk_is_used(tree: Tree) -> None:
    check_root(tree.root)
    assert open_tree(f"{tree.root}/") == tree
    with hold_tree(tree):
        pass
    host = read_host(tree.root, 0)
    assert host["root"] == {"ok": True, "error": None} and host["space_total"] > 0


def test_an_empty_folder_in_its_place_is_refused_until_the_disk_is_back(tree: Tree) -> None:
    away = take_away(tree)
    with pytest.raises(RootMissingError, match="mount it") as refused:
        open_tree(str(tree.root))
    assert refused.value.transient and refused.value.error_class == "root_missing"
    with pytest.raises(RootMissingError), hold_tree(tree):
        pytest.fail("held")
    assert list(tree.root.iterdir()) == []
    host = read_host(tree.root, 0)
    # The space would be that of the system disk.
    assert host["root"]["ok"] is False and host["space_total"] is host["space_free"] is None
    assert "mount it" in host["root"]["error"]
    bring_back(tree, away)
    assert open_tree(str(tree.root)) == tree


@pytest.mark.parametrize("mode", [0o777, 0o2775, 0o000])
def test_the_folder_below_the_mount_point_may_have_any_mode(tree: Tree, mode: int) -> None:
    take_away(tree)
    tree.root.chmod(mode)
    try:
        with pytest.raises(RootMissingError):
            open_tree(str(tree.root))
    finally:
        tree.root.chmod(0o755)


def test_a_root_that_is_gone_is_missing_too(tree: Tree) -> None:
    take_away(tree).rename(tree.root.with_name("farther"))
    tree.root.rmdir()
    with pytest.raises(RootMissingError):
        open_tree(str(tree.root))
    tree.root.touch()
    with pytest.raises(RootMissingError):
        open_tree(str(tree.root))


def test_another_disk_is_refused(tree: Tree) -> None:
    take_away(tree)
    establish_root(tree.root, new=True)
    with pytest.raises(RootMissingError, match="another disk"):
        open_tree(str(tree.root))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": 5}', '{"id": "short"}', '{"id": null}'])
def test_a_damaged_marker_is_none(tree: Tree, content: str) -> None:
    find_marker(tree.root).write_text(content)
    with pytest.raises(RootMissingError):
        open_tree(str(tree.root))


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"root": "/data"}', '{"root": {"path": "/data"}}', '{"root": {"path": 1, "id": "a"}}'],
)
def test_a_host_that_has_recorded_no_root_uses_none(tree: Tree, content: str) -> None:
    find_server_file().write_text(content)
    with pytest.raises(RootMissingError, match="run the role ftp_server"):
        open_tree(str(tree.root))
    find_server_file().unlink()
    with pytest.raises(RootMissingError, match="run the role ftp_server"):
        open_tree(str(tree.root))


def test_a_disk_that_goes_in_mid_step_is_the_reason_of_what_follows(tree: Tree) -> None:
    error = FileNotFoundError(2, "No such file or directory")
    assert explain_os_error(error, "share p1", tree.root).error_class == "run_failed"
    take_away(tree)
    assert explain_os_error(error, "share p1", tree.root).error_class == "root_missing"


def test_the_marker_is_written_once(tmp_path: Path) -> None:
    assert establish_root(tmp_path, check_mode=True).written and read_marker(tmp_path) is None
    made = establish_root(tmp_path)
    assert made.written and read_marker(tmp_path) == made.id
    assert establish_root(tmp_path) == (made.id, False)
    assert find_marker(tmp_path).stat().st_mode & 0o777 == 0o600
    assert establish_root(tmp_path / ".." / tmp_path.name).id == made.id


def test_a_recorded_disk_is_not_set_up_anew_unless_told(tree: Tree) -> None:
    take_away(tree)
    for check_mode in (True, False):
        with pytest.raises(RootMissingError, match="tempoftp_root_is_new"):
            establish_root(tree.root, check_mode=check_mode)
    assert list(tree.root.iterdir()) == []
    assert establish_root(tree.root, new=True).written


def test_the_disk_of_a_reinstalled_host_keeps_its_id(tree: Tree) -> None:
    identity = read_marker(tree.root)
    find_server_file().write_text(json.dumps({"port": 21}))
    assert establish_root(tree.root) == (identity, False)
