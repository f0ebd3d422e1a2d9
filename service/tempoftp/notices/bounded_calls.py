"""One HTTP call that is bounded in time and size, follows no redirect and uses nothing of the environment.

httpx's own time limits start again with every byte. Here the whole call has one limit; then the connection is shut.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tempoftp.notices.sending import cut_after


class CallFailed(Exception):  # noqa: N818 - what happened, not a bug
    """There is no complete answer. The message says why; `kind` is the name of the original error."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class CallTooSlow(CallFailed):
    """The time was over."""

    def __init__(self, seconds: float) -> None:
        Exception.__init__(self, f"not done after {seconds:g} s")
        self.kind = "TimeoutError"


def build_context(url: str, ca: Path | None) -> ssl.SSLContext:
    """Return the TLS context: it trusts the authorities of this machine, or those of `ca`. Raises OSError."""
    if urlsplit(url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is not used, and trusts no authority
    return ssl.create_default_context(cafile=None if ca is None else str(ca))


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes,
    seconds: float,
    context: ssl.SSLContext,
    most_bytes: int,
) -> httpx.Response:
    """Call once on a connection of its own; returns the answer with the first `most_bytes` of its body, undecoded.

    A redirect is returned and not followed; no proxy and no login of the environment is used. Raises CallFailed, or
    CallTooSlow after `seconds`.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept: list[socket.socket] = []

    def keep_socket(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            # A second handle of the same connection: TLS detaches the first one.
            kept.append(info["return_value"].get_extra_info("socket").dup())

    def find_socket() -> socket.socket | None:
        return kept[-1] if kept else None

    sent = {"Accept-Encoding": "identity", **headers, "Connection": "close"}
    with cut_after(seconds, find_socket) as was_cut:
        try:
            with (
                httpx.Client(verify=context, trust_env=False, timeout=seconds) as client,
                client.stream(
                    method,
                    url,
                    headers=sent,
                    content=content or None,
                    # The address exactly as it was written: httpx would quote some characters again.
                    extensions={"trace": keep_socket, "target": target.encode("ascii")},
                ) as answer,
            ):
                body = _read(answer, most_bytes)
            if was_cut():  # an answer that was cut may look like a short one
                raise CallTooSlow(seconds)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            if was_cut() or isinstance(error, httpx.TimeoutException):
                raise CallTooSlow(seconds) from None
            origin = _find_origin(error)
            raise CallFailed(type(origin).__name__, str(origin)) from None
        finally:
            for connection in kept:
                with suppress(OSError):
                    connection.close()
    # Without the header `content-encoding`: nothing is unpacked here, because it could become very large.
    plain = [(name, value) for name, value in answer.headers.multi_items() if name != "content-encoding"]
    return httpx.Response(answer.status_code, headers=plain, content=body, request=answer.request)


def _find_origin(error: BaseException) -> BaseException:
    """Return the system's own error, which httpx and httpcore wrap in theirs; else the error itself."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, OSError):
        inner = inner.__cause__ or inner.__context__
    return inner or error


def _read(answer: httpx.Response, most_bytes: int) -> bytes:
    body = b""
    for piece in answer.iter_raw():
        body += piece
        if len(body) >= most_bytes:
            return body[:most_bytes]
    return body
