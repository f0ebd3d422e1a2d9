from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.states import State


def test_answers_202_when_it_takes_longer_than_the_wait(
    client: FlaskClient, body: dict[str, Any], settings
) -> None:
    client.post("/tmpftp", json=body)
    begun = time.monotonic()
    answer = client.delete("/tmpftp/proyecto_real_1")
    assert answer.status_code == 202
    assert answer.json == {"status": "eliminando", "id": "proyecto_real_1"}
    assert int(answer.headers["Retry-After"]) > 0
    assert settings.deletion_wait_seconds <= time.monotonic() - begun < settings.deletion_wait_seconds + 30
    assert client.get("/tmpftp/proyecto_real_1").json["status"] == "eliminando"


def test_answers_200_as_soon_as_all_is_gone(
    client: FlaskClient,
    patient_client: FlaskClient,
    body: dict[str, Any],
    wait_for_state: Callable[..., None],
    move_share: Callable[..., None],
) -> None:
    client.post("/tmpftp", json=body)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(patient_client.delete("/tmpftp/proyecto_real_1")))
    asking.start()
    wait_for_state("proyecto_real_1", State.ELIMINANDO)
    move_share("proyecto_real_1", State.ELIMINADO)
    asking.join(timeout=20)
    assert answers[0].status_code == 200
    assert answers[0].json == {"status": "deleted", "id": "proyecto_real_1"}
    assert client.get("/tmpftp/proyecto_real_1").status_code == 404


def test_many_deletions_at_once_do_not_wait(
    client: FlaskClient, patient_client: FlaskClient, body: dict[str, Any]
) -> None:
    client.post("/tmpftp", json=body)
    slots = patient_client.application.extensions["tempoftp"].waiting_slots
    while slots.acquire(blocking=False):
        pass
    begun = time.monotonic()
    assert patient_client.delete("/tmpftp/proyecto_real_1").status_code == 202
    assert time.monotonic() - begun < 30  # the patient client would wait 60 s
    slots.release()


def test_a_second_deletion_changes_nothing(client: FlaskClient, body: dict[str, Any], count_rows) -> None:
    client.post("/tmpftp", json=body)
    client.delete("/tmpftp/proyecto_real_1")
    before = count_rows()
    assert client.delete("/tmpftp/proyecto_real_1").status_code == 202
    assert count_rows() == before


def test_deletion_of_an_expired_share_answers_its_state_and_changes_nothing(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None], count_rows
) -> None:
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.LISTO, State.EXPIRANDO, State.EXPIRADO)
    before = count_rows()
    answer = client.delete("/tmpftp/proyecto_real_1")
    assert answer.status_code == 200
    assert answer.json == {"status": "expirado", "id": "proyecto_real_1"}
    assert client.get("/tmpftp/proyecto_real_1").json["status"] == "expirado"
    assert count_rows() == before


def test_deletion_of_a_deleted_share_is_404(
    client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.ELIMINANDO, State.ELIMINADO)
    assert client.delete("/tmpftp/proyecto_real_1").status_code == 404


@pytest.mark.parametrize("share_id", ["nada", "..", "%00", "a%0ab", "user", "ñ", "a" * 300, "%7B%7B1%7D%7D"])
def test_an_id_without_a_share_is_404(client: FlaskClient, share_id: str, count_rows) -> None:
    answer = client.delete(f"/tmpftp/{share_id}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert count_rows() == (0, 0)


def test_there_is_no_route_to_delete_everything(client: FlaskClient, body: dict[str, Any]) -> None:
    client.post("/tmpftp", json=body)
    assert client.delete("/tmpftp").status_code == 405
    assert client.delete("/tmpftp/").status_code == 404
    assert client.get("/tmpftp/proyecto_real_1").json["status"] == "recibido"
