"""Real hosts for the end-to-end tests: brought up once, taken down at the end whatever happened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api_client import ApiClient
from stage import Stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The lab's test net with `site.yml` applied and a control host beside it (KEEP_LAB=1 leaves it up)."""
    with Stage("test", subnet="10.117.2", port=19043).stand("TEMPOFTP_TRANSFERS_SECONDS=5\n") as stage:
        yield stage


@pytest.fixture
def api(stage: Stage) -> Iterator[ApiClient]:
    """A client of the stage's API, with the control host running; every share a test leaves is deleted after it."""
    stage.control.start()
    client = ApiClient(stage.control.url, stage.control.token)
    yield client
    stage.control.start()
    client.delete_all()
    client.http.close()
