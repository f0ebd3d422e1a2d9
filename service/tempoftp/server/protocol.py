"""uvicorn's protocol with a place for each connection, which bounds the time that it may take."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tempoftp.server.bridge import Bridge, Receive, Scope, Send
from tempoftp.server.places import Place, Places

HANDSHAKE_SECONDS = 10.0
REQUEST_SECONDS = 30.0
"""A request is complete within this time after its connection was opened, or after the answer before."""
HEAD_BYTES = 16384
_REASONS = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}

logger = logging.getLogger(__name__)


class Door(asyncio.Protocol):
    """A new connection: it gets a place, does its TLS handshake, and is then uvicorn's."""

    def __init__(self, places: Places, connection: Connection, context: ssl.SSLContext | None) -> None:
        self._places = places
        self._connection = connection
        self._context = context
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or end the connection."""
        transport.pause_reading()
        peer = transport.get_extra_info("peername")
        place = self._places.take(str(peer[0]) if peer else "", transport.abort)
        if place is None:
            transport.abort()
            return
        place.wait(REQUEST_SECONDS)
        self._connection.place = place
        if self._context is None:
            transport.set_protocol(self._connection)
            self._connection.connection_made(transport)
            transport.resume_reading()
        else:
            self._task = asyncio.create_task(self._shake_hands(transport, self._context, place))

    async def _shake_hands(self, transport: asyncio.Transport, context: ssl.SSLContext, place: Place) -> None:
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                self._connection,
                context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except (OSError, asyncio.CancelledError):  # ssl.SSLError and time limits are among them
            secure = None
        if secure is None:
            transport.abort()
            place.leave()
            return
        place.end = secure.abort
        self._connection.connection_made(secure)


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _build_page(status)})


def _build_page(status: int) -> bytes:
    return f"<html><head><title>{_REASONS[status]}</title></head></html>\n".encode()


class Connection(H11Protocol):
    """uvicorn's protocol: a request runs in the bridge, and its connection has a place."""

    def __init__(self, config: Config, state: ServerState, bridge: Bridge) -> None:
        super().__init__(config, state, {})
        self._bridge = bridge
        self._early = b""
        self._is_made = False
        self.place: Place
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = len(scope["raw_path"]) + len(scope["query_string"])
        if target + sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES:
            # h11 looks at the size only while the head is incomplete.
            await _refuse(send, 414 if target > HEAD_BYTES // 2 else 431)
            return
        try:
            await self._bridge.answer(scope, receive, send, self.place.work)
        except TimeoutError:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to read; what came with the end of the handshake is already here."""
        super().connection_made(transport)
        self._is_made = True
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_made:
            super().data_received(data)
        else:
            self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.place.leave()
        if self._is_made:
            super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request; a client that does not take the answer is ended with it."""
        if not self.transport.is_closing():
            self.place.wait(self.timeout_keep_alive + REQUEST_SECONDS)
        super().on_response_complete()

    def is_unfinished(self) -> bool:
        """Whether part of a request is here and the rest is not."""
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_started

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no request; nothing of them is repeated, because they may hold a secret."""
        error = sys.exc_info()[1]
        status = getattr(error, "error_status_hint", 400)
        if status == 431 and b"\n" not in self.conn.trailing_data[0][:HEAD_BYTES]:
            status = 414
        status = status if status in _REASONS else 400
        logger.warning("Invalid request from ip=%s", self.client[0] if self.client else "-")
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        body = _build_page(status)
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        events: list[Any] = [
            h11.Response(status_code=status, headers=headers, reason=_REASONS[status].encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
