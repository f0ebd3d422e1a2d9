"""Step 3 of the flow: wake-ups. A wake-up is the name of an FTP host as text, and nothing else.

A lost wake-up costs at most the time to the worker's next look for due rows. So the sender never waits for a worker and
sends nothing twice. On one machine a wake-up is a datagram to the socket that each worker has in the state folder.
Between machines it goes through the publish/subscribe of a Redis (`TEMPOFTP_QUEUE_URL`).
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tempoftp.settings import Settings

logger = logging.getLogger(__name__)

Receive = Callable[[bytes], object]

NAME_BYTES = 255
"""A longer message is no name of an FTP host."""
SOCKET_PREFIX, SOCKET_SUFFIX = "worker-", ".socket"
SOCKET_MODE = 0o660
"""The API's user is another one than the worker's, of the same group."""

SEND_SECONDS = 0.5
"""Time limit of the API for a Redis that does not answer; it counts twice at most: to connect, and for the answer."""
ANSWER_SECONDS = 5.0
"""Time limit of a worker for each answer of the Redis."""
SILENCE_SECONDS = 10.0
"""After so long without any message a worker asks the Redis whether it is still there."""
POLL_SECONDS = 1.0
PAUSE_SECONDS = (0.5, 30.0)
"""First and longest pause between two attempts at a Redis that is away."""


def wake(settings: Settings, ftp_host: str) -> None:
    """Tell the workers that something of this FTP host is due. Call it after the commit.

    If no worker listens, only a DEBUG line is logged. Raises redis.RedisError or OSError; then only some time is
    lost.
    """
    message = ftp_host.encode()
    if settings.queue_url is not None:
        reached = publish(settings.queue_url.get_secret_value(), message)
    else:
        reached = send_to_sockets(settings.state_dir, message)
    if not reached:
        logger.debug("no worker was reached with the wake-up for %s; it will find the row itself", ftp_host)


def parse_wake_up(message: bytes) -> str | None:
    """Return the name in a message; None when it cannot be a name. The worker knows which names exist."""
    if not 0 < len(message) <= NAME_BYTES:
        return None
    try:
        name = message.decode()
    except UnicodeDecodeError:
        return None
    return name if name.isprintable() else None


def send_to_sockets(state_dir: Path, message: bytes) -> int:
    """Send to every worker of this machine without waiting for any; returns how many got it."""
    reached = 0
    try:
        with _open_folder(state_dir) as folder, _make_socket() as sender:
            for name in _list_sockets(folder):
                # No worker, a dead worker's socket, or a full buffer: the rows say what is due.
                with suppress(OSError):
                    sender.sendto(message, socket.MSG_DONTWAIT, _build_address(folder, name))
                    reached += 1
    except FileNotFoundError:  # no worker has been here yet
        return 0
    return reached


def publish(url: str, message: bytes) -> int:
    """Publish to the workers of all machines; returns how many subscribe. Raises redis.RedisError."""
    client = _open_publisher(url)
    reached = client.publish(_name_channel(client), message)
    assert isinstance(reached, int)  # noqa: S101 - redis types answers of both of its clients alike
    return reached


class SocketReceiver:
    """Passes the wake-ups of this machine to `receive`, in a thread. Each worker has a socket of its own."""

    def __init__(self, state_dir: Path, receive: Receive) -> None:
        self._state_dir = state_dir
        self._receive = receive
        self._name = f"{SOCKET_PREFIX}{secrets.token_hex(4)}{SOCKET_SUFFIX}"
        self._socket: socket.socket | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Bind the socket and start the thread. If that fails, the worker finds what is due by searching."""
        try:
            self._socket = self._bind()
        except OSError as error:
            logger.warning("no wake-ups can arrive (%s); what is due is found by looking", error)
            return
        threading.Thread(target=self._run, args=(self._socket,), name="wake-ups", daemon=True).start()

    def stop(self) -> None:
        """Remove the socket; the thread ends."""
        self._stopping.set()
        if self._socket is None:
            return
        (self._state_dir / self._name).unlink(missing_ok=True)
        self._socket.shutdown(socket.SHUT_RDWR)  # the thread wakes up and closes it

    def _bind(self) -> socket.socket:
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        with _open_folder(self._state_dir) as folder:
            _remove_dead_sockets(folder)
            receiver = _make_socket()
            try:
                # Before the socket has a name, so that only owner and group can send at any moment.
                os.fchmod(receiver.fileno(), SOCKET_MODE)
                receiver.bind(_build_address(folder, self._name))
                _let_group_send(folder, self._name)
            except OSError:
                receiver.close()
                raise
        return receiver

    def _run(self, receiver: socket.socket) -> None:
        with receiver:
            while not self._stopping.is_set():
                try:
                    message = receiver.recv(NAME_BYTES + 1)
                except OSError as error:
                    logger.warning("wake-ups cannot be read (%s); what is due is found by looking", error)
                    self._stopping.wait(PAUSE_SECONDS[0])
                    continue
                if not self._stopping.is_set():
                    self._receive(message)


class RedisReceiver:
    """Passes what is published in a Redis to `receive`, in a thread. It logs once that the Redis is away."""

    def __init__(self, url: str, receive: Receive) -> None:
        self._client = _open_redis(url, ANSWER_SECONDS)
        self._receive = receive
        self._stopping = threading.Event()
        self._is_away = False
        self._pause = PAUSE_SECONDS[0]

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="redis-wake-ups", daemon=True).start()

    def stop(self) -> None:
        """Stop. The thread ends within the time limit of an answer; nothing waits for it."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError, ValueError) as error:
                if not self._is_away:
                    logger.warning(
                        "the Redis of the wake-ups is away (%s); what is due is found by looking", error
                    )
                self._is_away = True
                self._stopping.wait(self._pause)
                self._pause = min(self._pause * 2, PAUSE_SECONDS[1])

    def _listen(self) -> None:
        with self._client.pubsub() as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(_name_channel(self._client))
            heard = asked = time.monotonic()  # the subscription has to be confirmed
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=POLL_SECONDS)
                now = time.monotonic()
                if message is not None:
                    heard, asked = now, 0.0
                    self._note_answer()
                    if message["type"] == "message":
                        self._receive(message["data"])
                elif asked and now - asked > ANSWER_SECONDS:
                    raise redis.TimeoutError(f"no answer for {ANSWER_SECONDS:g} s")
                elif not asked and now - heard > SILENCE_SECONDS:
                    subscription.ping()
                    asked = now

    def _note_answer(self) -> None:
        if self._is_away:
            logger.info("the Redis of the wake-ups is back")
        self._is_away, self._pause = False, PAUSE_SECONDS[0]


def _make_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _build_address(folder: int, name: str) -> str:
    """Return an address that is short even if the folder's path is long: a Unix socket allows 107 bytes."""
    return f"/proc/self/fd/{folder}/{name}"


def _let_group_send(folder: int, name: str) -> None:
    """Give a socket its mode, whatever the umask is. Others may write in this folder, so no link is followed."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} was replaced by something that is no socket")
        Path(f"/proc/self/fd/{descriptor}").chmod(SOCKET_MODE)
    finally:
        os.close(descriptor)


def _list_sockets(folder: int) -> list[str]:
    return [
        name for name in os.listdir(folder) if name.startswith(SOCKET_PREFIX) and name.endswith(SOCKET_SUFFIX)
    ]


def _remove_dead_sockets(folder: int) -> None:
    """Remove the sockets of workers that were killed."""
    for name in _list_sockets(folder):
        with _make_socket() as probe:
            try:
                probe.connect(_build_address(folder, name))
            except ConnectionRefusedError:
                with suppress(FileNotFoundError):
                    if stat.S_ISSOCK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                        os.unlink(name, dir_fd=folder)
            except OSError:  # another worker removes it at the same time, or it is no socket
                continue


@lru_cache(maxsize=4)
def _open_publisher(url: str) -> redis.Redis:
    return _open_redis(url, SEND_SECONDS)


def _open_redis(url: str, seconds: float) -> redis.Redis:
    pool = redis.ConnectionPool.from_url(
        url.replace("redis+unix://", "unix://", 1),  # this spelling is of the library that counts requests
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        # One attempt: a lost message costs little because of the periodic look, and the receiver has its own pauses.
        retry=Retry(NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)


def _name_channel(client: redis.Redis) -> str:
    """Return the channel. It contains the number of the database, so that two services can share one Redis."""
    return f"tempoftp:{client.connection_pool.connection_kwargs.get('db') or 0}:wake-ups"
