from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.states import State


@pytest.fixture
def three_shares(client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]) -> list[str]:
    ids = ["uno", "dos", "tres"]
    for share_id in ids:
        usuario = "otra@dominio" if share_id == "tres" else "alguien@dominio"
        client.post("/tmpftp", json=body | {"id": share_id, "usuario": usuario})
    move_share("dos", State.LISTO)
    return ids


def test_lists_newest_first(client: FlaskClient, three_shares: list[str]) -> None:
    answer = client.get("/tmpftp")
    assert answer.status_code == 200
    assert answer.json["total"] == 3
    assert answer.json["sin_created_at"] == 0
    assert answer.json["siguiente"] is None
    assert read_ids(answer) == ["tres", "dos", "uno"]
    newest = answer.json["solicitudes"][0]
    assert newest["email"] == "otra@dominio"
    assert newest["estado"] == "recibido"
    assert {"id", "email", "ruta", "estado", "created_at", "vigencia", "expira"} <= set(newest)


def test_is_empty_before_anything_was_asked(client: FlaskClient) -> None:
    answer = client.get("/tmpftp")
    assert answer.json == {"total": 0, "sin_created_at": 0, "solicitudes": [], "siguiente": None}


def test_never_shows_a_password(client: FlaskClient, three_shares: list[str]) -> None:
    token = client.get("/tmpftp/dos").json["password"]
    text = client.get("/tmpftp").text
    assert token not in text
    assert "password" not in text


def test_filters_by_state_and_user(client: FlaskClient, three_shares: list[str]) -> None:
    assert read_ids(client.get("/tmpftp?estado=listo")) == ["dos"]
    assert read_ids(client.get("/tmpftp?usuario=Alguien@Dominio")) == ["dos", "uno"]
    assert read_ids(client.get("/tmpftp?usuario=alguien@dominio&estado=recibido")) == ["uno"]
    assert read_ids(client.get("/tmpftp?usuario=nadie@dominio")) == []


def test_a_deleted_share_shows_only_when_asked_for(
    client: FlaskClient, three_shares: list[str], move_share: Callable[..., None]
) -> None:
    move_share("uno", State.ELIMINANDO, State.ELIMINADO)
    assert read_ids(client.get("/tmpftp")) == ["tres", "dos"]
    assert read_ids(client.get("/tmpftp?estado=eliminado")) == ["uno"]


def test_the_pages_have_every_share_once(client: FlaskClient, three_shares: list[str]) -> None:
    seen: list[str] = []
    page = client.get("/tmpftp?limite=2")
    while True:
        assert page.json["total"] == 3
        seen += read_ids(page)
        if page.json["siguiente"] is None:
            break
        page = client.get("/tmpftp", query_string={"limite": 2, "cursor": page.json["siguiente"]})
    assert seen == ["tres", "dos", "uno"]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "estado=nada",
            "estado=",
            "limite=0",
            "limite=-1",
            "limite=x",
            "limite=100000",
            "limite=1e3",
            "otra=1",
        ),
        *("cursor=x", "cursor=%00", "cursor=" + "A" * 3000, "usuario=" + "a" * 300),
    ],
)
def test_refuses_a_wrong_filter(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/tmpftp?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "forged",
    [
        ["2026-01-01T00:00:00+00:00", "\ud800"],
        ["0001-01-01T00:00:00+14:00", "a"],
        ["9999-12-31T23:59:59-14:00", "a"],
        ["2026-01-01", "a"],
        ["2026-01-01T00:00:00+00:00"],
        {"a": 1},
        7,
    ],
    ids=ascii,
)
def test_refuses_a_forged_cursor(client: FlaskClient, forged: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
    assert client.get("/tmpftp", query_string={"cursor": cursor}).status_code == 422


@pytest.mark.parametrize("usuario", ["' OR 1=1 --", "%", "_", "\x00", "ñ"])
def test_a_filter_is_compared_as_text(client: FlaskClient, three_shares: list[str], usuario: str) -> None:
    assert read_ids(client.get("/tmpftp", query_string={"usuario": usuario})) == []


def read_ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [share["id"] for share in answer.json["solicitudes"]]
