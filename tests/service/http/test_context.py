"""The queue of requests that write: the wait in it is limited."""

from __future__ import annotations

import threading

import pytest
from flask.testing import FlaskClient


def test_a_request_without_a_turn_to_write_is_503_with_retry_after(
    client: FlaskClient, context, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempoftp.http.context.BUSY_SECONDS", 0.1)
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with context.write():
            taken.set()
            over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert taken.wait(10)
        refused = client.post("/tmpftp", json=body)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get("/tmpftp").status_code == 200
    finally:
        over.set()
        holder.join()
    assert client.post("/tmpftp", json=body).status_code == 202
