"""Step 3 of the flow: wake-ups. They carry a host name and no truth; a lost one only costs a second or so.

Huey stands behind `wake`, `open_wake_ups` and `Relay`. Each machine has a queue of its own, a file; where API and
workers are on several machines, what the API sends goes through a Redis (`TEMPOFTP_QUEUE_URL`), and each worker
process hands what it takes from there to its own queue. So nothing waits while that Redis is away: the periodic look
goes on waking what is due.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import redis
from huey import Huey, RedisHuey, SqliteHuey
from huey.serializer import SignedSerializer
from redis.backoff import NoBackoff
from redis.retry import Retry

from tempoftp.db.engine import make_database_file
from tempoftp.settings import Settings

logger = logging.getLogger(__name__)

SEND_SECONDS = 0.5
"""What a request waits for a Redis that does not answer, at most twice (to connect, to be told)."""
BLOCKING_READ_SECONDS = 1
ANSWER_SECONDS = 5.0
PAUSE_SECONDS = (0.5, 30.0)
"""First and longest pause between two attempts at a Redis that is away."""


@dataclass(slots=True)
class WakeUps:
    """A queue of wake-ups: on one side `send`, on the other a consumer that calls `receive` for each."""

    huey: Huey
    send: Callable[[str], object]


def wake(settings: Settings, ftp_host: str) -> None:
    """Tell the workers that something of this FTP host is due. Call it after the commit.

    Raises whatever the queue raises; nothing is lost then but time.
    """
    url = settings.queue_url.get_secret_value() if settings.queue_url else None
    _open_sender(settings.state_dir, url, derive_secret(settings)).send(ftp_host)


def open_wake_ups(state_dir: Path, secret: str, receive: Callable[[str], object]) -> WakeUps:
    """Open this machine's queue; `receive` is called with the host name, in the consumer's threads."""
    return _add_task(open_file_queue("wakeups", state_dir, secret, fsync=True), receive)


def open_shared_wake_ups(
    url: str, secret: str, receive: Callable[[str], object], seconds: float = ANSWER_SECONDS
) -> WakeUps:
    """Open the queue that several machines share; `seconds` is the time limit for each answer of its Redis."""
    pool = redis.ConnectionPool.from_url(
        url.replace("redis+unix://", "unix://", 1),  # as the library that counts requests spells it
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        # One attempt: who sends has the periodic look behind him, who takes makes pauses of his own.
        retry=Retry(NoBackoff(), 0),
    )
    huey = RedisHuey(
        "tempoftp-wakeups",
        connection_pool=pool,
        read_timeout=BLOCKING_READ_SECONDS,
        results=False,
        serializer=SignedSerializer(secret=secret),
    )
    return _add_task(huey, receive)


def open_file_queue(name: str, state_dir: Path, secret: str, *, fsync: bool) -> SqliteHuey:
    """Open a queue of this machine, in a file that only its users may read."""
    path = state_dir / f"{name}.sqlite3"
    make_database_file(path)
    return SqliteHuey(
        f"tempoftp-{name}",
        filename=str(path),
        fsync=fsync,
        results=False,
        # Huey unpickles what it reads: only what was signed with our key.
        serializer=SignedSerializer(secret=secret),
    )


def derive_secret(settings: Settings) -> str:
    """Return what wake-ups are signed with; nothing about the encryption key can be learned from it."""
    key = settings.encryption_key.get_secret_value()
    return hashlib.sha256(b"tempoftp wake-ups\0" + key.encode()).hexdigest()


def _add_task(huey: Huey, receive: Callable[[str], object]) -> WakeUps:
    @huey.task(name="wake")  # type: ignore[untyped-decorator]
    def wake_task(ftp_host: str) -> None:
        receive(ftp_host)

    return WakeUps(huey=huey, send=wake_task)


@lru_cache(maxsize=4)
def _open_sender(state_dir: Path, url: str | None, secret: str) -> WakeUps:
    if url is not None:
        return open_shared_wake_ups(url, secret, _refuse, SEND_SECONDS)
    return open_wake_ups(state_dir, secret, _refuse)


def _refuse(ftp_host: str) -> None:
    raise RuntimeError(f"here wake-ups are only sent or passed on; nobody works on {ftp_host}")


class Relay:
    """Hands what arrives in the shared queue to this machine's own, in a thread; says once that the Redis is away."""

    def __init__(self, url: str, secret: str, send: Callable[[str], object]) -> None:
        """`send` puts a host name into this machine's queue."""
        self._send = send
        self._shared = open_shared_wake_ups(url, secret, _refuse)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop taking wake-ups. The thread ends by itself within the time limit of an answer; nobody waits for it."""
        self._stopping.set()

    def _run(self) -> None:
        pause = PAUSE_SECONDS[0]
        away = False
        while not self._stopping.is_set():
            try:
                task = self._shared.huey.dequeue()
                if away:
                    logger.info("the Redis of the wake-ups is back")
                away, pause = False, PAUSE_SECONDS[0]
                if task is not None:
                    # Not Huey's `execute`: it asks the Redis again, which may be away by now.
                    self._send(*task.args)
            except redis.RedisError as error:
                if not away:
                    logger.warning(
                        "the Redis of the wake-ups is away (%s); what is due is found by looking", error
                    )
                away = True
                self._stopping.wait(pause)
                pause = min(pause * 2, PAUSE_SECONDS[1])
            except (
                Exception
            ) as error:  # signed with another key or by nobody, or this machine's queue is away
                logger.warning("a wake-up was lost (%s); what is due is found by looking", error)
                self._stopping.wait(PAUSE_SECONDS[0])
