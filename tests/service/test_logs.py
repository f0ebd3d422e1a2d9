"""The log: one event a line, as text or JSON, and nothing that can be taken for another event."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tempoftp.access.tokens import Role, create_token
from tempoftp.app import create_app
from tempoftp.http.request_id import RequestIdFilter
from tempoftp.logs import build_log_config
from tempoftp.worker.run_host import HostRunner

FILTER = f"{RequestIdFilter.__module__}.{RequestIdFilter.__name__}"


@pytest.fixture
def configure() -> Iterator[None]:
    """Apply a configuration, and take it back."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    def apply(log_format: str, **options: str) -> None:
        logging.config.dictConfig(build_log_config("INFO", log_format, **options))

    yield apply
    root.setLevel(before[0])
    root.handlers = before[1]
    for name in ("gunicorn.error", "gunicorn.access", "alembic", "tempoftp.http.measuring"):
        logging.getLogger(name).handlers, logging.getLogger(name).filters = [], []
        logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger(name).propagate = True


@pytest.fixture
def client(settings, database) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["tempoftp"].database.close()


def test_text_has_the_values_after_the_event(configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("text")
    logging.getLogger("a").info(
        "run %s", "starts", extra={"run": "r1", "requests": ["x", "y"], "shares": 2, "class": None}
    )
    assert (
        capsys.readouterr()
        .err.rstrip()
        .endswith("INFO a [-] run starts run=r1 requests=x,y shares=2 class=-")
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_value_cannot_forge_a_line(configure, capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure(log_format)
    logging.getLogger("a").info("event", extra={"task": 'x\n2026-01-01 INFO a "false" run=r2'})
    (line,) = capsys.readouterr().err.splitlines()
    assert "\\n2026-01-01" in line


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028"])
def test_an_event_with_the_words_of_another_program_is_one_line(
    configure, capsys: pytest.CaptureFixture[str], log_format: str, end: str
) -> None:
    configure(log_format)
    logging.getLogger("a").warning(
        "run failed: %s", f"x{end}2026-01-01 INFO a [-] run ends", extra={"b": end}
    )
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    if log_format == "text":
        assert end not in text.rstrip("\n")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "Invalid request from ip=::1: Invalid HTTP request line: 'GET /enlace/secreto'",
            "Invalid request from ip=::1: Invalid HTTP request line",
        ),
        (
            "Invalid request from ip=10.0.0.1: Invalid HTTP Header: 'Authorization Bearer secreto'",
            "Invalid request from ip=10.0.0.1: Invalid HTTP Header",
        ),
        ("Error handling request GET /enlace/secreto", "Error handling request"),
        (
            "Ignored premature client disconnection. No more data after: b'GET /enlace/secreto'",
            "Ignored premature client disconnection",
        ),
    ],
)
def test_the_servers_own_lines_repeat_nothing_of_a_request(
    configure, capsys: pytest.CaptureFixture[str], said: str, kept: str
) -> None:
    configure("text")
    logging.getLogger("gunicorn.error").warning("%s", said)
    line = capsys.readouterr().err
    assert line.rstrip().endswith(kept)
    assert "secreto" not in line


def test_json_is_one_object_a_line_also_with_a_traceback(
    configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json")
    try:
        raise ValueError("mañana")
    except ValueError:
        logging.getLogger("a").exception("broke", extra={"run": "r1"})
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["logger"], event["run"]) == ("broke", "ERROR", "a", "r1")
    assert event["request_id"] == "-"
    assert event["time"].endswith("+00:00")
    assert "ValueError: mañana" in event["exc_info"]


def test_a_request_can_be_followed_from_the_api_to_the_run(
    configure,
    capsys: pytest.CaptureFixture[str],
    client: FlaskClient,
    database,
    runner: HostRunner,
    ftp_host: str,
) -> None:
    configure("json", request_filter=FILTER)
    with database.write() as session:
        token = create_token(session, "portal", Role.CLIENTE, ["*"])
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "sigue-1"}
    body = {"usuario": "alguien@dominio", "id": "p1", "ruta": "source1:/srv/datos/tarda-0"}
    client.post("/tmpftp", json=body, headers=headers)
    access = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert access.pop("ms") > 0
    assert access.pop("time")
    assert access == {
        "level": "INFO",
        "logger": "tempoftp.http.measuring",
        "event": "request",
        "method": "POST",
        "route": "/tmpftp",
        "status": 202,
        "caller": "portal",
        "address": "127.0.0.1",
        "request_id": "sigue-1",
    }
    configure("json")
    runner.run_host(ftp_host)
    text = capsys.readouterr().err
    events = {event["event"]: event for event in map(json.loads, text.splitlines())}
    assert events["run starts"]["requests"] == ["sigue-1"]
    moved = events["share moved on"]
    assert (moved["request_id"], moved["share"], moved["state"]) == ("sigue-1", "p1", "listo")
    assert moved["run"] == events["run starts"]["run"] == events["run ends"]["run"]
    assert token not in text


def test_neither_path_nor_query_is_in_the_access_line(
    configure, capsys: pytest.CaptureFixture[str], client: FlaskClient
) -> None:
    configure("text", request_filter=FILTER)
    client.get("/tmpftp/privado?token=privado")
    client.get("/enlace/privado")
    lines = capsys.readouterr().err.splitlines()
    assert "GET" in lines[0] and "route=/tmpftp/{id}" in lines[0] and "status=401" in lines[0]
    assert "route=/enlace/{token} status=404" in lines[1]
    assert "privado" not in "".join(lines)
