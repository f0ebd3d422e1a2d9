"""What the endpoints need besides the request: settings, database, and limits that all requests of a process share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

from flask import Flask, current_app
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tempoftp.accounts.keys import KeyCheck
from tempoftp.db.engine import BUSY_SECONDS, Database
from tempoftp.http.metrics import RequestMeasures
from tempoftp.settings import Settings

Written = TypeVar("Written")
_EXTENSION = "tempoftp"
WAITING_SLOTS = 16
"""Threads that may wait for a change to be done, in addition to the `api_threads` for all other requests."""
STREAM_SLOTS = 8
"""Threads that may send streams of events, in addition to those."""
STREAMS_PER_CALLER = STREAM_SLOTS // 2
"""Most streams of one caller, so that one caller cannot take every slot."""
SIGN_IN_SLOTS = 4
"""Threads that may wait for the identity provider, in addition to those."""


class StreamSlots:
    """Counts the open streams of events, in all and by caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def acquire(self, caller: str) -> bool:
        """Take a slot for a caller; False when all slots are taken, or this caller has its most."""
        with self._lock:
            if self._taken.total() >= STREAM_SLOTS or self._taken[caller] >= STREAMS_PER_CALLER:
                return False
            self._taken[caller] += 1
            return True

    def release(self, caller: str) -> None:
        """Free a slot of this caller."""
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What one application has: settings, database, the check of its keys, counts of requests, and slots.

    The slots limit how many requests may wait for a change, stream events or call the identity provider at once.
    """

    settings: Settings
    database: Database
    key_check: KeyCheck
    requests: RequestMeasures = field(default_factory=RequestMeasures)
    waiting_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(WAITING_SLOTS)
    )
    stream_slots: StreamSlots = field(default_factory=StreamSlots)
    sign_in_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(SIGN_IN_SLOTS)
    )
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction; the threads of this process take turns.

        SQLite lets only one connection write at a time. Connections that wait for its lock poll for it, so with many of
        them one can wait for seconds; this lock serves the threads in turn. A thread waits for its turn at most as
        long as it would wait for SQLite's lock (when another process holds that).
        """
        with self._take_turn(), self.database.write() as session:
            yield session

    def transact(self, work: Callable[[Session], Written]) -> Written:
        """Do as `Database.transact`; the threads of this process take turns, as in `write`."""
        with self._take_turn():
            return self.database.transact(work)

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise OperationalError("BEGIN", None, TimeoutError(f"no turn to write within {BUSY_SECONDS} s"))
        try:
            yield
        finally:
            self._turn.release()


def init_context(app: Flask, context: ApiContext) -> None:
    """Give `app` its context."""
    app.extensions[_EXTENSION] = context


def get_context() -> ApiContext:
    """Return the context of the application that handles the present request."""
    return cast(ApiContext, current_app.extensions[_EXTENSION])
