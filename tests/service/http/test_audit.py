"""`GET` and `POST /tmpftp/auditoria`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.app import create_app
from tempoftp.audits.audits import request_audits
from tempoftp.db.clock import utc_now
from tempoftp.db.models import HostAudit, Share
from tempoftp.http.context import ApiContext
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.worker.auditor import Auditor
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

PATH = "/tmpftp/auditoria"


@pytest.fixture
def auditor(context: ApiContext) -> Auditor:
    """The part of the worker that makes audits."""
    return Auditor(context.settings, context.database, SimulatedProvisioner(context.settings.state_dir))


@pytest.fixture
def run_worker(auditor: Auditor) -> Callable[[], Any]:
    """Make the requested audits while the block runs."""

    @contextmanager
    def running() -> Iterator[None]:
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.02):
                auditor.run_due(HOST)

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
    app: Flask = create_app(settings.model_copy(update={"audit_wait_seconds": 0.0}))
    yield app.test_client()
    app.extensions["tempoftp"].database.close()


def test_before_the_first_audit(client: FlaskClient) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["estado"], answer.json["total"]) == ("sin_auditar", 0)
    assert answer.json["hosts"][HOST]["auditado_at"] is None


def test_a_post_makes_an_audit_and_answers_it(client: FlaskClient, run_worker: Callable[[], Any]) -> None:
    with run_worker():
        answer = client.post(PATH, json={})
    assert (answer.status_code, answer.json and answer.json["estado"]) == (200, "limpio")
    assert answer.json is not None
    host = answer.json["hosts"][HOST]
    assert host["edad_segundos"] <= 5
    assert host["cuentas"] == {"shares": 0, "operator_shares": 0, "ended": 0, "accounts": 0}
    again = client.get(PATH)
    assert again.json is not None and again.json["hosts"][HOST]["auditado_at"] == host["auditado_at"]


def test_a_get_asks_for_no_audit(client: FlaskClient, context: ApiContext) -> None:
    for query in ("?ahora=true", "?ahora=1", "?reparar=true", "?ahora=true&reparar=true"):
        assert client.get(f"{PATH}{query}").status_code == 422
    client.get(PATH)
    with context.database.read() as session:
        assert not [audit for audit in session.query(HostAudit) if audit.requested_at is not None]


def test_without_a_worker_the_audit_is_pending(impatient: FlaskClient, auditor: Auditor) -> None:
    answer = impatient.post(PATH, json={"reparar": True})
    assert (answer.status_code, answer.json and answer.json["estado"]) == (202, "pendiente")
    assert int(answer.headers["Retry-After"]) > 0
    assert impatient.get(PATH).status_code == 202
    auditor.run_due(HOST)
    assert impatient.get(PATH).status_code == 200


def test_findings_are_listed_and_repaired(
    client: FlaskClient,
    context: ApiContext,
    body: dict[str, Any],
    move_share: Callable[..., None],
    run_worker: Callable[[], Any],
) -> None:
    from tempoftp.states import State

    client.post("/tmpftp", json=body)
    past = utc_now() - timedelta(days=365)
    move_share(body["id"], State.PREPARANDO, due_at=None)
    with context.write() as session:
        share = session.get_one(Share, body["id"])
        share.state_changed_at = share.wished_at = past
    with run_worker():
        seen = client.post(PATH, json={}).json
        repaired = client.post(PATH, json={"reparar": True}).json
    assert seen is not None and repaired is not None
    (finding,) = seen["hosts"][HOST]["hallazgos"]
    assert (finding["kind"], finding["subject"], finding["repair"], finding["repaired"]) == (
        "row_not_due",
        body["id"],
        "safe",
        False,
    )
    assert (seen["estado"], seen["total"]) == ("hallazgos", 1)
    assert (repaired["estado"], repaired["total"]) == ("limpio", 0)
    assert repaired["hosts"][HOST]["hallazgos"][0]["repaired"] is True


def test_a_held_host_says_why(client: FlaskClient, context: ApiContext, auditor: Auditor) -> None:
    with context.write() as session:
        request_audits(session, context.settings, author="a")
        session.get_one(HostAudit, HOST).requested_at = None
        session.get_one(HostAudit, HOST).stale_since = utc_now()
        session.get_one(HostAudit, HOST).stale_reason = "newer there"
    answer = client.get(PATH).json
    assert answer is not None
    assert (answer["estado"], answer["hosts"][HOST]["retenido"]["razon"]) == ("retenido", "newer there")
    auditor.run_due(HOST)
    assert client.get(PATH).json["estado"] == "limpio"  # type: ignore[index]


def test_tras_restaurar_is_passed_to_the_audit(impatient: FlaskClient, context: ApiContext) -> None:
    impatient.post(PATH, json={"tras_restaurar": True})
    with context.database.read() as session:
        row = session.get_one(HostAudit, HOST)
    assert (row.restore, row.repair) == (True, False)


def test_a_body_may_be_empty(impatient: FlaskClient) -> None:
    assert impatient.post(PATH, json={}).status_code == 202


@pytest.mark.parametrize("wrong", [{"borrar": True}, {"reparar": "si"}, {"reparar": 1}])
def test_other_bodies_are_refused(client: FlaskClient, wrong: dict[str, Any]) -> None:
    assert client.post(PATH, json=wrong).status_code == 422
    assert client.get(f"{PATH}?borrar=1").status_code == 422
