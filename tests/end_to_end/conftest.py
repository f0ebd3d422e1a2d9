"""A client of the stage's API for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_client import ApiClient
from tests.support.stage import Stage


@pytest.fixture
def api(stage: Stage) -> Iterator[ApiClient]:
    """A client of the stage's API. The control host runs, and shares that a test leaves are deleted after it."""
    stage.control.start()
    client = ApiClient(stage.control.url, stage.control.token)
    yield client
    stage.control.start()
    client.delete_all()
    client.http.close()
