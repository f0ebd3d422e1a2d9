# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real ``main()`` of tempoftp_root: check → apply → check again → apply again, and a disk that is away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.root import find_marker
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def run(root: Path, **options: Any) -> dict[str, Any]:
        with patch_module_args({"root": str(root), **options}), pytest.raises(SystemExit):
            tempoftp_root.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_the_marker_is_written_once(tmp_path: Path, run: Callable[..., dict[str, Any]]) -> None:
    assert run(tmp_path, _ansible_check_mode=True)["changed"] is True
    assert not find_marker(tmp_path).exists()
    made = run(tmp_path)
    assert made["changed"] is True and len(made["id"]) == 32
    for check in (True, False):
        again = run(tmp_path, _ansible_check_mode=check)
        assert (again["changed"], again["id"]) == (False, made["id"])


def test_a_disk_that_is_away_fails_unless_it_is_told_to_be_new(
    tmp_path: Path, run: Callable[..., dict[str, Any]], record_root: Callable[[Path], Tree]
) -> None:
    tree = record_root(tmp_path / "data")
    find_marker(tree.root).unlink()
    failed = run(tree.root)
    assert failed["failed"] and failed["error"]["class"] == "root_missing"
    assert "tempoftp_root_is_new" in failed["msg"]
    assert run(tree.root, new=True)["changed"] is True


def test_a_root_that_does_not_exist_is_a_failure_and_not_a_crash(
    tmp_path: Path, run: Callable[..., dict[str, Any]]
) -> None:
    assert "could not be written" in run(tmp_path / "a" / "b")["msg"]
