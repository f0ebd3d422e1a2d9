"""The ground of all cells, and a table with the outcome of each of them at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.bring import STATES
from tests.faults.ground import Ground
from tests.faults.matrix import FAULTS, Cell, iterate_cells
from tests.support.stage import Stage

OUTCOMES = pytest.StashKey[dict[tuple[str, str], str]]()


@pytest.fixture(scope="session")
def ground(stage: Stage) -> Iterator[Ground]:
    """The stage, prepared for the cells; other tests may have used it before."""
    ground = Ground(stage)
    ground.prepare()
    yield ground
    ground.api.delete_all()
    ground.api.http.close()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    cell = dict(item.user_properties).get("cell")
    if cell is not None and (call.when == "call" or report.failed):
        told = dict(item.user_properties).get("outcome", "")
        text = f"{'holds' if report.passed else 'FAILS'} ({call.duration:.0f} s)" + (
            f": {told}" if told else ""
        )
        item.config.stash[OUTCOMES][cell] = text
        if report.failed:  # a run takes an hour, so say at once what went wrong
            item.config.get_terminal_writer().line(f"\n{report.longreprtext}")
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print fault x state x outcome, then what each cell saw, then why some pairs have no cell."""
    outcomes = config.stash[OUTCOMES]
    if not outcomes:
        return
    write = terminalreporter.write_line
    terminalreporter.section("faults")
    width = max(map(len, FAULTS))
    write(f"{'':{width}}  " + "  ".join(f"{state:10}" for state in STATES))
    for fault, row in FAULTS.items():
        words = [
            outcomes.get((fault, state), _describe(row.cells[state])).partition(" ")[0] for state in STATES
        ]
        write(f"{fault:{width}}  " + "  ".join(f"{word:10}" for word in words))
    write("")
    for (fault, state), text in outcomes.items():
        write(f"{fault}, {state}: {text}")
    if len(outcomes) < sum(
        1 for _ in iterate_cells()
    ):  # with only a few cells, the reasons would be most of the output
        return
    write("")
    for fault, row in FAULTS.items():
        for state, cell in row.cells.items():
            if isinstance(cell, str):
                write(f"{fault}, {state}: no cell, {cell}")


def _describe(cell: Cell | str) -> str:
    return "-" if isinstance(cell, str) else "."
