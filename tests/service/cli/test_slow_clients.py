"""Clients that hold connections cost the others nothing, and each of them is ended in time (docs/decisions/0140)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tempoftp.server.protocol import REQUEST_SECONDS
from tempoftp.server.worker import CONNECTIONS_PER_ADDRESS
from tests.support import slow_clients
from tests.support.certificate import write_certificate

pytestmark = pytest.mark.processes
TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
CLIENTS = 1000
ROUNDS = 5
REQUESTS = 200
SETTLE_SECONDS = 2
PLAIN_KINDS = [kind for kind in slow_clients.KINDS if kind != "half a hello"]
TLS_KINDS = ["half a hello", "silent", "half a hello", "tls half a header"]
# Less than this is the noise of a machine that does other things too.
LEAST_SECONDS = 0.01


@contextmanager
def serve(folder: Path, environ: dict[str, str], wait_for_answer: Callable[..., None]) -> Iterator[None]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([TEMPOFTP, "serve"], env=environ, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    socket.create_connection(("127.0.0.1", int(environ["TEMPOFTP_PORT"]))).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0, (folder / "log").read_text()


@pytest.fixture
def connect(service) -> Callable[..., socket.socket]:
    """Open a connection to the running service from an address of loopback."""

    def open_one(source: str = "127.3.0.1") -> socket.socket:
        port = int(service.url.rsplit(":", 1)[1])
        return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))

    return open_one


def is_open(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_an_address_holds_a_bounded_number_of_connections(service, connect) -> None:
    """The oldest ones that wait make room; those of another address stay."""
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(connect("127.3.0.2"))
        other.sendall(b"GET / HT")
        held = [stack.enter_context(connect()) for _ in range(CONNECTIONS_PER_ADDRESS + 50)]
        deadline = time.monotonic() + 20
        while sum(map(is_open, held)) > CONNECTIONS_PER_ADDRESS and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [is_open(sock) for sock in held] == [False] * 50 + [True] * CONNECTIONS_PER_ADDRESS
        assert is_open(other)
        # The same address is still answered, on a new connection.
        with connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b"200" in sock.recv(100)


def test_a_request_that_does_not_become_complete_ends_in_time(connect) -> None:
    """However a client sends it, byte by byte."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        waiting = {}
        for kind in PLAIN_KINDS:
            if kind != "reads slowly":
                sock = stack.enter_context(connect("127.3.0.3"))
                sock.sendall(slow_clients.KINDS[kind][0])
                waiting[kind] = sock
        for at in range(2 * int(REQUEST_SECONDS + 10)):
            for kind, sock in waiting.items():
                with contextlib.suppress(OSError):
                    sock.sendall(slow_clients.KINDS[kind][1][at : at + 1])
            if not any(map(is_open, waiting.values())):
                break
            time.sleep(0.5)
        assert [kind for kind, sock in waiting.items() if is_open(sock)] == []
    assert REQUEST_SECONDS - 1 < time.monotonic() - begun < REQUEST_SECONDS + 10


def measure(client: httpx.Client) -> float:
    """The 99th percentile of `GET /tmpftp`, in seconds."""
    took = []
    for _ in range(REQUESTS):
        begun = time.perf_counter()
        assert client.get("/tmpftp").status_code == 200
        took.append(time.perf_counter() - begun)
    return statistics.quantiles(took, n=100)[-1]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_thousand_slow_clients_cost_the_others_nothing(
    tmp_path: Path, make_environ, wait_for_answer, tls: bool
) -> None:
    settings = {}
    if tls:
        certificate, key = write_certificate(tmp_path)
        settings = {"TEMPOFTP_TLS_CERTIFICATE": str(certificate), "TEMPOFTP_TLS_KEY": str(key)}
    environ = make_environ(tmp_path, **settings)
    port = environ["TEMPOFTP_PORT"]
    command = [
        sys.executable,
        slow_clients.__file__,
        port,
        str(CLIENTS),
        *(TLS_KINDS if tls else PLAIN_KINDS),
    ]
    client = httpx.Client(
        base_url=f"{'https' if tls else 'http'}://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {environ['TEMPOFTP_TOKEN']}"},
        verify=ssl.create_default_context(cafile=str(tmp_path / "api.pem")) if tls else True,
        trust_env=False,
        timeout=30,
    )
    alone, beside = [], []
    with (
        serve(tmp_path, environ, wait_for_answer),
        client,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as others,
    ):
        assert others.stdin is not None and others.stdout is not None
        try:
            measure(client)
            for _ in range(ROUNDS):
                alone.append(measure(client))
                print("open", file=others.stdin, flush=True)
                assert others.stdout.readline() == "opened\n"
                time.sleep(SETTLE_SECONDS)
                beside.append(measure(client))
                print("close", file=others.stdin, flush=True)
                assert others.stdout.readline() == "closed\n"
        finally:
            others.kill()
    told = f"p99 alone {sorted(alone)}, beside {sorted(beside)}"
    print(told)
    assert statistics.median(beside) <= 2 * max(statistics.median(alone), LEAST_SECONDS), told
