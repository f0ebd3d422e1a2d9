"""The headers for browsers that every answer has, refusals too."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(
    "path", ["/", "/health", "/docs", "/docs/start.js", "/openapi.json", "/tmpftp", "/nada", "/enlace/nada/x"]
)
def test_browsers_guess_no_content_type_and_send_no_referrer(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Cache-Control" in answer.headers
