"""What the endpoints need beside the request: the settings and the database, one pair per application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from tempoftp.settings import Settings
from tempoftp.shares.database import Database

_EXTENSION = "tempoftp"


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Settings and database of one application."""

    settings: Settings
    database: Database


def init_context(app: Flask, context: ApiContext) -> None:
    """Give `app` its context."""
    app.extensions[_EXTENSION] = context


def get_context() -> ApiContext:
    """Return the context of the application that handles the present request."""
    return cast(ApiContext, current_app.extensions[_EXTENSION])
