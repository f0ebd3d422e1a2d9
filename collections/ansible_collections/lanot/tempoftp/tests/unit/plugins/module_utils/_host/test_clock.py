# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which time is believed: for the end of access, and for the removal of data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import clock as _clock
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.clock import (
    AHEAD,
    BEHIND,
    Mark,
    Now,
    judge_clock,
    read_mark,
    read_now,
    write_mark,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import DAY, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from hypothesis import given
from hypothesis import strategies as st

YEAR = 365 * DAY
T = 1_900_000_000.0
MARK = Mark(T, "boot", 100.0)


def judge(
    clock: float, synchronised: float | None = None, mark: Mark | None = MARK, boot: str = "other"
) -> Now:
    return judge_clock(clock, synchronised, mark, boot, 700.0)


@pytest.mark.parametrize("ahead", [DAY + 1, 3 * DAY, YEAR, 40 * YEAR])
def test_a_clock_that_runs_ahead_ends_access_and_confirms_nothing(ahead: float) -> None:
    assert judge(T + ahead) == Now(T + ahead, T, AHEAD)
    assert "ahead" in judge(T + ahead).explain() and "no data is removed" in judge(T + ahead).explain()


@pytest.mark.parametrize("later", [0, 1, 3600, DAY])
def test_up_to_a_day_after_the_mark_the_clock_is_confirmed(later: float) -> None:
    assert judge(T + later) == Now(T + later, T + later)
    assert judge(T + later).explain() == ""


def test_in_the_same_boot_time_goes_on_from_the_mark() -> None:
    assert judge(T + YEAR, boot="boot") == Now(T + YEAR, T + 600, AHEAD)
    # A host that runs unsynchronised and right for a long time is never in doubt.
    long = judge_clock(T + YEAR, None, MARK, "boot", 100.0 + YEAR)
    assert long == Now(T + YEAR, T + YEAR)


@pytest.mark.parametrize("moment", [T - YEAR, T - 5, T, T + 5, T + YEAR])
def test_a_synchronised_clock_is_right_whatever_the_mark_says(moment: float) -> None:
    assert judge(moment, moment + 1) == Now(moment, moment)


def test_the_kernel_contradicts_a_program_whose_clock_is_another() -> None:
    assert judge(T + YEAR, T + 10).doubt == AHEAD


@pytest.mark.parametrize("back", [1, 3600, DAY])
def test_a_clock_set_back_by_less_than_a_day_waits_for_the_mark(back: float) -> None:
    assert judge(T - back) == Now(T, T)


@pytest.mark.parametrize("back", [DAY + 1, 10 * DAY, YEAR])
def test_a_clock_far_behind_reopens_nothing_and_removes_nothing(back: float) -> None:
    assert judge(T - back) == Now(T, T - back, BEHIND)
    assert "behind" in judge(T - back).explain()


def test_without_a_mark_the_clock_is_believed() -> None:
    assert judge(T + YEAR, mark=None) == Now(T + YEAR, T + YEAR)


TIMES = st.floats(T - 2 * YEAR, T + 2 * YEAR)


@given(TIMES, st.none() | TIMES, st.none() | st.builds(Mark, TIMES), st.booleans())
def test_data_never_goes_earlier_than_access(
    clock: float, synchronised: float | None, mark: Mark | None, same: bool
) -> None:
    now = judge_clock(clock, synchronised, mark, "" if same else "b", 5.0)
    assert now.confirmed <= now.ends
    if now.doubt is not None and mark is not None:
        # In doubt, no data goes by a time that only one of clock and mark has reached.
        assert now.confirmed <= max(min(clock, mark.time), mark.time + 5.0) and now.explain()
    else:
        assert now.confirmed == now.ends and not now.explain()


@pytest.fixture
def tree(tmp_path: Path, record_root: Callable[[Path], Tree]) -> Tree:
    return record_root(tmp_path / "data")


def write(tree: Tree, moment: float) -> None:
    tree.clock.write_text(json.dumps({"schema": 1, "time": format_time(moment)}))


def test_the_mark_of_a_wrong_clock_heals(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    write(tree, now + YEAR)
    assert read_now(tree).doubt == BEHIND
    write_mark(tree, read_now(tree))
    assert read_mark(tree) == Mark(float(int(now + YEAR)))
    monkeypatch.setattr(_clock, "read_synchronised", time.time)
    healed = read_now(tree)
    assert healed.doubt is None and abs(healed.ends - now) < 60
    write_mark(tree, healed)
    monkeypatch.setattr(_clock, "read_synchronised", lambda: None)
    assert read_now(tree).doubt is None and abs(read_now(tree).ends - now) < 60


def test_a_clock_that_runs_ahead_leaves_no_mark(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.time()
    write_mark(tree, read_now(tree))
    monkeypatch.setattr(time, "time", lambda: start + YEAR)
    for _time in range(3):
        now = read_now(tree)
        assert now.doubt == AHEAD
        write_mark(tree, now)
    monkeypatch.undo()
    mark = read_mark(tree)
    assert mark is not None and abs(mark.time - start) < 120


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"time": 5}', '{"time": "soon"}'])
def test_a_damaged_mark_is_none_and_is_replaced(tree: Tree, content: str) -> None:
    tree.clock.write_text(content)
    assert read_mark(tree) is None and read_now(tree).doubt is None
    write_mark(tree, read_now(tree))
    assert read_mark(tree) is not None


def test_the_kernel_is_asked() -> None:
    moment = REAL()
    assert moment is None or abs(moment - time.time()) < 5


REAL = _clock.read_synchronised
