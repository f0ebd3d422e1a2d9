"""What all channels have in common: what is sent, how it fails, and that it ends in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tempoftp.notices.deliveries import Channel

CUT_AGAIN_SECONDS = 0.2


class SendFailed(Exception):  # noqa: N818 - what happened, not a bug
    """A notice was not sent; it is tried again. The message says why, and contains no secret."""


class RecipientRefused(SendFailed):
    """The receiver's server says that the receiver does not exist: a later try cannot succeed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notice as it is sent. `link` opens the recipient's page; None: it would not open any more.

    In a notice for operators, `link` is the address of their page, where they must sign in.
    """

    uid: str
    kind: str
    at: datetime
    email: str
    data: dict[str, Any]
    link: str | None


class Sender(Protocol):
    """One channel that can send."""

    @property
    def channel(self) -> Channel:
        """Its name and the kinds of notices that it sends."""

    def send(self, message: Message) -> None:
        """Send one notice, within its time limit. Raises SendFailed."""


@contextmanager
def cut_after(
    seconds: float, find_socket: Callable[[], socket.socket | None]
) -> Iterator[Callable[[], bool]]:
    """Shut the connection that `find_socket` returns when the time is over; yields whether that has happened.

    The time limit of a socket starts again with every byte: a receiver that sends byte by byte would never end.
    """
    done, was_cut = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        was_cut.set()
        while True:
            connection = find_socket()
            if connection is not None:
                with suppress(OSError):
                    # Not SSLSocket's own method: it removes the TLS session while the other thread reads.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            if done.wait(CUT_AGAIN_SECONDS):
                return

    watcher = threading.Thread(target=watch, name="notice-limit", daemon=True)
    watcher.start()
    try:
        yield was_cut.is_set
    finally:
        done.set()
        watcher.join()


def clean(text: object, length: int = 200) -> str:
    """Return a receiver's text as one printable line."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    return " ".join(line.split())[:length]
