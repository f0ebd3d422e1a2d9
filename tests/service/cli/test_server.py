from __future__ import annotations

import concurrent.futures
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))


@pytest.fixture
def http(service):
    headers = {"Authorization": f"Bearer {service.environ['TEMPOFTP_TOKEN']}"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def test_answers_match_the_seed(http) -> None:
    body = {
        "usuario": "sirve@dominio",
        "id": "sirve_1",
        "ruta": "lanotadm@source1:/srv/datos/goes",
        "vigencia": 3,
    }
    answer = http.post("/tmpftp", json=body)
    assert (answer.status_code, answer.json()) == (202, {"id": "sirve_1", "status": "recibido"})


def test_the_log_has_each_request_with_its_id_and_cannot_be_forged(http, service) -> None:
    http.get("/tmpftp/a%0a2026-01-01 INFO falsa", headers={"X-Request-ID": "bitacora-1"})
    deadline = time.monotonic() + 10
    found: list[str] = []
    while not found and time.monotonic() < deadline:  # the line is written after the answer
        lines = (service.state_dir.parent / "log").read_text().splitlines()
        found = [line for line in lines if "[bitacora-1]" in line]
    assert len(found) == 1
    assert "route=/tmpftp/{id} status=404" in found[0]
    assert not any(line.startswith("2026-01-01 INFO falsa") for line in lines)


def test_several_processes_count_their_requests_together(
    tmp_path: Path, make_environ, wait_for_answer
) -> None:
    environ = make_environ(tmp_path)
    url = environ["TEMPOFTP_URL"] = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
    headers = {"Authorization": f"Bearer {environ['TEMPOFTP_TOKEN']}", "Connection": "close"}
    count = 'tempoftp_http_request_duration_seconds_count{method="GET",route="/",status="200"} '
    with (tmp_path / "log").open("w") as log:
        command = [TEMPOFTP, "serve", "--workers", "2"]
        with subprocess.Popen(command, env=environ, stdout=log, stderr=log) as process:
            try:
                wait_for_answer(f"{url}/", [process], tmp_path / "log")
                for _ in range(40):
                    httpx.get(url, headers=headers, trust_env=False)
                seen = set()
                for _ in range(10):
                    lines = httpx.get(f"{url}/metrics", headers=headers, trust_env=False).text.splitlines()
                    seen |= {line.removeprefix(count) for line in lines if line.startswith(count)}
            finally:
                process.terminate()
    assert len(seen) == 1
    assert float(seen.pop()) >= 40


@pytest.mark.parametrize("size", [17_000, 40_000])
def test_a_head_that_is_too_long_is_refused(http, size: int) -> None:
    assert http.get("/" + "a" * size).status_code == 414
    assert http.get("/", headers={"X-Long": "a" * size}).status_code == 431


@pytest.mark.parametrize(
    "name",
    ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "X-Forwarded-Prefix", "X-Script-Name", "X_Forwarded_Prefix"],
)
def test_no_header_moves_the_service(http, name: str) -> None:
    """gunicorn believes SCRIPT_NAME and PATH_INFO from loopback."""
    answer = http.get("/", headers={name: "/mal", "Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portal/")


def test_a_body_of_50_mb_is_refused_without_being_read(http) -> None:
    answer = http.post("/tmpftp", content=b"x" * 50_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert http.get("/").status_code == 200


def test_a_body_in_chunks_is_limited_too(http) -> None:
    def pour():
        for _ in range(1000):
            yield b" " * 1000

    answer = http.post("/tmpftp", content=pour(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_the_api_survives_bytes_that_are_not_http(http, service) -> None:
    address = ("127.0.0.1", int(service.url.rsplit(":", 1)[1]))
    for raw in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(address, timeout=10) as sock:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert b"Traceback" not in answer
        assert not answer.startswith(b"HTTP/1.1 200")
    assert http.get("/").status_code == 200


def test_the_log_repeats_no_secret_of_a_request(tmp_path: Path, make_environ, wait_for_answer) -> None:
    """Also with debug logging, and for requests that it cannot parse: a link in a path, a token in a broken header."""
    environ = make_environ(tmp_path, TEMPOFTP_LOG_LEVEL="DEBUG")
    url, address = (
        f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}",
        ("127.0.0.1", int(environ["TEMPOFTP_PORT"])),
    )
    secret = "cadena-que-nadie-debe-leer"
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen([TEMPOFTP, "serve"], env=environ, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for_answer(f"{url}/", [process], tmp_path / "log")
            for path in (f"/enlace/{secret}", f"/portal/enlace/{secret}", f"/nada?ficha={secret}"):
                assert httpx.get(url + path, trust_env=False).status_code == 404
            for raw in (
                f"GET /enlace/{secret} HTTP\r\n\r\n",
                f"GET / HTTP/1.1\r\nAuthorization Bearer {secret}\r\n\r\n",
                f"GET /enlace/{secret} HTTP/1.1\r\nHost: aqu",
            ):
                with socket.create_connection(address, timeout=10) as sock:
                    sock.sendall(raw.encode())
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(4096):
                        pass
        finally:
            process.terminate()
    text = (tmp_path / "log").read_text()
    assert text.count("Invalid request from ip=127.0.0.1") == 2
    assert "route=/enlace/{token} status=404" in text
    assert "DEBUG gunicorn.error" in text
    assert secret not in text


def test_a_waiting_deletion_does_not_block_other_requests(tempoftp, http, service) -> None:
    ids = [f"alavez_{number}" for number in range(6)]
    for share_id in ids:
        body = {"usuario": f"{share_id}@dominio", "id": share_id, "ruta": "source1:/srv/datos/tarda-600"}
        assert http.post("/tmpftp", json=body).status_code == 202
    with concurrent.futures.ThreadPoolExecutor(len(ids)) as pool:
        deletions = list(pool.map(lambda share_id: http.delete(f"/tmpftp/{share_id}"), ids))
    assert [(answer.status_code, answer.json()["status"]) for answer in deletions] == [
        (200, "deleted")
    ] * len(ids)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "ftp.example.org"])
def test_refuses_to_listen_for_others_without_tls(tempoftp_alone, bind: str) -> None:
    ended = tempoftp_alone("serve", "--bind", bind)
    assert ended.code == 2
    assert "TEMPOFTP_BIND" in ended.err
    assert "TEMPOFTP_TLS_CERTIFICATE" in ended.err or "not appear to be" in ended.err


def test_the_log_has_no_token(http, service) -> None:
    token = service.environ["TEMPOFTP_TOKEN"]
    assert http.get("/tmpftp", headers={"X-Request-ID": "bitacora-2"}).status_code == 200
    assert http.get("/tmpftp", params={"token": "x"}).status_code == 422
    log = service.state_dir.parent / "log"
    deadline = time.monotonic() + 10
    while "[bitacora-2]" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "[bitacora-2]" in log.read_text()
    assert token not in log.read_text()
    for path in (path for path in service.state_dir.rglob("*") if path.is_file()):
        assert token.encode() not in path.read_bytes(), path


def test_refuses_an_unknown_setting(tempoftp_alone) -> None:
    ended = tempoftp_alone("serve", TEMPOFTP_PUERTO="9043")
    assert ended.code == 2
    assert "TEMPOFTP_PUERTO" in ended.err


def test_the_worker_refuses_settings_without_a_key(tempoftp_alone) -> None:
    ended = tempoftp_alone("worker", TEMPOFTP_ENCRYPTION_KEY=None)
    assert ended.code == 2
    assert "TEMPOFTP_ENCRYPTION_KEY is required" in ended.err


def test_the_worker_carries_out_a_request(tempoftp) -> None:
    """The worker of the running service; its stop with exit code 0 is asserted by the fixture."""
    assert tempoftp("request", "obra@dominio", "obra_1", "source1:/srv/datos/tarda-0", "--watch").code == 0


def test_the_worker_refuses_webhooks_that_everybody_can_read(tempoftp_alone, tmp_path) -> None:
    path = tmp_path / "webhooks.yml"
    path.write_text("webhooks: []")
    path.chmod(0o644)
    ended = tempoftp_alone("worker", TEMPOFTP_WEBHOOKS_FILE=str(path))
    assert ended.code == 2
    assert "chmod o-r" in ended.err
