"""`POST /tmpftp/vista_previa` and `GET /tmpftp/vista_previa/{id}`, with what the worker does for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from tempoftp.app import create_app
from tempoftp.db.models import FtpHost, Preview, Share
from tempoftp.http.context import ApiContext
from tempoftp.previews.previews import GIVE_UP_AFTER, KEPT_FOR, WAITING_LIMIT
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.worker.previewer import Previewer
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

PATH = "/tmpftp/vista_previa"
GOES = "source1:/srv/datos/goes"
Worker = Callable[[], Any]


@pytest.fixture
def previewer(context: ApiContext) -> Iterator[Previewer]:
    """The part of the worker that makes previews."""
    provisioner = SimulatedProvisioner(context.settings.state_dir)
    previewer = Previewer(context.settings, context.database, provisioner)
    yield previewer
    previewer.close()


@pytest.fixture
def run_worker(previewer: Previewer) -> Worker:
    """Measure the requested sources while the block runs."""

    @contextmanager
    def running() -> Iterator[None]:
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.02):
                previewer.look()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    return running


@pytest.fixture
def impatient(settings: Settings) -> Iterator[FlaskClient]:
    app: Flask = create_app(settings.model_copy(update={"preview_wait_seconds": 0.0}))
    yield app.test_client()
    app.extensions["tempoftp"].database.close()


def age(context: ApiContext, by: timedelta) -> None:
    with context.write() as session:
        for preview in session.scalars(select(Preview)):
            preview.asked_at -= by
            if preview.answered_at is not None:
                preview.answered_at -= by


def count(context: ApiContext) -> int:
    with context.database.read() as session:
        return session.scalar(select(func.count()).select_from(Preview)) or 0


def test_size_and_space_are_answered(client: FlaskClient, run_worker: Worker) -> None:
    with run_worker():
        answer = client.post(PATH, json={"ruta": "datos.example.org:/srv/datos//goes/"})
    assert answer.status_code == 200
    told = answer.json
    assert told is not None
    assert (told["ruta"], told["estado"], told["error"]) == (
        "lanotadm@source1:/srv/datos/goes",
        "lista",
        None,
    )
    assert told["bytes"] > 0 and told["archivos"] > 0
    assert (told["completa"], told["cabe"], told["falta"]) == (True, True, None)
    assert told["espacio"]["disponible"] <= told["espacio"]["libre"] <= told["espacio"]["total"]
    assert told["mensaje"] == "Cabe en el servidor FTP."
    again = client.get(answer.headers["Location"])
    assert again.status_code == 200
    assert again.json | {"edad_segundos": None} == told | {"edad_segundos": None}


def test_a_preview_creates_no_share(client: FlaskClient, context: ApiContext, run_worker: Worker) -> None:
    with run_worker():
        client.post(PATH, json={"ruta": GOES})
    with context.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Share)) == 0


def test_a_preview_has_the_size_of_the_later_share(client: FlaskClient, run_worker: Worker) -> None:
    from tempoftp.worker.simulated.host import plan_copy

    with run_worker():
        told = client.post(PATH, json={"ruta": GOES}).json
    assert told is not None
    assert told["bytes"] == plan_copy("lanotadm@source1:/srv/datos/goes")["bytes_total"]


def test_a_slow_preview_is_202_and_can_be_polled(impatient: FlaskClient, previewer: Previewer) -> None:
    answer = impatient.post(PATH, json={"ruta": GOES})
    assert answer.status_code == 202
    assert answer.json is not None
    assert (answer.json["estado"], answer.json["bytes"], answer.json["medida_at"]) == (
        "pendiente",
        None,
        None,
    )
    assert int(answer.headers["Retry-After"]) > 0
    place = answer.headers["Location"]
    assert place == f"{PATH}/{answer.json['id']}"
    assert impatient.get(place).status_code == 202
    assert previewer.run_host(HOST) == 1
    later = impatient.get(place)
    assert (later.status_code, later.json and later.json["estado"]) == (200, "lista")


def test_two_requests_at_once_are_one_preview(impatient: FlaskClient, context: ApiContext) -> None:
    first, second = (impatient.post(PATH, json={"ruta": GOES}).json for _ in range(2))
    assert first is not None and second is not None
    assert first["id"] == second["id"]
    assert count(context) == 1


def test_an_answer_of_the_last_minute_is_used_for_others_with_its_age(
    impatient: FlaskClient,
    previewer: Previewer,
    context: ApiContext,
    make_token: Callable[..., dict[str, str]],
) -> None:
    impatient.post(PATH, json={"ruta": GOES})
    previewer.run_host(HOST)
    mine = impatient.post(PATH, json={"ruta": GOES})  # the answer of the first request, not told yet
    age(context, timedelta(seconds=40))
    others = [make_token("alguien@dominio", name=name) for name in ("otra", "tarde")]
    other = impatient.post(PATH, json={"ruta": GOES}, headers=others[0])
    assert (mine.status_code, other.status_code) == (200, 200)
    assert mine.json is not None and other.json is not None
    assert mine.json["id"] != other.json["id"], "a preview is of one asker"
    assert mine.json["bytes"] == other.json["bytes"]
    assert (mine.json["edad_segundos"] < 30, other.json["edad_segundos"] >= 40) == (True, True)
    assert previewer.run_host(HOST) == 0
    age(context, timedelta(seconds=21))
    assert impatient.post(PATH, json={"ruta": GOES}, headers=others[1]).status_code == 202


def test_who_has_seen_an_answer_and_asks_again_has_it_measured_again(
    impatient: FlaskClient, previewer: Previewer, make_token: Callable[..., dict[str, str]]
) -> None:
    """Also who polled for it, and also when the answer was somebody else's."""
    other = make_token("alguien@dominio")
    place = impatient.post(PATH, json={"ruta": GOES}).headers["Location"]
    previewer.run_host(HOST)
    first = impatient.get(place).json
    assert impatient.post(PATH, json={"ruta": GOES}, headers=other).status_code == 200
    assert impatient.post(PATH, json={"ruta": GOES}, headers=other).status_code == 202
    second = impatient.post(PATH, json={"ruta": GOES})
    assert second.status_code == 202
    assert second.json["id"] != first["id"]
    assert previewer.run_host(HOST) == 1
    assert impatient.get(second.headers["Location"]).json["medida_at"] >= first["medida_at"]


@pytest.mark.parametrize(("name", "empty"), [("vacia", True), ("vacia_2", True), ("goes", False)])
def test_a_source_without_a_file_is_told_before_and_when_it_is_asked_for(
    client: FlaskClient, run_worker: Worker, body: dict[str, Any], name: str, empty: bool
) -> None:
    ruta = f"source1:/srv/datos/{name}"
    with run_worker():
        told = client.post(PATH, json={"ruta": ruta}).json
    warnings = ["source_empty"] if empty else []
    assert [warning["codigo"] for warning in told.get("advertencias", [])] == warnings
    answer = client.post("/tmpftp", json=body | {"ruta": f"lanotadm@{ruta}/"})
    assert answer.status_code == 202
    assert [warning["codigo"] for warning in answer.json.get("advertencias", [])] == warnings


def test_two_callers_of_one_source_cause_one_measurement(
    impatient: FlaskClient, previewer: Previewer, make_token: Callable[..., dict[str, str]]
) -> None:
    headers = make_token("alguien@dominio")
    impatient.post(PATH, json={"ruta": GOES})
    other = impatient.post(PATH, json={"ruta": GOES}, headers=headers)
    assert previewer.run_host(HOST) == 1
    assert impatient.get(other.headers["Location"], headers=headers).status_code == 200


def test_other_callers_do_not_see_the_preview(
    client: FlaskClient, make_token: Callable[..., dict[str, str]]
) -> None:
    mine, other = (make_token("alguien@dominio", name=name) for name in ("mia", "otra"))
    client.application.extensions["tempoftp"].waiting_slots._value = 0
    place = client.post(PATH, json={"ruta": GOES}, headers=mine).headers["Location"]
    assert client.get(place, headers=mine).status_code == 202
    for headers in (other, {}):
        answer = client.get(place, headers=headers)
        assert answer.status_code == 404, "not even an operator"
        assert answer.json is not None and answer.json["title"] == "Vista previa no encontrada"


@pytest.mark.parametrize("preview_id", ["0" * 32, "x", "%00", "a" * 300, "eventos"])
def test_unknown_ids_are_not_found(client: FlaskClient, preview_id: str) -> None:
    assert client.get(f"{PATH}/{preview_id}").status_code == 404


@pytest.mark.parametrize(
    ("ruta", "error"),
    [
        ("falla-source_not_found", "source_not_found"),
        ("falla-source_denied", "source_denied"),
        ("falla-source_unreachable", "source_unreachable"),
    ],
)
def test_failures_are_answered_and_not_reused(
    impatient: FlaskClient, previewer: Previewer, ruta: str, error: str
) -> None:
    body = {"ruta": f"source1:/srv/datos/{ruta}"}
    place = impatient.post(PATH, json=body).headers["Location"]
    previewer.run_host(HOST)
    answer = impatient.get(place)
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["estado"], answer.json["error"], answer.json["cabe"]) == ("error", error, None)
    assert "Detalle:" in answer.json["mensaje"]
    assert previewer.run_host(HOST) == 0, "the answered preview is not measured again"
    assert impatient.post(PATH, json=body).status_code == 202, "a new request measures the source again"


def test_a_source_that_does_not_fit_is_reported(impatient: FlaskClient, previewer: Previewer) -> None:
    place = impatient.post(PATH, json={"ruta": "source1:/srv/datos/enorme"}).headers["Location"]
    previewer.run_host(HOST)
    told = impatient.get(place).json
    assert told is not None
    assert (told["estado"], told["cabe"], told["falta"]) == ("lista", False, "too_large")
    assert "pida menos" in told["mensaje"]


def test_an_incomplete_count_is_reported(impatient: FlaskClient, previewer: Previewer) -> None:
    place = impatient.post(PATH, json={"ruta": "source1:/srv/datos/lento"}).headers["Location"]
    previewer.run_host(HOST)
    told = impatient.get(place).json
    assert told is not None
    assert (told["completa"], told["cabe"]) == (False, None)
    assert "al menos" in told["mensaje"]


def test_a_paused_host_is_not_asked_and_the_request_does_not_wait(
    client: FlaskClient, context: ApiContext, previewer: Previewer
) -> None:
    with context.write() as session:
        session.add(FtpHost(name=HOST, paused=True))
    answer = client.post(PATH, json={"ruta": GOES})
    assert answer.status_code == 202
    assert answer.json is not None and "en pausa" in answer.json["mensaje"]
    assert previewer.run_host(HOST) == 0


def test_a_preview_without_a_worker_is_given_up(
    impatient: FlaskClient, previewer: Previewer, context: ApiContext
) -> None:
    place = impatient.post(PATH, json={"ruta": GOES}).headers["Location"]
    age(context, GIVE_UP_AFTER)
    assert previewer.run_host(HOST) == 0
    answer = impatient.get(place)
    assert answer.json is not None
    assert (answer.status_code, answer.json["error"]) == (200, "run_timeout")


def test_a_preview_is_deleted_after_a_day(
    impatient: FlaskClient, previewer: Previewer, context: ApiContext
) -> None:
    place = impatient.post(PATH, json={"ruta": GOES}).headers["Location"]
    age(context, KEPT_FOR)
    assert impatient.get(place).status_code == 404
    previewer.look()
    assert count(context) == 0


def test_waiting_previews_of_a_caller_are_limited(
    impatient: FlaskClient, make_token: Callable[..., dict[str, str]]
) -> None:
    for number in range(WAITING_LIMIT):
        assert impatient.post(PATH, json={"ruta": f"{GOES}/{number}"}).status_code == 202
    refused = impatient.post(PATH, json={"ruta": f"{GOES}/more"})
    assert refused.status_code == 429
    assert "Retry-After" in refused.headers
    other = make_token("alguien@dominio")
    assert impatient.post(PATH, json={"ruta": f"{GOES}/more"}, headers=other).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ruta": "source2:/srv/datos/goes"}, 403),
        ({"ruta": "root@source1:/srv/datos/goes"}, 403),
        ({"ruta": "source1:/etc"}, 403),
        ({"ruta": "source1:/srv/datos/../x"}, 422),
        ({"ruta": "10.0.0.1:/srv/datos"}, 403),
        ({"ruta": "-oProxyCommand=x:/y"}, 422),
        ({"ruta": 7}, 422),
        ({}, 422),
        ({"ruta": GOES, "usuario": "alguien@dominio"}, 422),
    ],
)
def test_a_source_that_is_not_allowed_is_refused(
    client: FlaskClient, context: ApiContext, body: dict[str, Any], status: int
) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code == status
    assert count(context) == 0


def test_unknown_callers_are_refused(client: FlaskClient) -> None:
    bad = {"Authorization": "Bearer nobody"}
    assert client.post(PATH, json={"ruta": GOES}, headers=bad).status_code == 401
    assert client.get(f"{PATH}/{'0' * 32}", headers=bad).status_code == 401


def test_it_is_measured_for_the_host_where_the_share_would_go(
    settings: Settings,
    context: ApiContext,
    make_token: Callable[..., dict[str, str]],
    body: dict[str, Any],
) -> None:
    app = create_app(settings.model_copy(update={"ftp_hosts": ("a", "b"), "preview_wait_seconds": 0.0}))
    client = app.test_client()
    client.post("/tmpftp", json=body)
    with context.write() as session:
        home = session.scalars(select(Share.ftp_host)).one()
        roomy = "b" if home == "a" else "a"
        session.add(FtpHost(name=roomy, paused=False, facts={"space_free": 10**12}))
    client.post(PATH, json={"ruta": GOES}, headers=make_token("alguien@dominio", name="one"))
    client.post(PATH, json={"ruta": GOES}, headers=make_token("otra@dominio", name="two"))
    with context.database.read() as session:
        hosts = {row.asker: row.ftp_host for row in session.scalars(select(Preview))}
    assert hosts == {"one": home, "two": roomy}
    app.extensions["tempoftp"].database.close()


def test_the_claim_of_a_dead_worker_expires(
    impatient: FlaskClient, previewer: Previewer, context: ApiContext
) -> None:
    from tempoftp.previews.previews import claim_previews

    impatient.post(PATH, json={"ruta": GOES})
    with context.write() as session:
        assert len(claim_previews(session, context.settings, HOST, "dead")) == 1
    assert previewer.run_host(HOST) == 0
    with context.write() as session:
        session.execute(update(Preview).values(lease_until=Preview.asked_at))
    assert previewer.run_host(HOST) == 1
