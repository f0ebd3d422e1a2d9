"""`GET /metrics`: what it answers, and what it must never contain."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from tempoftp.access.tokens import Role
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Notice, Share
from tempoftp.notices.deliveries import Channel, claim_delivery, fan_out, mark_failed
from tempoftp.shares.notices import Kind
from tempoftp.states import State
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"
DOCUMENT = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text(encoding="utf-8")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def scrape(client: FlaskClient) -> Callable[[], Samples]:
    def read() -> Samples:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain; version=0.0.4")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return read


@pytest.fixture
def run(context, settings) -> Callable[[], None]:
    """One run of the worker for the simulated host."""

    def run_host() -> None:
        runner = HostRunner(settings, context.database, SimulatedProvisioner(settings.state_dir))
        runner.run_host("simulado")
        runner.close()

    return run_host


def get(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_an_empty_service_shows_every_state_and_class_with_zero(scrape) -> None:
    samples = scrape()
    assert {get(samples, "tempoftp_shares", state=state.value) for state in State} == {0}
    assert get(samples, "tempoftp_shares_failing", **{"class": "source_unreachable"}) == 0
    assert get(samples, "tempoftp_oldest_share_age_seconds", state="traslado") == 0
    assert get(samples, "tempoftp_queue_shares") == 0


def test_a_share_before_and_after_its_delivery(client: FlaskClient, body, scrape, run, context) -> None:
    body["ruta"] = "source1:/srv/datos/tarda-600"
    client.post("/tmpftp", json=body)
    assert get(scrape(), "tempoftp_shares", state="recibido") == 1
    assert get(scrape(), "tempoftp_queue_shares") == 1
    run()
    with context.database.write() as session:
        session.execute(update(Share).values(bytes_done=1000))
    samples = scrape()
    share = client.get(f"/tmpftp/{body['id']}").json
    assert get(samples, "tempoftp_shares", state="traslado") == 1
    assert get(samples, "tempoftp_ftp_host_copied_bytes", ftp_host="simulado") == 1000
    assert (
        get(samples, "tempoftp_ftp_host_copy_left_bytes", ftp_host="simulado")
        == share["progreso"]["total"] - 1000
    )
    rate = get(samples, "tempoftp_ftp_host_copy_bytes_per_second", ftp_host="simulado")
    assert rate == pytest.approx(share["progreso"]["velocidad"])
    assert get(samples, "tempoftp_oldest_share_age_seconds", state="traslado") > 0
    assert get(samples, "tempoftp_ftp_host_space_bytes", ftp_host="simulado") == 1e12


def test_a_delivered_share(client: FlaskClient, body, scrape, run) -> None:
    body["ruta"] = "source1:/srv/datos/tarda-0"
    client.post("/tmpftp", json=body)
    run()
    samples, share = scrape(), client.get(f"/tmpftp/{body['id']}").json
    assert share["status"] == "listo"
    assert get(samples, "tempoftp_shares", state="listo") == 1
    assert (
        get(samples, "tempoftp_ftp_host_delivered_bytes", ftp_host="simulado") == share["progreso"]["total"]
    )
    assert get(samples, "tempoftp_accounts", origin="created") == 1
    labels = {"ftp_host": "simulado", "kind": "shares", "outcome": "done"}
    assert get(samples, "tempoftp_run_duration_seconds_count", **labels) == 1
    assert get(samples, "tempoftp_run_duration_seconds_bucket", **labels, le="+Inf") == 1
    assert get(samples, "tempoftp_run_duration_seconds_sum", **labels) > 0.1
    assert get(samples, "tempoftp_run_shares_total", **labels) == 1


def test_failures_are_counted_by_class(client: FlaskClient, body, scrape, run) -> None:
    body["ruta"] = "source1:/srv/datos/falla-source_denied"
    client.post("/tmpftp", json=body)
    run()
    samples = scrape()
    assert get(samples, "tempoftp_shares_failing", **{"class": "source_denied"}) == 1
    assert get(samples, "tempoftp_shares", state="error") == 1


def test_overdue_endings_are_counted(client: FlaskClient, body, scrape, move_share) -> None:
    client.post("/tmpftp", json=body)
    long_ago = utc_now() - timedelta(days=2000)
    move_share(body["id"], State.LISTO, expires=long_ago)
    assert get(scrape(), "tempoftp_shares_overdue", kind="expired") == 1
    move_share(body["id"], State.EXPIRANDO, state_changed_at=long_ago)
    samples = scrape()
    assert get(samples, "tempoftp_shares_overdue", kind="ending") == 1
    assert get(samples, "tempoftp_oldest_share_age_seconds", state="expirando") > 1e8


def test_requests_are_counted_by_route_and_status(client: FlaskClient, scrape) -> None:
    for share_id in ("a", "b"):
        client.get(f"/tmpftp/{share_id}")
    client.get("/nada/de/nada")
    client.open("/", method="BREW")
    samples = scrape()
    name = "tempoftp_http_request_duration_seconds_count"
    assert get(samples, name, method="GET", route="/tmpftp/{id}", status="404") == 2
    assert get(samples, name, method="GET", route="other", status="404") == 1
    assert get(samples, name, method="other", route="other", status="405") == 1


def test_no_personal_data_is_in_it(client: FlaskClient, body, run) -> None:
    for number, route in enumerate(("tarda-600", "tarda-0", "falla-source_denied", "existe")):
        client.post(
            "/tmpftp",
            json=body
            | {
                "id": f"secreto{number}",
                "usuario": f"victima{number}@dominio",
                "ruta": f"source1:/srv/datos/{route}",
            },
        )
    run()
    client.get("/tmpftp/secreto1")
    text = client.get("/metrics").text
    for private in ("secreto", "victima", "dominio", "/srv", "/data", "gAAAA", "ftp_victima"):
        assert private not in text


@pytest.mark.parametrize(
    ("headers", "status"), [({"Authorization": "Bearer nada"}, 401), ("cliente", 403), ("operador", 200)]
)
def test_is_for_operators(client: FlaskClient, make_token, headers: Any, status: int) -> None:
    if isinstance(headers, str):
        headers = make_token(*(["*"] if headers == "cliente" else []), role=Role(headers))
    assert client.get("/metrics", headers=headers).status_code == status


def read_names(client: FlaskClient) -> set[str]:
    """Every series that a query may name, also those of metrics without a value yet."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", client.get("/metrics").text, re.MULTILINE):
        names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


def find_names(expression: str) -> set[str]:
    return set(re.findall(r"\btempoftp_\w+", expression))


def test_alert_rules_query_existing_metrics(client: FlaskClient) -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) > 5
    for rule in alerts:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert find_names(rule["expr"])
        assert find_names(rule["expr"]) - read_names(client) == set()
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label in ("ftp_host", "class", "kind", "state", "channel"), label


def test_the_dashboard_queries_existing_metrics(client: FlaskClient) -> None:
    board = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["title"] and panel["targets"] and set(panel["gridPos"]) == {"h", "w", "x", "y"}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            assert find_names(target["expr"]), panel["title"]
            assert find_names(target["expr"]) - read_names(client) == set(), panel["title"]


def test_every_metric_is_documented_and_every_documented_one_exists(client: FlaskClient) -> None:
    families = set(re.findall(r"^# TYPE (\S+) ", client.get("/metrics").text, re.MULTILINE))
    documented = set(re.findall(r"^\| `(tempoftp_\w+)", DOCUMENT, re.MULTILINE))
    assert documented == families


def test_notices_are_counted_by_channel_and_state(context, client, body, move_share, scrape) -> None:
    assert not [name for name, _labels in scrape() if name.startswith("tempoftp_notice")]
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.LISTO)
    channels = [Channel("correo", frozenset(Kind)), Channel("portal", frozenset(Kind))]
    with context.write() as session:
        fan_out(session, channels, retry_hours=1)
        session.execute(update(Notice).values(at=utc_now() - timedelta(minutes=5)))
    with context.write() as session:
        claimed = claim_delivery(session, "portal", "lease", lease_seconds=60)
        assert claimed is not None
        mark_failed(session, claimed, "nobody there", refused=True)
    samples = scrape()
    assert get(samples, "tempoftp_notice_deliveries", channel="correo", state="pending") == 1
    assert get(samples, "tempoftp_notice_deliveries", channel="correo", state="sent") == 0
    assert get(samples, "tempoftp_notice_deliveries", channel="portal", state="refused") == 1
    assert get(samples, "tempoftp_notice_oldest_age_seconds", channel="correo") == pytest.approx(300, abs=30)
    assert get(samples, "tempoftp_notice_oldest_age_seconds", channel="portal") == 0
