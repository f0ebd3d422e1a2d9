"""The headers for browsers that every answer has, refusals too."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tempoftp.app import create_app
from tempoftp.settings import Settings


@pytest.mark.parametrize(
    "path", ["/", "/health", "/docs", "/docs/start.js", "/openapi.json", "/tmpftp", "/nada", "/enlace/nada/x"]
)
def test_browsers_guess_no_content_type_and_send_no_referrer(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Cache-Control" in answer.headers


@pytest.mark.parametrize("path", ["/", "/tmpftp", "/nada", "/portal/entrar", "/portal/static/portal.css"])
def test_with_its_own_tls_browsers_are_told_to_keep_to_it(
    client: FlaskClient, settings: Settings, path: str
) -> None:
    own = settings.model_dump() | {"tls_certificate": "/x/api.pem", "tls_key": "/x/api.key"}
    app = create_app(Settings.model_validate(own))
    answer = app.test_client().get(path, buffered=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    app.extensions["tempoftp"].database.close()
    # A proxy with TLS says it itself; over plain HTTP it means nothing.
    assert "Strict-Transport-Security" not in client.get(path, buffered=True).headers
