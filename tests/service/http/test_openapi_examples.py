"""Sends every example of the OpenAPI document to a service with simulated FTP hosts, and compares the answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.access.tokens import Principal, Role
from tempoftp.hosts.workers import note_worker
from tempoftp.http.openapi import PARAMETERS, load_cases
from tempoftp.previews.previews import ask_preview
from tempoftp.settings import Settings
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.previewer import Previewer
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

SHARE = load_cases()["POST /tmpftp"][0]["request"]
PATH = f"/tmpftp/{SHARE['id']}"
CASES = [
    pytest.param(route, case, id=f"{route} {case['status']}")
    for route, cases in load_cases().items()
    for case in cases
]
Prepare = Callable[[FlaskClient, Callable[[], None]], None]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "ftp_hosts": ("ftp1",),
            "deletion_wait_seconds": 10.0,
            "audit_wait_seconds": 10.0,
            "preview_wait_seconds": 10.0,
        }
    )


@pytest.fixture
def work(app: Flask, settings: Settings) -> Iterator[Callable[[], None]]:
    """Start a worker for the host; it goes on until the test ends."""
    database = app.extensions["tempoftp"].database
    stop = threading.Event()
    provisioner = SimulatedProvisioner(settings.state_dir, run_seconds=0.01)
    runner = HostRunner(settings, database, provisioner, stop.is_set)
    auditor = Auditor(settings, database, provisioner, stop.is_set)
    previewer = Previewer(settings, database, provisioner, stop.is_set)

    def go_on() -> None:
        while not stop.wait(0.05):
            auditor.run_due("ftp1")
            previewer.run_host("ftp1")
            runner.run_host("ftp1")

    thread = threading.Thread(target=go_on)
    yield thread.start
    stop.set()
    with contextlib.suppress(RuntimeError):  # it was never started
        thread.join(30)
    previewer.close()
    runner.close()


def ask(client: FlaskClient, work: Callable[[], None]) -> None:
    assert client.post("/tmpftp", json=SHARE).status_code == 202


def ask_and_wait(client: FlaskClient, work: Callable[[], None], **change: str) -> None:
    work()
    assert client.post("/tmpftp", json=SHARE | change).status_code == 202
    tick = threading.Event()
    for _ in range(600):
        if client.get(PATH).status_code == 200:
            return
        tick.wait(0.05)
    raise AssertionError(client.get(PATH).text)


def be_healthy(client: FlaskClient, work: Callable[[], None]) -> None:
    with client.application.extensions["tempoftp"].write() as session:
        note_worker(session, "here 1")  # this test makes the runs itself
    ask_and_wait(client, work)


def fail(client: FlaskClient, work: Callable[[], None]) -> None:
    ask_and_wait(client, work, ruta="source1:/srv/datos/falla-source_denied")


def delete(client: FlaskClient, work: Callable[[], None]) -> None:
    ask_and_wait(client, work)
    assert client.delete(PATH).status_code == 200


def block(client: FlaskClient, work: Callable[[], None]) -> None:
    ask_and_wait(client, work)
    assert client.post(f"{PATH}/bloquear", json={}).status_code == 200


def ask_for_days(client: FlaskClient, work: Callable[[], None]) -> None:
    ask_and_wait(client, work)
    assert client.post(f"{read_link(client)}/prorroga", json={"dias": 7}).status_code == 200


def read_link(client: FlaskClient) -> str:
    """Make a link and return its path."""
    return str(client.post(f"{PATH}/enlace", json={}).json["enlace"])


def audit(client: FlaskClient, work: Callable[[], None]) -> None:
    work()
    assert client.post("/tmpftp/auditoria", json={}).status_code == 200


def start(client: FlaskClient, work: Callable[[], None]) -> None:
    work()


def ask_for_a_preview(client: FlaskClient, work: Callable[[], None]) -> None:
    context = client.application.extensions["tempoftp"]
    with context.write() as session:
        preview = ask_preview(
            session,
            context.settings,
            SHARE["ruta"],
            Principal("address 127.0.0.1", Role.OPERADOR, None),
            "r1",
        )
        preview.id = PARAMETERS["vista"]


def do_nothing(client: FlaskClient, work: Callable[[], None]) -> None:
    return


TOLD = {"Location", "Retry-After", "WWW-Authenticate", "X-Log-Siguiente", "X-Request-ID"}
"""Headers that clients use: an operation that answers one of them has to document it."""

PREPARE: dict[tuple[str, int], Prepare] = {
    ("GET /tmpftp/{id}", 202): ask,
    ("GET /tmpftp/{id}", 200): ask_and_wait,
    ("GET /tmpftp", 200): ask,
    ("DELETE /tmpftp/{id}", 200): ask_and_wait,
    ("PATCH /tmpftp/{id}", 200): ask_and_wait,
    ("POST /tmpftp/{id}/bloquear", 200): ask_and_wait,
    ("POST /tmpftp/{id}/desbloquear", 200): block,
    ("POST /tmpftp/{id}/reintentar", 202): fail,
    ("POST /tmpftp/{id}/credenciales", 200): ask_and_wait,
    ("POST /tmpftp/{id}/restaurar", 202): delete,
    ("POST /tmpftp/{id}/password", 200): ask_and_wait,
    ("GET /tmpftp/{id}/eventos", 200): ask,
    ("DELETE /tmpftp/user/{ftpuser}", 200): ask_and_wait,
    ("GET /tmpftp/auditoria", 200): audit,
    ("POST /tmpftp/auditoria", 200): start,
    ("POST /tmpftp/vista_previa", 200): start,
    ("GET /tmpftp/vista_previa/{vista}", 202): ask_for_a_preview,
    ("GET /tmpftp/prorrogas", 200): ask_for_days,
    ("POST /tmpftp/{id}/prorroga/aceptar", 200): ask_for_days,
    ("POST /tmpftp/{id}/prorroga/rechazar", 200): ask_for_days,
    ("POST /tmpftp/{id}/enlace", 200): ask,
    ("DELETE /tmpftp/{id}/enlace", 200): ask,
    ("GET /enlace/{token}", 200): ask_and_wait,
    ("POST /enlace/{token}/credenciales", 200): ask_and_wait,
    ("POST /enlace/{token}/password", 200): ask_and_wait,
    ("POST /enlace/{token}/prorroga", 200): ask_and_wait,
    ("GET /health", 200): be_healthy,
}


@pytest.mark.parametrize(("route", "case"), CASES)
def test_an_example(client: FlaskClient, work: Callable[[], None], route: str, case: dict[str, Any]) -> None:
    PREPARE.get((route, case["status"]), do_nothing)(client, work)
    method, path = route.split()
    if "{token}" in path:
        path = path.replace("/enlace/{token}", read_link(client))
    for name, value in PARAMETERS.items():
        path = path.replace(f"{{{name}}}", value)
    answer = client.open(
        path,
        method=method,
        json=case.get("request", {} if method == "POST" else None),
        query_string=case.get("query"),
    )
    assert answer.status_code == case["status"], answer.text
    compare(case["answer"], answer.json, "answer")
    operation = client.get("/openapi.json").json["paths"][route.split()[1]][method.lower()]
    named = set(operation["responses"][str(case["status"])]["headers"])
    assert TOLD.intersection(answer.headers.keys()) <= named


@pytest.mark.parametrize("path", ["/", "/enlace/{token}"])
def test_redirects_of_browsers_are_documented(client: FlaskClient, path: str) -> None:
    answer = client.get(path.replace("{token}", "x.y"), headers={"Accept": "text/html"})
    assert (answer.status_code, "Location" in answer.headers) == (303, True)
    operation = client.get("/openapi.json").json["paths"][path]["get"]
    assert "Location" in operation["responses"]["303"]["headers"]


def compare(example: Any, real: Any, place: str) -> None:
    """The real answer has the keys and types of the example; a value may be null when it is not known yet."""
    if example is None or real is None:
        return
    if isinstance(example, dict):
        assert isinstance(real, dict), place
        assert set(example) == set(real), place
        for key in example:
            compare(example[key], real[key], f"{place}.{key}")
    elif isinstance(example, list):
        assert isinstance(real, list), place
        for one, other in zip(example, real, strict=False):
            compare(one, other, f"{place}[]")
    elif isinstance(example, int | float) and not isinstance(example, bool):
        assert isinstance(real, int | float) and not isinstance(real, bool), place
    else:
        assert type(example) is type(real), place


def test_examples_of_states_and_refusals_are_real_answers(client: FlaskClient) -> None:
    refused = load_cases()["POST /tmpftp"][1]
    assert client.post("/tmpftp", json=refused["request"]).json == refused["answer"]
    assert client.get("/tmpftp/no_hay").json == load_cases()["GET /tmpftp/{id}"][2]["answer"]
