from __future__ import annotations

import logging
import re

import pytest
from flask.testing import FlaskClient

from tempoftp.db.models import Share
from tempoftp.http.request_id import RequestIdFilter, get_request_id


@pytest.mark.parametrize("path", ["/", "/tmpftp", "/tmpftp/nada", "/nada", "/health"])
def test_is_on_every_answer(client: FlaskClient, path: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", client.get(path).headers["X-Request-ID"])


def test_a_clients_id_is_kept_and_stored(client: FlaskClient, body, context) -> None:
    answer = client.post("/tmpftp", json=body, headers={"X-Request-ID": "portal-2026.11_7"})
    assert answer.headers["X-Request-ID"] == "portal-2026.11_7"
    with context.database.read() as session:
        assert session.get_one(Share, body["id"]).request_id == "portal-2026.11_7"


@pytest.mark.parametrize("offered", ["", "a b", "-x", "x" * 65, "{{ 7*7 }}", "ñ", "a;b", "<script>"])
def test_an_id_that_is_unsafe_to_log_is_replaced(client: FlaskClient, offered: str) -> None:
    answer = client.get("/", headers={"X-Request-ID": offered})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_is_in_every_log_line_of_the_request_and_cleared_after(
    client: FlaskClient, app, context, caplog
) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    with context.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE history")
        session.connection().exec_driver_sql("DROP TABLE shares")
    with caplog.at_level(logging.WARNING):
        client.get("/tmpftp", headers={"X-Request-ID": "seguir-1"})
    assert [record.request_id for record in caplog.records] == ["seguir-1"]
    assert get_request_id() == "-"
