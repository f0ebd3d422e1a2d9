"""What the endpoints need beside the request: the settings and the database, one pair per application."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from tempoftp.settings import Settings
from tempoftp.shares.database import Database

_EXTENSION = "tempoftp"
DELETION_SLOTS = 16
"""Threads that may wait for deletions, beside the `api_threads` that answer everything else."""


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Settings and database of one application, and how many of its requests may wait for a deletion at once."""

    settings: Settings
    database: Database
    deletion_slots: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(DELETION_SLOTS)
    )


def init_context(app: Flask, context: ApiContext) -> None:
    """Give `app` its context."""
    app.extensions[_EXTENSION] = context


def get_context() -> ApiContext:
    """Return the context of the application that handles the present request."""
    return cast(ApiContext, current_app.extensions[_EXTENSION])
