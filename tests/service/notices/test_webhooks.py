"""Webhooks as a real HTTP server gets them: signed, never redirected, bounded in time and size."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine
import yaml
from pydantic import ValidationError
from standardwebhooks.webhooks import WebhookVerificationError

from tempoftp.notices.sending import SendFailed
from tempoftp.notices.webhooks import Webhook, WebhookEntry, read_webhooks
from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.notices import Kind

SECRET = "no-es-un-secreto-de-verdad"
PAGE = Path(__file__).parents[3] / "docs" / "notices.md"


def build(url: str, timeout_seconds: float = 5, **entry: Any) -> Webhook:
    values = {"name": "portal", "url": url, "secret": SECRET} | entry
    return Webhook(
        WebhookEntry.model_validate(values), timeout_seconds=timeout_seconds, clock=lambda: 1700000000.9
    )


def test_it_is_told_the_public_state(start_receiver, build_message) -> None:
    receiver, message = start_receiver(), build_message(link="https://datos.example.org/enlace/abc")
    build(receiver.url).send(message)
    ((path, headers, body),) = receiver.calls
    assert path == "/gancho?de=tempoftp"
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == message.uid
    told = json.loads(body)
    assert told == {
        "aviso": message.uid,
        "tipo": "listo",
        "fecha": "2026-11-23T15:06:09Z",
        "solicitud": message.data,
    }
    assert b"enlace" not in body


def test_it_is_signed_with_its_time(start_receiver, build_message) -> None:
    """Computed by hand here, as the specification of Standard Webhooks says it."""
    receiver, message = start_receiver(), build_message()
    build(receiver.url).send(message)
    ((_path, headers, body),) = receiver.calls
    assert headers["webhook-timestamp"] == "1700000000"
    signed = f"{message.uid}.1700000000.".encode() + body
    wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"
    assert not [name for name in headers if name.lower().startswith("x-tempoftp")]


@pytest.mark.parametrize("name", ["UTC", "America/Mexico_City", "Asia/Tokyo"])
def test_the_time_that_is_signed_is_no_local_one(
    start_receiver, build_message, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TZ", name)
    time.tzset()
    try:
        test_it_is_signed_with_its_time(start_receiver, build_message)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.fixture
def documented() -> Callable[..., Any]:
    """The receiver's check as docs/notices.md has it."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)
    return space["read_notice"]


@pytest.mark.parametrize("secret", [SECRET, "whsec_" + base64.b64encode(bytes(range(24))).decode()])
def test_the_documented_check_takes_it_and_nothing_else(
    start_receiver, build_message, documented, secret: str
) -> None:
    receiver, message = start_receiver(), build_message()
    with time_machine.travel(1700000100, tick=False):
        build(receiver.url, secret=secret).send(message)
        ((_path, headers, body),) = receiver.calls
        assert documented(secret, headers, body)["aviso"] == message.uid
        for change in (
            {"webhook-id": "another"},
            {"webhook-timestamp": "1700000001"},
            {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()},
        ):
            with pytest.raises(WebhookVerificationError):
                documented(secret, headers | change, body)
        with pytest.raises(WebhookVerificationError):
            documented(secret, headers, body.replace(b"listo", b"error"))
        with pytest.raises(WebhookVerificationError):
            documented("otro-secreto-cualquiera", headers, body)
    with time_machine.travel(1700009999, tick=False), pytest.raises(WebhookVerificationError):
        documented(secret, headers, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_only_2xx_is_success(start_receiver, build_message, status: int) -> None:
    receiver = start_receiver()
    receiver.status = status
    build(receiver.url).send(build_message())
    assert len(receiver.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(start_receiver, build_message, status: int) -> None:
    receiver, other = start_receiver(), start_receiver()
    receiver.status, receiver.headers = status, {"Location": other.url}
    with pytest.raises(SendFailed, match=f"HTTP {status}"):
        build(receiver.url).send(build_message())
    assert other.calls == []


@pytest.mark.parametrize("status", [304, 400, 404, 410, 429, 500, 503])
def test_what_it_says_is_told_in_one_short_line(start_receiver, build_message, status: int) -> None:
    receiver = start_receiver()
    receiver.status, receiver.answer = status, b"no\r\n\x1b[31m" + b"x" * 100_000
    with pytest.raises(SendFailed, match=f"HTTP {status}") as failed:
        build(receiver.url).send(build_message())
    assert str(failed.value).isprintable()
    assert len(str(failed.value)) < 300
    assert SECRET not in str(failed.value)


def drip(handler: Any) -> None:
    """Begin an answer, and never end it."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(600):
            handler.wfile.write(b"a")
            handler.wfile.flush()
            time.sleep(0.1)


def hang(_handler: Any) -> None:
    time.sleep(60)


@pytest.mark.parametrize("slowly", [drip, hang])
@pytest.mark.parametrize("secure", [False, True])
def test_a_receiver_that_drips_or_hangs_has_its_time(
    start_receiver, build_message, server_context, certificate, slowly, secure: bool
) -> None:
    receiver = start_receiver(server_context if secure else None)
    receiver.meanwhile = slowly
    begin = time.monotonic()
    with pytest.raises(SendFailed):
        build(receiver.url, 1, ca_file=certificate).send(build_message())
    assert time.monotonic() - begin < 20


def test_a_server_that_drips_its_handshake_has_its_time(build_message, certificate) -> None:
    """Every byte would begin the time limit of the socket anew."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip_handshake() -> None:
            connection, _address = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # the head of a long ServerHello
                for _ in range(600):
                    connection.sendall(b"\x03")
                    time.sleep(0.1)

        thread = threading.Thread(target=drip_handshake, daemon=True)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(SendFailed, match="not done after 1 s"):
            build(f"https://127.0.0.1:{server.getsockname()[1]}/", 1, ca_file=certificate).send(
                build_message()
            )
        assert time.monotonic() - begin < 20
        thread.join(20)


def test_https_with_an_authority_of_its_own(
    start_receiver, build_message, server_context, certificate
) -> None:
    receiver = start_receiver(server_context)
    build(receiver.url, ca_file=certificate).send(build_message())
    assert len(receiver.calls) == 1
    with pytest.raises(SendFailed, match="certificate verify failed"):
        build(receiver.url).send(build_message())
    assert len(receiver.calls) == 1


def test_nobody_there(build_message) -> None:
    with pytest.raises(SendFailed, match="ConnectionRefused"):
        build("http://127.0.0.1:1/").send(build_message())


def test_no_proxy_of_the_environment_is_asked(start_receiver, build_message, monkeypatch) -> None:
    receiver, proxy = start_receiver(), start_receiver()
    monkeypatch.setenv("http_proxy", proxy.url)
    build(receiver.url).send(build_message())
    assert (len(receiver.calls), len(proxy.calls)) == (1, 0)


def test_the_address_is_called_as_it_is_written(start_receiver, build_message) -> None:
    receiver = start_receiver()
    address = receiver.url.split("/gancho")[0] + "/a%2Fb/{c}|d?x=%41&y='z'"
    build(address).send(build_message())
    ((path, headers, _body),) = receiver.calls
    assert path == "/a%2Fb/{c}|d?x=%41&y='z'"
    assert headers["Host"] == address.split("/")[2]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://host/x"},
        {"url": "https:///x"},
        {"url": "https://user:pass@host/x"},
        {"url": "https://host/x#y"},
        {"url": "https://host:0/x"},
        {"url": "https://host:99999/x"},
        {"url": "https://host:puerto/x"},
        {"url": "https://host/a b"},
        {"url": "https://host/\r\nX: y"},
        {"secret": "corto"},
        {"secret": "whsec_not base64 at all"},
        {"secret": "whsec_" + base64.b64encode(bytes(15)).decode()},
        {"name": "correo"},
        {"name": "correo_operador"},
        {"name": "Con Espacio"},
        {"kinds": ["otro"]},
        {"unknown": 1},
    ],
)
def test_an_entry_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebhookEntry.model_validate({"name": "portal", "url": "https://host/x", "secret": SECRET} | change)


class TestFile:
    """TEMPOFTP_WEBHOOKS_FILE."""

    @pytest.fixture
    def write(self, settings: Settings, tmp_path: Path) -> Callable[..., Settings]:
        def write(content: object, mode: int = 0o640) -> Settings:
            path = tmp_path / "webhooks.yml"
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
            path.chmod(mode)
            return settings.model_copy(update={"webhooks_file": path})

        return write

    ENTRY = {"name": "portal", "url": "https://portal.example.org/avisos", "secret": SECRET}

    def test_without_one_nobody_is_told(self, settings: Settings) -> None:
        assert read_webhooks(settings) == ()

    def test_its_entries_are_read(self, write) -> None:
        (one, two) = read_webhooks(
            write({"webhooks": [self.ENTRY, self.ENTRY | {"name": "dos", "kinds": ["error"]}]})
        )
        assert (one.name, one.kinds) == ("portal", set(Kind))
        assert two.kinds == {"error"}
        assert SECRET not in repr(one)

    def test_the_documented_one_is_read(self, write) -> None:
        (example,) = re.findall(
            r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        assert read_webhooks(write(example))

    @pytest.mark.parametrize(
        ("content", "mode", "words"),
        [
            ({"webhooks": [ENTRY]}, 0o644, "chmod o-r"),
            ({"webhooks": [ENTRY, ENTRY]}, 0o600, "one name"),
            ({"webhooks": [ENTRY | {"url": "nada"}]}, 0o600, "url"),
            ({"otra": []}, 0o600, "webhooks"),
            ("- [", 0o600, "not YAML"),
            (f"webhooks:\n  - {{secret: {SECRET}, secret: {SECRET}}}\n", 0o600, "key 'secret' in line 2"),
            ("", 0o600, "webhooks.yml"),
        ],
    )
    def test_one_that_does_not_fit_is_refused_and_keeps_its_secrets(
        self, write, content: object, mode: int, words: str
    ) -> None:
        with pytest.raises(SettingsError, match=words) as refused:
            read_webhooks(write(content, mode))
        assert SECRET not in str(refused.value)

    def test_one_that_is_not_there_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot be read"):
            read_webhooks(settings.model_copy(update={"webhooks_file": tmp_path / "nada.yml"}))
