"""What every answer says to a browser that comes upon it, also one that refuses."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    "path", ["/", "/health", "/docs", "/docs/start.js", "/openapi.json", "/tmpftp", "/nada", "/enlace/nada/x"]
)
def test_nothing_is_guessed_from_it_and_nobody_is_told_of_it(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Cache-Control" in answer.headers
