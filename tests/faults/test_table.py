"""The table is complete: every fault has a cell or a reason in every state; some cells run with `make test`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.bring import STATES
from tests.faults.inflict import FILLING
from tests.faults.matrix import FAULTS, Cell, iterate_cells


@pytest.mark.parametrize("fault", FAULTS)
def test_every_state_has_a_cell_or_a_reason(fault: str) -> None:
    cells = FAULTS[fault].cells
    assert list(cells) == list(STATES) or set(cells) == set(STATES)
    for state, cell in cells.items():
        assert isinstance(cell, Cell) or len(cell) > 10, f"{fault}, {state}: say why there is none"


def test_make_test_runs_at_least_eight_cells() -> None:
    chosen = [(fault, state) for fault, state, cell in iterate_cells() if cell.in_ci]
    assert len(chosen) >= 8
    assert {state for _, state in chosen} == set(STATES), "of every state one"


def test_the_operators_page_has_a_row_for_each_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("## What survives what\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (?!fault )([^-|][^|]*?) \|", section, re.MULTILINE) == list(FAULTS)


def test_the_file_that_fills_the_disk_is_not_taken_for_an_account() -> None:
    assert FILLING.startswith("/data/") and not FILLING.startswith("/data/ftp_")
