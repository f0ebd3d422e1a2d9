"""What the endpoints need beside the request: the settings and the database, one pair per application."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

from tempoftp.api.metrics import RequestMeasures
from tempoftp.settings import Settings
from tempoftp.shares.database import Database
from tempoftp.shares.keys import KeyCheck

_EXTENSION = "tempoftp"
WAITING_SLOTS = 16
"""Threads that may wait for a change to be carried out, beside the `api_threads` that answer everything else."""
STREAM_SLOTS = 8
"""Threads that may send events for a while, beside those."""
SIGN_IN_SLOTS = 4
"""Threads that may wait for the provider of identities, beside those."""


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
    stream_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(STREAM_SLOTS)
    )
    sign_in_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(SIGN_IN_SLOTS)
    )
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction; the threads of this process take turns.

        Only one can write to SQLite at a time anyway, and those that wait for its lock poll for it, so that the
        unlucky one of many waits for seconds.
        """
        with self._turn, self.database.write() as session:
            yield session


def init_context(app: Flask, context: ApiContext) -> None:
    """Give `app` its context."""
    app.extensions[_EXTENSION] = context


def get_context() -> ApiContext:
    """Return the context of the application that handles the present request."""
    return cast(ApiContext, current_app.extensions[_EXTENSION])
