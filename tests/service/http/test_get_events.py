"""The history of a share, once and as a stream, which is limited in time and number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tempoftp.db.models import Share
from tempoftp.http import events
from tempoftp.http.context import STREAM_SLOTS, STREAMS_PER_CALLER, ApiContext
from tempoftp.http.events import parse_event_number, write_event
from tempoftp.phrases import Phrase
from tempoftp.shares.lifecycle import record_change
from tempoftp.states import State

ROUTE = "/tmpftp/proyecto_real_1/eventos"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.01)


@pytest.fixture
def share(client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]) -> str:
    client.post("/tmpftp", json=body, headers={"X-Request-ID": "r-1"})
    move_share(body["id"], State.PREPARANDO, State.LISTO)
    return body["id"]


def parse(text: str) -> list[dict[str, Any]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append(fields | {"data": json.loads(fields["data"])})
    return found


def test_every_event_is_answered_in_order(client: FlaskClient, share: str) -> None:
    answer = client.get(ROUTE)
    assert answer.mimetype == "application/json"
    events = answer.json["eventos"]
    assert [(event["de"], event["a"]) for event in events] == [
        (None, "recibido"),
        ("recibido", "preparando"),
        ("preparando", "listo"),
    ]
    assert events[0]["peticion"] == "r-1"
    assert (events[1]["autor"], events[1]["razon"]) == ("test", "test")


def test_a_deleted_share_has_its_history(
    client: FlaskClient, share: str, move_share: Callable[..., None]
) -> None:
    move_share(share, State.ELIMINANDO, State.ELIMINADO)
    assert client.get(f"/tmpftp/{share}").status_code == 404
    assert client.get(ROUTE).json["eventos"][-1]["a"] == "eliminado"


def test_an_id_that_was_requested_again_shows_only_the_new_events(
    client: FlaskClient, share: str, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    move_share(share, State.ELIMINANDO, State.ELIMINADO)
    client.post("/tmpftp", json=body | {"ruta": "source1:/srv/datos/otra"})
    events = client.get(ROUTE).json["eventos"]
    assert [(event["de"], event["a"]) for event in events] == [("eliminado", "recibido")]


def test_a_retry_keeps_the_earlier_events(
    client: FlaskClient, share: str, move_share: Callable[..., None]
) -> None:
    move_share(share, State.ERROR, State.RECIBIDO)
    assert len(client.get(ROUTE).json["eventos"]) == 5


@pytest.mark.parametrize("share_id", ["nada", "expired", "ñ"])
def test_unknown_is_404(client: FlaskClient, share_id: str) -> None:
    for headers in ({}, STREAM):
        assert client.get(f"/tmpftp/{share_id}/eventos", headers=headers).status_code == 404


def test_a_stream_ends_with_the_share(
    client: FlaskClient, share: str, move_share: Callable[..., None]
) -> None:
    move_share(share, State.EXPIRANDO, State.EXPIRADO)
    answer = client.get(ROUTE, headers=STREAM)
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    sent = parse(answer.text)
    told = [event["data"]["a"] for event in sent if event["event"] == "evento"]
    assert told == ["recibido", "preparando", "listo", "expirando", "expirado"]
    assert sent[-1]["event"] == "progreso"
    assert sent[-1]["data"]["status"] == "expirado"
    assert answer.text.startswith("retry: ")


def test_a_stream_sends_what_happens_meanwhile(
    client: FlaskClient, share: str, move_share: Callable[..., None]
) -> None:
    chunks: Iterator[bytes] = client.get(ROUTE, headers=STREAM, buffered=False).response
    seen = ""
    while '"listo"' not in seen:
        seen += next(chunks).decode()
    move_share(share, State.EXPIRANDO, State.EXPIRADO)
    rest = "".join(chunk.decode() for chunk in chunks)
    assert [event["data"]["a"] for event in parse(rest) if event["event"] == "evento"] == [
        "expirando",
        "expirado",
    ]


def test_a_stream_continues_after_the_clients_last_event(client: FlaskClient, share: str, move_share) -> None:
    last = client.get(ROUTE).json["eventos"][-1]["numero"]
    move_share(share, State.EXPIRANDO, State.EXPIRADO)
    answer = client.get(ROUTE, headers=STREAM | {"Last-Event-ID": str(last)})
    told = [event for event in parse(answer.text) if event["event"] == "evento"]
    assert [event["data"]["a"] for event in told] == ["expirando", "expirado"]
    assert int(told[0]["id"]) > last


def test_a_stream_ends_after_its_time(
    client: FlaskClient, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.05)
    monkeypatch.setattr(events, "SILENCE_SECONDS", 0.0)
    answer = client.get(ROUTE, headers=STREAM)
    assert parse(answer.text)[-1]["data"]["status"] == "listo"
    assert "\n: \n\n" in answer.text


def test_streams_are_limited_in_number_and_free_their_slots(
    client: FlaskClient, share: str, context: ApiContext
) -> None:
    streams = [client.get(ROUTE, headers=STREAM, buffered=False) for _ in range(STREAMS_PER_CALLER)]
    refused = client.get(ROUTE, headers=STREAM)
    assert (refused.status_code, refused.json["title"]) == (503, "Demasiados flujos abiertos")
    assert refused.headers["Retry-After"]
    assert client.get(ROUTE).status_code == 200  # other requests are not delayed
    next(iter(streams[0].response))
    for stream in streams:
        stream.close()
        stream.close()
    assert [context.stream_slots.acquire(f"otra-{number}") for number in range(STREAM_SLOTS + 1)] == [
        *([True] * STREAM_SLOTS),
        False,
    ]


def test_one_caller_cannot_take_every_stream(
    client: FlaskClient, share: str, context: ApiContext, make_token
) -> None:
    streams = [client.get(ROUTE, headers=STREAM, buffered=False) for _ in range(STREAMS_PER_CALLER)]
    assert client.get(ROUTE, headers=STREAM).status_code == 503
    other = make_token("*")
    streams.append(client.get(ROUTE, headers=STREAM | other, buffered=False))
    assert streams[-1].status_code == 200
    for stream in streams:
        stream.close()
    with client.get(ROUTE, headers=STREAM, buffered=False) as again:
        assert again.status_code == 200


@pytest.mark.parametrize(
    ("value", "number"), [(None, 0), ("", 0), ("12", 12), ("x", 0), ("-1", 0), ("٣", 0), ("9" * 30, 0)]
)
def test_event_number(value: str | None, number: int) -> None:
    assert parse_event_number(value) == number


def test_an_event_is_one_line_of_data() -> None:
    assert (
        write_event("evento", {"razon": "a\nb"}, number=3)
        == 'id: 3\nevent: evento\ndata: {"razon": "a\\nb"}\n\n'
    )


def add_events(context: ApiContext, share_id: str, count: int) -> None:
    with context.write() as session:
        share = session.get_one(Share, share_id)
        for number in range(count):
            record_change(session, share, reason=Phrase("verbatim", text=f"e{number}"), author="test")


def test_the_newest_events_come_first_and_a_cursor_leads_to_the_others(
    client: FlaskClient, share: str, context: ApiContext
) -> None:
    add_events(context, share, 1203)
    first = client.get(ROUTE).json
    assert [event["razon"] for event in first["eventos"]] == [f"e{number}" for number in range(203, 1203)]
    second = client.get(ROUTE, query_string={"cursor": first["siguiente"]}).json
    assert [event["razon"] for event in second["eventos"]][-1] == "e202"
    assert [event["a"] for event in second["eventos"]][:2] == ["recibido", "preparando"]
    assert (len(second["eventos"]), second["siguiente"]) == (206, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_have_every_event_once(
    client: FlaskClient, share: str, context: ApiContext, limit: int
) -> None:
    add_events(context, share, 4)
    numbers: list[int] = []
    cursor = None
    while True:
        query = {"limite": limit} | ({} if cursor is None else {"cursor": cursor})
        page = client.get(ROUTE, query_string=query).json
        numbers = [event["numero"] for event in page["eventos"]] + numbers
        cursor = page["siguiente"]
        if cursor is None:
            break
    assert numbers == [event["numero"] for event in client.get(ROUTE).json["eventos"]]
    assert len(numbers) == 7


@pytest.mark.parametrize(
    "query",
    [
        {"limite": 0},
        {"limite": 1001},
        {"limite": "x"},
        {"cursor": "x"},
        {"cursor": "9" * 40},
        {"cursor": "٣"},
        {"pagina": 2},
    ],
    ids=str,
)
def test_a_page_that_cannot_be_is_422(client: FlaskClient, share: str, query: dict[str, Any]) -> None:
    assert client.get(ROUTE, query_string=query).status_code == 422


def test_a_cursor_leads_to_no_event_of_an_earlier_share_of_the_id(
    client: FlaskClient, share: str, body: dict[str, Any], move_share: Callable[..., None]
) -> None:
    move_share(share, State.ELIMINANDO, State.ELIMINADO)
    client.post("/tmpftp", json=body)
    page = client.get(ROUTE, query_string={"limite": 1}).json
    assert (len(page["eventos"]), page["siguiente"]) == (1, None)
    assert client.get(ROUTE, query_string={"cursor": page["eventos"][0]["numero"]}).json["eventos"] == []


def test_the_stream_of_an_ended_share_has_all_of_its_events(
    client: FlaskClient, share: str, context: ApiContext, move_share: Callable[..., None]
) -> None:
    add_events(context, share, 1203)
    move_share(share, State.ELIMINANDO, State.ELIMINADO)
    found = [entry for entry in parse(client.get(ROUTE, headers=STREAM).text) if entry["event"] == "evento"]
    assert len(found) == 1208
    assert found[-1]["data"]["a"] == "eliminado"
