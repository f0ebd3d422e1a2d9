"""What every way of telling has in common: what is sent, how it fails, and that it ends in time."""

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
    """A notice did not arrive; the message says why, and has no secret in it. It is tried again."""


class RecipientRefused(SendFailed):
    """The receiver does not exist, as far as its server says: no later try can do better."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notice as it is sent. `link` leads to the recipient's page, None where that opens nothing any more.

    Of what operators are told it leads to their page, and opens nothing by itself.
    """

    uid: str
    kind: str
    at: datetime
    email: str
    data: dict[str, Any]
    link: str | None


class Sender(Protocol):
    """One channel: where it sends to, and how."""

    @property
    def channel(self) -> Channel:
        """Its name and what it tells of."""

    def send(self, message: Message) -> None:
        """Send one notice, within its time limit. Raises SendFailed."""


@contextmanager
def cut_after(
    seconds: float, find_socket: Callable[[], socket.socket | None]
) -> Iterator[Callable[[], bool]]:
    """Shut the connection that `find_socket` returns once the time is over; yields whether that has happened.

    The time limit of a socket counts anew with every byte: a receiver that drips would hold the sender for ever.
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
                    # Not SSLSocket's own: it takes the session away from under the thread that reads.
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
    """Return what a receiver said in one printable line."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    return " ".join(line.split())[:length]
