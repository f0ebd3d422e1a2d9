from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.states import State
from tests.support.hosts import hear_of


@pytest.fixture(autouse=True)
def heard(database: Database, ftp_host: str) -> None:
    """The FTP host has said its time, and it is that of the service."""
    with database.write() as session:
        hear_of(session, ftp_host)


def test_sweeps_expired_shares_and_no_others(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    ends = {"vencida": -1, "bloqueada": -1, "vigente": 60, "fallida": -1}
    for name, seconds in ends.items():
        client.post("/tmpftp", json=body | {"id": name})
        move_share(name, State.LISTO, expires=utc_now() + timedelta(seconds=seconds))
    move_share("bloqueada", State.BLOQUEADO)
    move_share("fallida", State.ERROR)
    answer = client.delete("/tmpftp/expired")
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "expiradas": 2})
    states = {name: client.get(f"/tmpftp/{name}").json["status"] for name in ends}
    assert states == {
        "vencida": "expirando",
        "bloqueada": "expirando",
        "vigente": "listo",
        "fallida": "error",
    }
    assert client.delete("/tmpftp/expired").json == {"status": "ok", "expiradas": 0}
    event = client.get("/tmpftp/vencida/eventos").json["eventos"][-1]
    assert event["autor"] != "expiry"  # somebody asked for it


def test_expired_is_no_id_of_a_share(client: FlaskClient) -> None:
    assert client.get("/tmpftp/expired").status_code == 404


def test_ends_nothing_by_a_clock_that_is_ahead_of_the_hosts(
    client: FlaskClient,
    body: dict[str, Any],
    move_share: Callable[..., None],
    database: Database,
    ftp_host: str,
) -> None:
    client.post("/tmpftp", json=body | {"id": "vencida"})
    move_share("vencida", State.LISTO, expires=utc_now() - timedelta(seconds=1))
    with database.write() as session:
        hear_of(session, ftp_host, utc_now() - timedelta(days=365))
    assert client.delete("/tmpftp/expired").json == {"status": "ok", "expiradas": 0}
    assert client.get("/tmpftp/vencida").json["status"] == "listo"
    assert any("days ahead" in warning for warning in client.get("/health").json["advertencias"])
