"""`make faults`: each fault in each state, on real hosts."""

from __future__ import annotations

import pytest

from tests.faults.bring import STATES
from tests.faults.ground import Ground
from tests.faults.matrix import FAULTS, Cell, iterate_cells

# A cell waits for backoffs, leases, boots and ssh's keepalives one after the other.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]


def _list_cells() -> list[object]:
    return [
        pytest.param(
            fault, state, cell, id=f"{fault}, {state}", marks=[pytest.mark.lab] if cell.in_ci else []
        )
        for fault, state, cell in iterate_cells()
    ]


@pytest.mark.parametrize(("fault", "state", "cell"), _list_cells())
def test_cell(ground: Ground, request: pytest.FixtureRequest, fault: str, state: str, cell: Cell) -> None:
    properties = request.node.user_properties
    properties.append(("cell", (fault, state)))
    subject = None
    try:
        subject = (cell.bring or STATES[state].bring)(ground)
        with FAULTS[fault].inflict(ground, subject):
            subject.release()
            seen = cell.meanwhile(ground, subject)
        subject.release()
        if not cell.resumes:
            subject.staged = 0
        (cell.end or STATES[state].end)(ground, subject)
        ground.check_neighbour()
        ground.api.delete(subject.id, seconds=120)
        ground.check_clean(subject)
        ground.check_audit()
        properties.append(("outcome", seen))
    finally:
        ground.start_all()
        if subject is not None:
            subject.release()
            ground.api.delete(subject.id, seconds=120)
            ground.stage.source(f"rm -rf {subject.source}")
