"""The application in threads: what it gets of a request, and that no thread waits for a client."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tempoftp.server import bridge as module
from tempoftp.server.bridge import Bridge, FileParts, build_environ

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "http_version": "1.1",
    "scheme": "http",
    "raw_path": b"/tmpftp/a%20%C3%B1",
    "query_string": b"x=1",
    "server": ("192.0.2.5", 9043),
    "client": ("198.51.100.7", 4000),
    "headers": [(b"host", b"mal.example")],
}
Message = dict[str, Any]


def with_headers(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return SCOPE | {"headers": list(headers)}


async def call(
    app: Callable[..., Iterable[bytes]],
    *messages: Message,
    scope: dict[str, Any] = SCOPE,
    send: Callable[[Message], Any] | None = None,
) -> list[Message]:
    """Send a request in these pieces, and return what is answered; a client without more pieces stays."""
    sent: list[Message] = []
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def collect(message: Message) -> None:
        sent.append(message)

    made = Bridge(app, threads=2, max_body_bytes=10)
    try:
        await made.answer(scope, receive, send or collect, lambda: None)
    finally:
        made.close()
    return sent


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("X-Length", environ.get("CONTENT_LENGTH", ""))])
    return [environ["wsgi.input"].read()]


def test_the_application_gets_the_whole_body() -> None:
    sent = asyncio.run(call(echo, piece(b"ab", more=True), piece(b"cd")))
    assert (sent[0]["status"], sent[0]["headers"]) == (200, [(b"x-length", b"4")])
    assert b"".join(message.get("body", b"") for message in sent) == b"abcd"


def test_a_client_that_leaves_before_its_request_is_complete_costs_no_thread() -> None:
    def never(_environ: Any, _start: Any) -> list[bytes]:
        raise AssertionError

    assert asyncio.run(call(never, piece(b"ab", more=True), {"type": "http.disconnect"})) == []


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"1000000")]])
def test_of_a_body_that_is_too_long_only_a_part_is_read(headers: list[tuple[bytes, bytes]]) -> None:
    pieces = [piece(b"x" * 8, more=True)] * 5
    sent = asyncio.run(call(echo, *pieces, scope=with_headers(*headers)))
    length = int(sent[0]["headers"][0][1])
    assert length > 10  # what the application refuses
    assert len(b"".join(message.get("body", b"") for message in sent)) <= 16


def test_a_stream_ends_when_its_client_leaves() -> None:
    closed = threading.Event()

    def stream(_environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])

        def parts() -> Iterable[bytes]:
            try:
                while True:
                    yield b"x"
                    time.sleep(0.01)
            finally:
                closed.set()

        return parts()

    async def run() -> None:
        await asyncio.wait_for(call(stream, piece(b""), {"type": "http.disconnect"}), 20)

    asyncio.run(run())
    assert closed.is_set()


def test_a_client_that_does_not_take_the_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    finished = threading.Event()

    def large(_environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield from [b"x" * 1000] * 1000
        finished.set()

    async def take_nothing(_message: Message) -> None:
        assert await asyncio.to_thread(finished.wait, 20)  # the thread is free long before
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(call(large, piece(b""), send=take_nothing))


def test_a_file_is_read_as_the_client_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    file = io.BytesIO(b"x" * 1_000_000)

    def send_file(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        parts: FileParts = environ["wsgi.file_wrapper"](file)
        return parts

    sent = asyncio.run(call(send_file, piece(b"")))
    assert sum(len(message.get("body", b"")) for message in sent) == 1_000_000
    assert file.closed


def test_an_error_of_the_application_is_not_swallowed() -> None:
    def fail(_environ: Any, _start: Any) -> list[bytes]:
        raise OSError("of the application")

    with pytest.raises(OSError, match="of the application"):
        asyncio.run(asyncio.wait_for(call(fail, piece(b"")), 20))


def test_the_environment() -> None:
    environ = build_environ(SCOPE, b"ab")
    assert environ["PATH_INFO"] == "/tmpftp/a \xc3\xb1"
    assert (environ["SERVER_NAME"], environ["REMOTE_ADDR"], environ["HTTP_HOST"]) == (
        "192.0.2.5",
        "198.51.100.7",
        "mal.example",
    )


@pytest.mark.parametrize("target", [b"http://mal.example/x", b"HTTPS://u@mal.example:1/x", b"/x"])
def test_a_target_with_a_host_is_its_path(target: bytes) -> None:
    assert build_environ(SCOPE | {"raw_path": target}, b"")["PATH_INFO"] == "/x"


@pytest.mark.parametrize(
    "name",
    [b"script_name", b"path_info", b"x_forwarded_for", b"remote_addr", b"content_length", b"wsgi.input"],
)
def test_no_header_sets_anything_but_itself(name: bytes) -> None:
    plain = build_environ(with_headers(), b"")
    forged = build_environ(with_headers((name, b"/mal")), b"")
    for key in ("SCRIPT_NAME", "PATH_INFO", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR", "CONTENT_LENGTH"):
        assert forged.get(key) == plain.get(key)


def test_repeated_headers_are_joined() -> None:
    environ = build_environ(
        with_headers(
            (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2")
        ),
        b"",
    )
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_FORWARDED_FOR"]) == ("a=1; b=2", "1,2")
