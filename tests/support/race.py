"""Two transactions at once, on a database that lets both look first (MariaDB)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from tempoftp.db.engine import Database
from tempoftp.settings import Settings, load_settings
from tests.support.mariadb_server import Server


def create_settings(settings: Settings, server: Server) -> Settings:
    """Return these settings with an empty database on this server."""
    with server.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS tempoftp")
        cursor.execute("CREATE DATABASE tempoftp CHARACTER SET utf8mb4")
    url = f"mysql+pymysql://root@localhost/tempoftp?unix_socket={server.socket}"
    key = settings.encryption_key.get_secret_value()
    return load_settings(**settings.model_dump() | {"database_url": url, "encryption_key": key})


class Race:
    """Two transactions: the second begins while the first has done its work and not committed it."""

    def __init__(self, database: Database, server: Server) -> None:
        self._database = database
        self._server = server
        self.refusal: Exception | None = None

    def run(self, first: Callable[[Session], object], second: Callable[[Session], object]) -> None:
        def come_second() -> None:
            try:
                with self._database.write() as session:
                    second(session)
            except Exception as error:
                self.refusal = error

        follower = threading.Thread(target=come_second)
        with self._database.write() as session:
            first(session)
            session.flush()
            follower.start()
            self._wait_for_waiting(follower)
        follower.join(20)
        assert not follower.is_alive()

    def _wait_for_waiting(self, follower: threading.Thread) -> None:
        """Return when the second waits for what the first has: looking, or else writing what it saw before."""
        deadline = time.monotonic() + 20
        waiting = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        with self._server.connect(None) as connection, connection.cursor() as cursor:
            while not cursor.execute(waiting):
                assert follower.is_alive(), f"it did not wait for the first: {self.refusal!r}"
                assert time.monotonic() < deadline, "it never came to where the first is"
                time.sleep(0.2)  # the server shows the same again to who asks within 0.1 s
