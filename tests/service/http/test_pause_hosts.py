from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.app import create_app
from tempoftp.settings import SIMULATED_FTP_HOST, Settings

HOST = SIMULATED_FTP_HOST


def test_a_pause_is_shown_everywhere_and_survives_a_restart(
    client: FlaskClient, body: dict[str, Any], settings: Settings
) -> None:
    answer = client.post("/pausar", json={"host": HOST, "razon": "disco nuevo"})
    assert answer.status_code == 200
    paused = answer.json["hosts"][HOST]
    assert (paused["pausado"], paused["razon"], paused["corridas"]) == (True, "disco nuevo", 0)
    assert paused["autor"]
    assert paused["desde"]
    assert client.post("/tmpftp", json=body).status_code == 202
    again = create_app(settings)  # as after a restart
    fresh = again.test_client()
    assert fresh.get("/health").json["hosts"][HOST]["pausado"] is True
    shown = fresh.get(f"/tmpftp/{body['id']}").json
    assert shown["en_pausa"] is True
    assert "pausa" in shown["mensaje"]
    again.extensions["tempoftp"].database.close()
    assert client.post("/reanudar", json={}).json["hosts"][HOST]["pausado"] is False
    assert client.get(f"/tmpftp/{body['id']}").json["en_pausa"] is False


@pytest.mark.parametrize("route", ["/pausar", "/reanudar"])
def test_refusals(client: FlaskClient, route: str) -> None:
    assert client.post(route, json={"host": "otro"}).status_code == 404
    assert client.post(route).status_code == 415
    for wrong in ({"x": 1}, {"host": 3}, {"host": ""}, {"host": "x" * 65}, []):
        assert client.post(route, json=wrong).status_code == 422
    assert client.post(route, data="{", content_type="application/json").status_code == 400
    assert client.get("/health").json["hosts"][HOST]["pausado"] is False
