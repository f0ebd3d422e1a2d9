"""gunicorn's worker process: uvicorn's server with our connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gunicorn.workers.base import Worker  # type: ignore[import-untyped]
from uvicorn.config import Config
from uvicorn.server import Server

from tempoftp.server.bridge import Bridge
from tempoftp.server.places import Places
from tempoftp.server.protocol import HEAD_BYTES, Connection, Door

CONNECTIONS_PER_ADDRESS = 200
MOST_CONNECTIONS = 4000
OTHER_FILES = 256
"""Files that a process opens beside its connections: database, logs, static files."""
BACKLOG = 2048
NOTIFY_SECONDS = 1


class ApiServer(Server):
    """uvicorn's server that opens the door to each connection itself."""

    def __init__(
        self, config: Config, bridge: Bridge, places: Places, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self._bridge = bridge
        self._places = places
        self._context = context

    def _make_door(self) -> Door:
        return Door(self._places, Connection(self.config, self.server_state, self._bridge), self._context)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on gunicorn's sockets."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(self._make_door, sock=each, backlog=BACKLOG) for each in sockets or []
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits for a client, and finish what is being answered."""
        known = {
            connection.place: connection
            for connection in self.server_state.connections
            if isinstance(connection, Connection)
        }
        for place in self._places.list_waiting():
            if place not in known or known[place].is_unfinished():
                place.end()
        await super().shutdown(sockets)
        self._bridge.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal, and leave the exit status to gunicorn: uvicorn would raise the signal once more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: int) -> None:
        self.should_exit = True
        self.force_exit = self.force_exit or number != signal.SIGTERM


class ApiWorker(Worker):  # type: ignore[misc]
    """One process: gunicorn starts it, watches its heartbeat and replaces it."""

    def init_signals(self) -> None:
        """Leave the signals to uvicorn's loop."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until stopped."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        settings = self.app.settings
        bridge = Bridge(self.wsgi, threads=self.cfg.threads, max_body_bytes=settings.max_body_bytes)
        config = Config(
            app=_refuse_to_run,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEAD_BYTES,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=self.cfg.graceful_timeout,
            timeout_notify=NOTIFY_SECONDS,
            callback_notify=self._notify,
        )
        # Behind a proxy every connection has the proxy's address; the proxy has limits of its own.
        per_address = None if settings.trusted_proxies else CONNECTIONS_PER_ADDRESS
        places = Places(raise_file_limit(), per_address)
        context = build_tls_context(settings.tls_certificate, settings.tls_key)
        self._server = ApiServer(config, bridge, places, context)
        await self._server.serve(sockets=[each.sock for each in self.sockets])

    async def _notify(self) -> None:
        self.notify()
        if self.ppid != os.getppid():
            self._server.should_exit = True


async def _refuse_to_run(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("each connection has the application of its own")


def raise_file_limit() -> int:
    """Raise the limit of open files as far as it goes, and return how many connections fit in it."""
    wanted = MOST_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # a unit may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(soft // 2, min(MOST_CONNECTIONS, soft - OTHER_FILES))


def build_tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS of the API, 1.2 and newer; None without a certificate."""
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
