"""Ids of several clients: what one learns of another's, and that an id which is taken later shows nothing of before."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.http import changes, events
from tempoftp.http.context import ApiContext
from tempoftp.states import State

ID = "datos_2026"
ANA, EVA = "ana@dominio", "eva@dominio"
STREAM = {"Accept": "text/event-stream"}
ENDS = {State.ELIMINADO: (State.ELIMINANDO,), State.EXPIRADO: (State.LISTO, State.EXPIRANDO)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.01)


class Client:
    """One person with a token of her own."""

    def __init__(self, app: Flask, header: dict[str, str], email: str) -> None:
        self._app = app
        self._header = header
        self.email = email

    def ask(self, folder: str = "a", share_id: str = ID) -> Any:
        body = {"usuario": self.email, "id": share_id, "ruta": f"source1:/srv/datos/{folder}"}
        return self.send("post", "/tmpftp", json=body)

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Any:
        client: FlaskClient = self._app.test_client()
        return client.open(path, method=method.upper(), headers=self._header | (headers or {}), **options)


@pytest.fixture
def ana(app: Flask, make_token) -> Client:
    return Client(app, make_token(ANA, name="ana"), ANA)


@pytest.fixture
def eva(app: Flask, make_token) -> Client:
    return Client(app, make_token(EVA, name="eva"), EVA)


def test_what_is_told_of_a_living_id_of_another_is_that_it_is_taken(
    ana: Client, eva: Client, move_share
) -> None:
    """And nothing else: the answer is the same in every state, for every body."""
    assert ana.ask().status_code == 202
    answers = [eva.ask(), eva.ask("secreto")]
    move_share(ID, State.PREPARANDO, State.TRASLADO, State.LISTO)
    answers += [eva.ask(), eva.ask("b")]
    assert {(answer.status_code, answer.json["codigo"]) for answer in answers} == {(409, "id_in_use")}
    assert len({answer.get_data(as_text=True) for answer in answers}) == 1
    assert ANA not in answers[0].get_data(as_text=True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", f"/tmpftp/{ID}", None),
        ("delete", f"/tmpftp/{ID}", None),
        ("patch", f"/tmpftp/{ID}", {"vigencia": 5}),
        ("get", f"/tmpftp/{ID}/eventos", None),
        ("post", f"/tmpftp/{ID}/password", {}),
        ("post", f"/tmpftp/{ID}/bloquear", {}),
        ("post", f"/tmpftp/{ID}/reintentar", {}),
    ],
)
def test_every_other_route_answers_as_for_an_id_that_was_never_used(
    ana: Client, eva: Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    ana.ask()
    options = {} if body is None else {"json": body}
    taken = eva.send(method, path, **options)
    free = eva.send(method, path.replace(ID, "nunca_usado"), **options)
    assert taken.status_code == free.status_code
    assert taken.json == free.json


@pytest.mark.parametrize("end", ENDS)
def test_an_id_that_ended_is_taken_like_one_that_was_never_used(
    ana: Client, eva: Client, move_share, end: State
) -> None:
    ana.ask()
    move_share(ID, *ENDS[end], end, bytes_total=77, files_total=3, skipped=["secreto.nc"], path="/data/x/y")
    taken, free = eva.ask(), eva.ask(share_id="nunca_usado")
    assert taken.json["status"] == free.json["status"]
    assert taken.status_code == free.status_code

    def strip(share_id: str, path: str) -> str:
        answer = eva.send("get", f"/tmpftp/{share_id}{path}").json
        for event in answer.get("eventos", [{}]):
            event.pop("numero", None), event.pop("fecha", None), event.pop("peticion", None)
        answer.pop("created_at", None)
        return json.dumps(answer).replace(share_id, "ID")

    for path in ("", "/eventos"):
        assert strip(ID, path) == strip("nunca_usado", path)
    assert ana.send("get", f"/tmpftp/{ID}").status_code == 404
    assert ana.send("get", f"/tmpftp/{ID}/eventos").status_code == 404


def test_who_asks_again_for_her_own_id_is_told_so(ana: Client, move_share) -> None:
    ana.ask()
    move_share(ID, State.ELIMINANDO, State.ELIMINADO)
    ana.ask("b")
    (event,) = ana.send("get", f"/tmpftp/{ID}/eventos").json["eventos"]
    assert (event["de"], event["a"], event["razon"]) == ("eliminado", "recibido", "requested again")


@pytest.mark.parametrize("path", [f"/tmpftp/{ID}/eventos"])
def test_an_open_stream_ends_when_the_id_goes_to_somebody_else(
    ana: Client, eva: Client, move_share, context: ApiContext, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The share ends and is taken between two looks of the stream."""
    ana.ask()
    looked = threading.Event()
    proceed = threading.Event()
    read_events = events.read_events
    seen = 0

    def read_slowly(*args: Any, **options: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:  # the first is of the request itself, the second is the stream's first look
            looked.set()
            assert proceed.wait(20)
        return read_events(*args, **options)

    monkeypatch.setattr(events, "read_events", read_slowly)
    text: list[str] = []
    thread = threading.Thread(
        target=lambda: text.append(ana.send("get", path, headers=STREAM).get_data(as_text=True))
    )
    thread.start()
    assert looked.wait(20)
    move_share(ID, State.ELIMINANDO, State.ELIMINADO)
    assert eva.ask("secreto").status_code == 202
    proceed.set()
    thread.join(20)
    assert not thread.is_alive()
    assert '"autor": "ana"' in text[0]
    assert "eva" not in text[0]
    assert text[0].count("event: evento") == 1


def test_an_answer_to_a_change_never_describes_the_share_of_the_next_one(
    ana: Client, eva: Client, app: Flask, move_share, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana.ask()
    move_share(ID, State.PREPARANDO, State.TRASLADO, State.LISTO, lifetime_confirmed=3)
    poll = changes._poll_until

    def take_meanwhile(*args: Any) -> bool:
        monkeypatch.setattr(changes, "_poll_until", poll)
        move_share(ID, State.ELIMINANDO, State.ELIMINADO)
        assert eva.ask("secreto").status_code == 202
        return poll(*args)

    monkeypatch.setattr(changes, "_poll_until", take_meanwhile)
    answer = ana.send("patch", f"/tmpftp/{ID}", json={"vigencia": 5})
    assert (answer.status_code, answer.json["codigo"]) == (404, "share_not_found")
    assert "secreto" not in answer.get_data(as_text=True)
