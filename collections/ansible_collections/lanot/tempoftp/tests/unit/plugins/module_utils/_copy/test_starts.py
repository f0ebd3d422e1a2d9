# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How starts of a copier in vain are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.starts import (
    START_LIMIT,
    Starts,
    count_start,
    note_start,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.status import Status

MANIFEST = Manifest("p1", 3, "ftp_p1", "source1:/srv/goes")


def tell(phase: str = "copying", bytes_done: int = 0) -> Status:
    return Status(3, "boot", phase, bytes_done=bytes_done)


@pytest.mark.parametrize(
    ("before", "status", "silent"),
    [
        pytest.param(None, None, 1, id="first"),
        pytest.param(Starts(3, "boot"), None, 2, id="died before it said anything"),
        pytest.param(Starts(3, "boot", 2), tell("probing"), 3, id="died before it moved anything"),
        pytest.param(
            Starts(3, "boot", 2, 500), tell(bytes_done=500), 3, id="died where the one before it did"
        ),
        pytest.param(Starts(3, "boot", 3, 500), tell(bytes_done=501), 1, id="got further"),
        pytest.param(Starts(3, "boot", 3), tell("failed"), 1, id="said why"),
        pytest.param(Starts(2, "boot", 3), tell(), 1, id="another wish"),
        pytest.param(Starts(3, "an earlier boot", 3), tell(), 1, id="a reboot killed it"),
    ],
)
def test_starts_in_vain_are_counted(before: Optional[Starts], status: Optional[Status], silent: int) -> None:
    assert count_start(before, MANIFEST, "boot", status).silent == silent


def test_the_count_stands_on_the_host_and_begins_anew_once_told(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.staging("p1").mkdir(parents=True)
    counted = [note_start(tree, MANIFEST, "boot", None) for _start in range(START_LIMIT + 2)]
    assert counted == [*range(1, START_LIMIT + 2), 1]


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"silent": "x"}', '{"generation": 3, "other": 1}'])
def test_a_count_that_cannot_be_read_begins_anew(tmp_path: Path, damage: str) -> None:
    tree = Tree(tmp_path)
    tree.staging("p1").mkdir(parents=True)
    tree.starts("p1").write_text(damage)
    assert note_start(tree, MANIFEST, "boot", None) == 1
