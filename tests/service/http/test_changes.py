"""Block, unblock, extend, retry, new password: each answers the present state and what waits for the FTP host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Share
from tempoftp.http.context import ApiContext
from tempoftp.settings import SIMULATED_FTP_HOST, Settings
from tempoftp.states import State
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

pytestmark = pytest.mark.processes

ID = "proyecto_real_1"
ROUTE = f"/tmpftp/{ID}"


@pytest.fixture
def work(settings: Settings, context: ApiContext) -> Iterator[Callable[[], int]]:
    """One run of a worker on the simulated host."""
    runner = HostRunner(settings, context.database, SimulatedProvisioner(settings.state_dir))
    yield lambda: runner.run_host(SIMULATED_FTP_HOST)
    runner.close()


@pytest.fixture
def ready(client: FlaskClient, body: dict[str, Any], work: Callable[[], int]) -> dict[str, Any]:
    client.post("/tmpftp", json=body | {"ruta": "source1:/srv/datos/tarda-0"})
    work()
    share = client.get(ROUTE).json
    assert share["status"] == "listo", share
    return share


@pytest.fixture
def during(app: Flask, settings: Settings, work: Callable[[], int]) -> Iterator[Callable[..., Any]]:
    """Send a request to an API that waits for long, and let a worker run until the answer comes."""
    patient = create_app(settings.model_copy(update={"deletion_wait_seconds": 60}))

    def request(method: str, path: str, **values: Any) -> Any:
        answers: list[Any] = []
        asking = threading.Thread(
            target=lambda: answers.append(patient.test_client().open(path, method=method, **values))
        )
        asking.start()
        deadline = time.monotonic() + 30
        while asking.is_alive() and time.monotonic() < deadline:
            work()
            asking.join(0.05)
        return answers[0]

    yield request
    patient.extensions["tempoftp"].database.close()


def test_block_is_pending_until_its_host_confirms(
    client: FlaskClient, ready: dict[str, Any], work: Callable[[], int]
) -> None:
    answer = client.post(f"{ROUTE}/bloquear", json={"razon": "abuso", "descargas": 3})
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json == {
        "status": "listo",
        "id": ID,
        "usuario": ready["usuario"],
        "razon": "abuso; 3 descargas",
        "alcance": "solicitud",
        "en_mysql": False,
        "pendiente": ["bloquear"],
        "mensaje": answer.json["mensaje"],
    }
    assert "confirme" in answer.json["mensaje"]
    shown = client.get(ROUTE).json
    assert (shown["pendiente"], shown["razon"]) == (["bloquear"], "abuso; 3 descargas")
    work()
    shown = client.get(ROUTE)
    assert shown.status_code == 200
    assert (shown.json["status"], shown.json["pendiente"], shown.json["en_mysql"]) == ("bloqueado", [], True)
    assert "password" not in shown.json


def test_block_and_unblock_answer_when_it_is_done(ready: dict[str, Any], during: Callable[..., Any]) -> None:
    blocked = during("POST", f"{ROUTE}/bloquear", json={})
    assert (blocked.status_code, blocked.json["status"], blocked.json["en_mysql"]) == (200, "bloqueado", True)
    shown = during("POST", f"{ROUTE}/desbloquear", json={})
    assert (shown.status_code, shown.json["status"], shown.json["en_mysql"]) == (200, "listo", False)


def test_one_of_two_shares_is_hidden_and_the_login_stays(
    client: FlaskClient,
    ready: dict[str, Any],
    body: dict[str, Any],
    during: Callable[..., Any],
    work: Callable[[], int],
) -> None:
    client.post("/tmpftp", json=body | {"id": "otra", "ruta": "source1:/srv/datos/x/tarda-0"})
    work()
    blocked = during("POST", f"{ROUTE}/bloquear", json={})
    assert (blocked.json["status"], blocked.json["en_mysql"]) == ("bloqueado", False)
    assert client.get("/tmpftp/otra").json["status"] == "listo"
    last = during("POST", "/tmpftp/otra/bloquear", json={})
    assert (last.json["status"], last.json["en_mysql"]) == ("bloqueado", True)


def test_a_whole_account(
    client: FlaskClient,
    ready: dict[str, Any],
    body: dict[str, Any],
    during: Callable[..., Any],
    work: Callable[[], int],
) -> None:
    client.post("/tmpftp", json=body | {"id": "otra", "ruta": "source1:/srv/datos/x/tarda-0"})
    work()
    blocked = during("POST", f"{ROUTE}/bloquear", json={"alcance": "cuenta", "razon": "robo"})
    assert (blocked.json["status"], blocked.json["alcance"], blocked.json["en_mysql"]) == (
        *("bloqueado", "cuenta"),
        True,
    )
    other = client.get("/tmpftp/otra").json
    assert (other["status"], other["razon"], other["alcance"]) == ("bloqueado", "robo", "cuenta")
    refused = client.post("/tmpftp/otra/desbloquear", json={})
    assert refused.status_code == 409
    assert "cuenta" in refused.json["detail"]
    client.post("/tmpftp", json=body | {"id": "nueva", "ruta": "source1:/srv/datos/y/tarda-0"})
    work()
    assert client.get("/tmpftp/nueva").json["status"] == "bloqueado"
    shown = during("POST", "/tmpftp/otra/desbloquear", json={"alcance": "cuenta"})
    assert shown.json["status"] == "listo"
    assert {client.get(f"/tmpftp/{name}").json["status"] for name in (ID, "otra", "nueva")} == {"listo"}


def test_extend_is_confirmed_by_the_host(
    client: FlaskClient, ready: dict[str, Any], work: Callable[[], int]
) -> None:
    answer = client.patch(ROUTE, json={"vigencia": 9})
    assert answer.status_code == 202
    assert (answer.json["vigencia"], answer.json["expira"]) == (9, ready["expira"])
    assert answer.json["pendiente"] == ["vigencia"]
    work()
    shown = client.get(ROUTE).json
    assert (shown["vigencia"], shown["pendiente"]) == (9, [])
    assert shown["expira"] > ready["expira"]


def test_extend_answers_when_it_is_done(ready: dict[str, Any], during: Callable[..., Any]) -> None:
    answer = during("PATCH", ROUTE, json={"vigencia": 9})
    assert (answer.status_code, answer.json["pendiente"]) == (200, [])
    assert answer.json["expira"] > ready["expira"]


def test_an_end_in_the_past_is_409_and_out_of_bounds_422(
    client: FlaskClient, ready: dict[str, Any], move_share: Callable[..., None]
) -> None:
    move_share(ID, ready_at=utc_now() - timedelta(days=2))
    answer = client.patch(ROUTE, json={"vigencia": 1})
    assert (answer.status_code, answer.json["title"]) == (409, "El fin quedaría en el pasado")
    for days in (0, 91, 10**9, -1):
        answer = client.patch(ROUTE, json={"vigencia": days})
        assert answer.status_code == 422
        assert answer.json["errores"][0]["campo"] == "vigencia"


@pytest.mark.parametrize(
    "value", [{}, {"vigencia": "3"}, {"vigencia": 1.5}, {"vigencia": 3, "x": 1}, [], 3, "3"]
)
def test_an_invalid_lifetime_is_422(client: FlaskClient, ready: dict[str, Any], value: Any) -> None:
    assert client.patch(ROUTE, json=value).status_code == 422
    assert client.get(ROUTE).json["vigencia"] == ready["vigencia"]


def test_a_new_password(
    client: FlaskClient,
    ready: dict[str, Any],
    settings: Settings,
    work: Callable[[], int],
    body: dict[str, Any],
) -> None:
    client.post("/tmpftp", json=body | {"id": "otra", "ruta": "source1:/srv/datos/x/tarda-0"})
    work()
    assert client.get("/tmpftp/otra").json["password_tipo"] == "hash"
    answer = client.post(f"{ROUTE}/password", json={})
    assert answer.status_code == 202
    assert answer.json["pendiente"] == ["password"]
    assert answer.json["abre"] == ["otra", ID]
    assert answer.json["password_tipo"] == "fernet"
    fernet = settings.build_fernet()
    new = fernet.decrypt(answer.json["password"].encode())
    assert new != fernet.decrypt(ready["password"].encode())
    work()
    for name in (ID, "otra"):
        shown = client.get(f"/tmpftp/{name}").json
        assert (shown["password_tipo"], shown["pendiente"]) == ("fernet", [])
        assert fernet.decrypt(shown["password"].encode()) == new


def test_a_new_password_answers_when_it_works(ready: dict[str, Any], during: Callable[..., Any]) -> None:
    answer = during("POST", f"{ROUTE}/password", json={})
    assert (answer.status_code, answer.json["pendiente"]) == (200, [])


def test_retry(client: FlaskClient, body: dict[str, Any], work: Callable[[], int]) -> None:
    client.post("/tmpftp", json=body | {"ruta": "source1:/srv/datos/falla-source_denied"})
    work()
    assert client.get(ROUTE).json["status"] == "error"
    answer = client.post(f"{ROUTE}/reintentar", json={})
    assert answer.status_code == 202
    assert answer.json == {"id": ID, "status": "recibido"}
    assert answer.headers["Location"].endswith(ROUTE)
    again = client.post(f"{ROUTE}/reintentar", json={})
    assert (again.status_code, again.json["title"]) == (409, "El estado no lo permite")


def test_restore(client: FlaskClient, ready: dict[str, Any], work: Callable[[], int]) -> None:
    early = client.post(f"{ROUTE}/restaurar", json={})
    assert (early.status_code, early.json["codigo"]) == (409, "nothing_to_restore")
    client.delete(ROUTE)
    work()
    assert client.get(ROUTE).status_code == 404
    answer = client.post(f"{ROUTE}/restaurar", json={})
    assert (answer.status_code, answer.json) == (202, {"id": ID, "status": "recibido"})
    work()
    back = client.get(ROUTE)
    assert (back.status_code, back.json["status"]) == (200, "listo")
    assert client.post("/tmpftp/otra_1/restaurar", json={}).status_code == 404


VERBS = ["bloquear", "desbloquear", "reintentar", "password"]


@pytest.mark.parametrize("verb", [*VERBS, "restaurar"])
def test_an_empty_body_is_accepted_only_as_json(
    client: FlaskClient, ready: dict[str, Any], verb: str
) -> None:
    """If any content type were accepted, a page of another site could send the request from the visitor's address."""
    assert client.post(f"{ROUTE}/{verb}").status_code == 415
    form = client.post(f"{ROUTE}/{verb}", data={"razon": "x"})
    assert form.status_code == 415
    assert client.get(ROUTE).json["pendiente"] == []
    empty = client.post(f"{ROUTE}/{verb}", content_type="application/json")
    assert empty.status_code in {200, 202, 409}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("value", ['{"x": 1}', "[]", '"texto"', "null", "3"])
def test_an_unknown_key_and_a_body_without_an_object_are_422(
    client: FlaskClient, ready: dict[str, Any], verb: str, value: str
) -> None:
    answer = client.post(f"{ROUTE}/{verb}", data=value, content_type="application/json")
    assert answer.status_code == 422
    assert client.get(ROUTE).json["pendiente"] == []


@pytest.mark.parametrize(
    "value",
    [
        {"alcance": "todo"},
        {"razon": "x" * 501},
        {"razon": 3},
        {"descargas": -1},
        {"descargas": "3"},
        {"alcance": None},
    ],
)
def test_a_wrong_value_is_422(client: FlaskClient, ready: dict[str, Any], value: dict[str, Any]) -> None:
    assert client.post(f"{ROUTE}/bloquear", json=value).status_code == 422


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_deleted_and_ending_shares(
    client: FlaskClient, ready: dict[str, Any], verb: str, move_share: Callable[..., None]
) -> None:
    for share_id in ("nada", "expired", "a%0ab", "ñ"):
        assert client.post(f"/tmpftp/{share_id}/{verb}", json={}).status_code == 404
    move_share(ID, State.EXPIRANDO)
    assert client.post(f"{ROUTE}/{verb}", json={}).status_code == 409
    assert client.patch(ROUTE, json={"vigencia": 9}).status_code == 409
    move_share(ID, State.ELIMINANDO, State.ELIMINADO)
    assert client.post(f"{ROUTE}/{verb}", json={}).status_code == 404
    assert client.patch(ROUTE, json={"vigencia": 9}).status_code == 404


def test_a_change_on_a_paused_host_is_answered_at_once(
    client: FlaskClient, ready: dict[str, Any], settings: Settings, context: ApiContext
) -> None:
    """Even an API that waits for long does not wait for a paused host."""
    patient = create_app(settings.model_copy(update={"deletion_wait_seconds": 60})).test_client()
    client.post("/pausar", json={})
    begun = time.monotonic()
    answer = patient.post(f"{ROUTE}/bloquear", json={})
    assert time.monotonic() - begun < 30
    assert answer.status_code == 202
    assert "pausa" in answer.json["mensaje"]
    assert client.get(ROUTE).json["en_pausa"] is True
    patient.application.extensions["tempoftp"].database.close()


def test_a_change_that_keeps_the_state_is_in_the_history(
    client: FlaskClient, ready: dict[str, Any], context: ApiContext
) -> None:
    client.post(f"{ROUTE}/bloquear", json={"razon": "abuso"}, headers={"X-Request-ID": "r-77"})
    event = client.get(f"{ROUTE}/eventos").json["eventos"][-1]
    assert (event["de"], event["a"], event["razon"], event["peticion"]) == (
        *("listo", "listo", "block requested: abuso"),
        "r-77",
    )
    with context.database.read() as session:
        assert session.get_one(Share, ID).generation == event["generacion"] == 2
