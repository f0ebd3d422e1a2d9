"""Runs the WSGI application in threads. A thread gets a complete request, and hands on its answer without waiting.

Libraries for this give a thread to each request as soon as its headers are there, and the thread waits for the rest of
the body and for the client to take the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

ANSWER_SECONDS = 60.0
"""A client has taken all of an answer within this time after the application has made it."""


FILE_BYTES = 65536


class FileParts:
    """A file that is an answer (`wsgi.file_wrapper`). It is read as the client takes it."""

    def __init__(self, file: Any, block_size: int = FILE_BYTES) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(FILE_BYTES), b"")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


Part = Message | FileParts | None
"""What a thread hands on: a message, a file, or the end."""


class Bridge:
    """The application, and the threads that run it."""

    def __init__(self, app: Application, *, threads: int, max_body_bytes: int) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._max_body = max_body_bytes

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, when_complete: Callable[[], None]
    ) -> None:
        """Read a request, run the application, send its answer; `when_complete` is called once the request is there.

        Raises TimeoutError when the client does not take the answer.
        """
        body = await self._read_body(scope, receive)
        if body is None:
            return
        when_complete()
        loop = asyncio.get_running_loop()
        gone = threading.Event()
        # Without a limit: a thread must not wait for the client. Answers are of some megabytes at most.
        messages: asyncio.Queue[Part] = asyncio.Queue()
        work = loop.run_in_executor(
            self._pool, self._run, build_environ(scope, body), loop, messages.put_nowait, gone
        )
        watch = asyncio.create_task(_watch(receive, gone))
        sending = asyncio.create_task(_send_all(messages, send))
        try:
            await asyncio.wait([work, sending], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                gone.set()  # sending has failed, or the end was sent just now
            await work
            await asyncio.wait_for(sending, ANSWER_SECONDS)
        finally:
            gone.set()
            sending.cancel()
            watch.cancel()
            while not messages.empty():
                if isinstance(left := messages.get_nowait(), FileParts):
                    left.close()

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, None when the client has left. Of one that is too long it returns only a part."""
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._max_body:
            return b""
        body = bytearray()
        while len(body) <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        return bytes(body)

    def _run(
        self,
        environ: Environ,
        loop: asyncio.AbstractEventLoop,
        put: Callable[[Part], None],
        gone: threading.Event,
    ) -> None:
        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            hand_on({"type": "http.response.start", "status": int(status[:3]), "headers": raw})

        def hand_on(message: Part) -> None:
            loop.call_soon_threadsafe(put, message)

        parts = self._app(environ, start_response)
        if isinstance(parts, FileParts):
            hand_on(parts)
            hand_on({"type": "http.response.body", "body": b""})
            hand_on(None)
            return
        try:
            for part in parts:
                if gone.is_set():
                    return
                hand_on({"type": "http.response.body", "body": part, "more_body": True})
            hand_on({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
            hand_on(None)

    def close(self) -> None:
        """Start no more threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _send_all(messages: asyncio.Queue[Part], send: Send) -> None:
    while (message := await messages.get()) is not None:
        if isinstance(message, FileParts):
            with contextlib.closing(message):
                for part in message:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        else:
            await send(message)


async def _watch(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of a body that is too long
    gone.set()


def build_environ(scope: Scope, body: bytes) -> Environ:
    """Return the WSGI environment of a request. No header sets anything but its own `HTTP_…` value."""
    target = scope["raw_path"]
    if not target.startswith(b"/"):
        # The form with scheme and host, as proxies may send it.
        target = re.sub(rb"^https?://[^/]*", b"", target, flags=re.IGNORECASE) or b"/"
    server_name, server_port = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        # The address at which the connection arrived: not the Host header.
        "SERVER_NAME": server_name,
        "SERVER_PORT": str(server_port or 0),
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileParts,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name or name == "transfer-encoding":
            continue  # `X_Forwarded_For` would become the same name as `X-Forwarded-For`
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        if key in environ:
            value = f"{environ[key]}{'; ' if name == 'cookie' else ','}{value}"
        environ[key] = value
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ
