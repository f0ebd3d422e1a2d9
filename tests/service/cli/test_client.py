from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from tempoftp.cli.client import ServiceClient, parse_service_url
from tempoftp.cli.exits import BadSetting, ServiceBusy, ServiceFailed, ServiceUnreachable
from tempoftp.cli.watch import FIRST_POLLS_SECONDS, PATIENCE_SECONDS, iterate_states


class OtherServer(http.server.BaseHTTPRequestHandler):
    """A server at the address of the service that is not tempoftp."""

    answers: dict[str, tuple[int, str, bytes]] = {
        "/tmpftp/html": (200, "text/html", b"<html>welcome</html>"),
        "/tmpftp/lista": (200, "application/json", b"[]"),
        "/tmpftp/proxy": (502, "text/html", b"<html>bad gateway</html>"),
        "/tmpftp/roto": (500, "application/problem+json", b'{"title": "Error interno", "detail": "x"}'),
        "/tmpftp/redir": (302, "text/html", b""),
        "/tmpftp/lleno": (
            429,
            "application/problem+json",
            b'{"title": "Demasiadas peticiones", "detail": "x"}',
        ),
    }

    def do_GET(self) -> None:
        code, content_type, body = self.answers[self.path]
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", "pedido-7")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def other_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherServer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("share_id", ["html", "lista", "proxy", "redir"])
def test_an_answer_of_another_program_is_reported_as_such(other_url: str, share_id: str) -> None:
    with ServiceClient(other_url) as client, pytest.raises(ServiceFailed, match="not tempoftp"):
        client.get_share(share_id)


def test_a_failure_of_the_service_shows_its_request_id(other_url: str) -> None:
    with ServiceClient(other_url) as client, pytest.raises(ServiceFailed, match=r"Error interno.*pedido-7"):
        client.get_share("roto")


def test_a_service_that_is_down_says_what_to_look_at() -> None:
    with (
        ServiceClient("http://127.0.0.1:1") as client,
        pytest.raises(ServiceUnreachable, match="TEMPOFTP_URL"),
    ):
        client.get_share("a")


def test_the_proxy_of_the_environment_is_not_used_for_loopback(
    other_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with ServiceClient(other_url) as client, pytest.raises(ServiceFailed, match="not tempoftp"):
        client.get_share("html")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:9043", "ftp://host", "http://", "http://host:puerto", "file:///etc/passwd"]
)
def test_a_malformed_address_is_a_bad_setting(url: str) -> None:
    with pytest.raises(BadSetting, match="TEMPOFTP_URL"):
        parse_service_url(url)


def test_a_command_that_cannot_connect_exits_3(tempoftp_alone) -> None:
    ended = tempoftp_alone("list", TEMPOFTP_URL="http://127.0.0.1:1")
    assert ended.code == 3
    assert "cannot connect to http://127.0.0.1:1" in ended.err
    assert "Traceback" not in ended.err


def test_a_watch_survives_a_restart_of_the_service_but_not_its_end() -> None:
    now, troubles = [time.monotonic()], []

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    with ServiceClient("http://127.0.0.1:1") as client, pytest.raises(ServiceUnreachable):
        list(iterate_states(client, "a", on_trouble=troubles.append, sleep=pass_time, clock=lambda: now[0]))
    assert PATIENCE_SECONDS - 2 <= len(troubles) <= PATIENCE_SECONDS + len(FIRST_POLLS_SECONDS) + 2


def test_a_watch_asks_again_when_the_service_is_busy(other_url: str) -> None:
    now, troubles = [0.0], []

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    with ServiceClient(other_url) as client, pytest.raises(ServiceBusy, match="HTTP 429"):
        list(
            iterate_states(client, "lleno", on_trouble=troubles.append, sleep=pass_time, clock=lambda: now[0])
        )
    assert len(troubles) > 10
