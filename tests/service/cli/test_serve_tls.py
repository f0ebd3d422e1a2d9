"""The API with its own certificate answers HTTPS only."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.certificate import write_certificate

pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class TlsService:
    """A running API with its certificate."""

    port: int
    environ: dict[str, str]
    certificate: Path


@pytest.fixture(scope="module")
def tls_service(
    tmp_path_factory: pytest.TempPathFactory, make_environ: Callable[..., dict[str, str]]
) -> Iterator[TlsService]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = write_certificate(folder)
    environ = make_environ(folder, TEMPOFTP_TLS_CERTIFICATE=str(certificate), TEMPOFTP_TLS_KEY=str(key))
    port = int(environ["TEMPOFTP_PORT"])
    environ["TEMPOFTP_URL"] = f"https://127.0.0.1:{port}"
    command = Path(sys.executable).with_name("tempoftp")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([command, "serve"], env=environ, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while not is_listening(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield TlsService(port, environ, certificate)
        finally:
            process.terminate()
            process.wait(timeout=40)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def shake_hands(service: TlsService, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(service.certificate))
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that the server refuses the old version, not the client
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        return connection.version()


def test_the_command_line_uses_https_and_checks_the_certificate(
    tempoftp_alone, tls_service: TlsService
) -> None:
    trusted = tempoftp_alone("list", **tls_service.environ | {"SSL_CERT_FILE": str(tls_service.certificate)})
    assert trusted.code == 0, trusted.err
    stranger = tempoftp_alone("list", **tls_service.environ)
    assert stranger.code == 3
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.err


def test_plain_http_gets_no_answer(tls_service: TlsService) -> None:
    with httpx.Client(trust_env=False, timeout=10) as http, pytest.raises(httpx.TransportError):
        http.get(f"http://127.0.0.1:{tls_service.port}/")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_accepts_current_tls_versions(tls_service: TlsService, version: ssl.TLSVersion) -> None:
    assert shake_hands(tls_service, version) == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_refuses_an_old_tls_version(tls_service: TlsService) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake_hands(tls_service, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("fault", ["missing", "swapped", "foreign"])
def test_does_not_start_with_an_unusable_certificate(tempoftp_alone, tmp_path: Path, fault: str) -> None:
    certificate, key = write_certificate(tmp_path)
    if fault == "missing":
        key.unlink()
    elif fault == "swapped":
        certificate, key = key, certificate
    else:
        (tmp_path / "other").mkdir()
        _, key = write_certificate(tmp_path / "other")
    ended = tempoftp_alone(
        "serve", TEMPOFTP_TLS_CERTIFICATE=str(certificate), TEMPOFTP_TLS_KEY=str(key), TEMPOFTP_PORT="1"
    )
    assert ended.code == 2
    assert "TEMPOFTP_TLS_KEY" in ended.err
    assert "PRIVATE KEY" not in ended.err
