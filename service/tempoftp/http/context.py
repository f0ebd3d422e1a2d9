"""What the endpoints need beside the request: the settings and the database, one pair per application."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tempoftp.accounts.keys import KeyCheck
from tempoftp.db.engine import BUSY_SECONDS, Database
from tempoftp.http.metrics import RequestMeasures
from tempoftp.settings import Settings

_EXTENSION = "tempoftp"
WAITING_SLOTS = 16
"""Threads that may wait for a change to be carried out, beside the `api_threads` that answer everything else."""
STREAM_SLOTS = 8
"""Threads that may send events for a while, beside those."""
STREAMS_PER_CALLER = STREAM_SLOTS // 2
"""So many of them for one caller: nobody keeps everybody else out."""
SIGN_IN_SLOTS = 4
"""Threads that may wait for the provider of identities, beside those."""


class StreamSlots:
    """Who is sent events just now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def acquire(self, caller: str) -> bool:
        """Take a slot for a caller; False when there is none, or none for this one."""
        with self._lock:
            if self._taken.total() >= STREAM_SLOTS or self._taken[caller] >= STREAMS_PER_CALLER:
                return False
            self._taken[caller] += 1
            return True

    def release(self, caller: str) -> None:
        """Give back a slot that this caller has."""
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What one application has: settings, database, what is known of its keys, counts and slots.

    The slots bound how many of its requests may wait for a change, stream events, or ask the provider, at once.
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

        Only one can write to SQLite at a time anyway, and those that wait for its lock poll for it, so that the
        unlucky one of many waits for seconds. While somebody else has the lock, nobody stands in this queue for
        longer than one would wait for the lock.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise OperationalError("BEGIN", None, TimeoutError(f"no turn to write within {BUSY_SECONDS} s"))
        try:
            with self.database.write() as session:
                yield session
        finally:
            self._turn.release()


def init_context(app: Flask, context: ApiContext) -> None:
    """Give `app` its context."""
    app.extensions[_EXTENSION] = context


def get_context() -> ApiContext:
    """Return the context of the application that handles the present request."""
    return cast(ApiContext, current_app.extensions[_EXTENSION])
