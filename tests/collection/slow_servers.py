"""Database servers that let a module wait: one that never answers, and one whose table somebody has locked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

WAITING = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock'"


class SilentServer:
    """A database server that accepts connections and never answers."""

    def __init__(self) -> None:
        self.accepted = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            self._connection, _address = self._server.accept()
            self.accepted.set()

    def close(self) -> None:
        self._server.close()
        if self.accepted.is_set():
            self._connection.close()
        self._thread.join(20)


@contextmanager
def waiting_for_the_table(
    database: Any, run: Callable[[], dict[str, Any]]
) -> Iterator[tuple[Future[dict[str, Any]], Any]]:
    """Lock the users table, start a run and wait until it waits for the table; unlock the table at the end.

    Yields the run and the cursor that has the lock.
    """
    with (
        closing(database.connect()) as connection,
        connection.cursor() as cursor,
        ThreadPoolExecutor(1) as pool,
    ):
        cursor.execute("LOCK TABLES users WRITE")
        running = pool.submit(run)
        try:
            deadline = time.monotonic() + 60
            while not database.execute(WAITING):
                assert time.monotonic() < deadline and not running.done()
                time.sleep(0.1)
            yield running, cursor
        finally:
            cursor.execute("UNLOCK TABLES")
        running.result(60)
