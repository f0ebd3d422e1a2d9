"""A real Redis on a unix socket. It needs neither root nor a network."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.support.needs import find_program

START_LIMIT = 30.0


class RedisServer:
    """A Redis that can be stopped, started again and made to hang."""

    def __init__(self, folder: Path, program: str) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"redis+unix://{self.socket}"
        self._folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        with (self._folder / "log").open("ab") as log:
            # In Debian one program of the package redis-tools is all of Redis; under this name it is the server.
            self._process = subprocess.Popen(
                command, executable=self._program, stdout=log, stderr=log, cwd=self._folder
            )
        deadline = time.monotonic() + START_LIMIT
        while True:
            with contextlib.suppress(redis.ConnectionError), self.connect() as client:
                client.ping()
                return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def connect(self) -> redis.Redis:
        """Open a connection for a test."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)

    def hang(self) -> None:
        """Stop the process, so that it is there and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """Kill it; everything that it had in memory is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None


@contextlib.contextmanager
def run_redis() -> Iterator[RedisServer]:
    """Run a Redis until the block ends; skip the test when Redis is missing."""
    program = find_program("redis-check-rdb", "needs_redis")
    # A short path, because the name of a unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="tempoftp-redis-") as folder:
        server = RedisServer(Path(folder), program)
        server.start()
        try:
            yield server
        finally:
            server.stop()
