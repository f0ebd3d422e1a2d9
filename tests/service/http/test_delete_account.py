from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.http.changes import POLL_SECONDS
from tempoftp.states import State

ROUTE = "/tmpftp/user/ftp_alguien_dominio"


@pytest.fixture
def two_shares(client: FlaskClient, body: dict[str, Any]) -> None:
    client.post("/tmpftp", json=body)
    client.post("/tmpftp", json=body | {"id": "otra"})
    client.post("/tmpftp", json=body | {"id": "ajena", "usuario": "otra@dominio"})


def test_every_share_of_the_account_ends(
    client: FlaskClient, two_shares: None, move_share: Callable[..., None]
) -> None:
    move_share("otra", State.ERROR)
    answer = client.delete(ROUTE)
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json == {
        "status": "eliminando",
        "usuario": "ftp_alguien_dominio",
        "solicitudes": ["otra", "proyecto_real_1"],
    }
    states = {
        name: client.get(f"/tmpftp/{name}").json["status"] for name in ("proyecto_real_1", "otra", "ajena")
    }
    assert states == {"proyecto_real_1": "eliminando", "otra": "eliminando", "ajena": "recibido"}


def test_200_as_soon_as_every_share_is_gone(
    client: FlaskClient,
    patient_client: FlaskClient,
    two_shares: None,
    move_share: Callable[..., None],
    wait_for_state: Callable[..., None],
) -> None:
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(patient_client.delete(ROUTE)))
    asking.start()
    wait_for_state("proyecto_real_1", State.ELIMINANDO)
    move_share("otra", State.ELIMINADO)
    asking.join(timeout=4 * POLL_SECONDS)
    assert asking.is_alive(), "it answered while one of the two shares was still there"
    move_share("proyecto_real_1", State.ELIMINADO)
    asking.join(timeout=20)
    assert answers[0].status_code == 200
    assert answers[0].json == {
        "status": "deleted",
        "usuario": "ftp_alguien_dominio",
        "solicitudes": ["otra", "proyecto_real_1"],
    }
    assert client.get("/tmpftp/ajena").json["status"] == "recibido"


def test_404_when_all_is_gone_already(
    client: FlaskClient, two_shares: None, move_share: Callable[..., None], count_rows
) -> None:
    assert client.delete(ROUTE).status_code == 202
    for name in ("otra", "proyecto_real_1"):
        move_share(name, State.ELIMINADO)
    before = count_rows()
    assert client.delete(ROUTE).status_code == 404
    assert count_rows() == before


def test_a_second_deletion_changes_nothing(client: FlaskClient, two_shares: None, count_rows) -> None:
    client.delete(ROUTE)
    before = count_rows()
    assert client.delete(ROUTE).status_code == 202
    assert count_rows() == before


@pytest.mark.parametrize("name", ["nadie", "..%2f..", "%00", "' OR 1=1 -- ", "a" * 300, "ñ"])
def test_unknown_is_404(client: FlaskClient, two_shares: None, name: str, count_rows) -> None:
    before = count_rows()
    answer = client.delete(f"/tmpftp/user/{name}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert count_rows() == before
