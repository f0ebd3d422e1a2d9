"""A real MariaDB on a unix socket. It needs neither root nor a network."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pymysql

from tests.support.needs import find_program

START_LIMIT = 60.0


class Server(NamedTuple):
    """A MariaDB server of this test run. ``process`` is the server itself."""

    socket: Path
    process: subprocess.Popen[bytes]

    def execute(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run statements as its administrator in the database ``pureftpd``; return the last one's rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
            return rows

    def make_table(self, statement: str) -> None:
        """Make the users table, and grant exactly the rights that the documentation of the module names."""
        self.execute(
            statement, "GRANT SELECT, INSERT, UPDATE, DELETE ON pureftpd.users TO tempoftp@localhost"
        )

    def connect(self, database: str | None = "pureftpd") -> pymysql.connections.Connection[Any]:
        """Open a connection as its administrator."""
        return pymysql.connect(
            unix_socket=str(self.socket),
            user="root",
            database=database,
            autocommit=True,
            connect_timeout=5,
            read_timeout=20,
        )


@contextlib.contextmanager
def run_mariadb() -> Iterator[Server]:
    """Run a MariaDB server until the block ends; skip the test where one of its programs is missing."""
    program = find_program("mariadbd", "needs_mariadb")
    installer = find_program("mariadb-install-db", "needs_mariadb")
    # Not tmp_path: a unix socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="tempoftp-db-") as directory:
        place = Path(directory)
        user = f"--user={pwd.getpwuid(os.geteuid()).pw_name}"
        install_database(installer, place, user)
        socket = place / "s"
        options = [
            "--no-defaults",
            user,
            f"--datadir={place / 'data'}",
            f"--socket={socket}",
            "--skip-networking",
        ]
        small = [
            "--innodb-buffer-pool-size=8M",
            "--innodb-flush-log-at-trx-commit=0",
            "--performance-schema=off",
        ]
        with (
            (place / "log").open("wb") as log,
            subprocess.Popen(
                [program, *options, *small, f"--pid-file={place / 'pid'}"], stdout=log, stderr=log
            ) as process,
        ):
            try:
                server = Server(socket, process)
                wait_until_up(server, place / "log")
                yield server
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(30)


def install_database(installer: str, place: Path, user: str) -> None:
    """Make an empty data directory."""
    argv = [installer, "--no-defaults", user, f"--datadir={place / 'data'}", "--skip-test-db"]
    done = subprocess.run(
        [*argv, "--auth-root-authentication-method=normal"],
        capture_output=True,
        text=True,
        timeout=START_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wait_until_up(server: Server, log: Path) -> None:
    """Return once the server answers; fail with its log when it does not."""
    deadline = time.monotonic() + START_LIMIT
    while True:
        assert server.process.poll() is None, log.read_text()
        if server.socket.exists():
            with contextlib.suppress(pymysql.err.OperationalError), server.connect(None) as connection:
                connection.ping()
                return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
