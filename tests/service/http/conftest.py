"""The real application on a temporary database. No worker runs, unless a test starts one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tempoftp.access.tokens import Role, create_token, give_key
from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.http.context import ApiContext
from tempoftp.settings import Settings
from tempoftp.states import State
from tests.support.application import app, context, fresh_state, move_share, settings

__all__ = ["app", "context", "fresh_state", "move_share", "settings"]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def patient_client(app: Flask, settings: Settings) -> Iterator[FlaskClient]:
    """A client of an API on the same database that waits longer than any test does."""
    patient = create_app(settings.model_copy(update={"deletion_wait_seconds": 60}))
    yield patient.test_client()
    patient.extensions["tempoftp"].database.close()


@pytest.fixture
def wait_for_state(context: ApiContext) -> Callable[[str, State], None]:
    """Wait until a share is in a state."""

    def wait(share_id: str, state: State) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with context.database.read() as session:
                if session.get_one(Share, share_id).state == state:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{share_id} did not become {state}")

    return wait


@pytest.fixture
def make_token(context: ApiContext) -> Callable[..., dict[str, str]]:
    """Make a token and return the header with it."""

    def make(
        *emails: str, role: Role = Role.CLIENTE, name: str = "aplicacion", lifetime: timedelta | None = None
    ) -> dict[str, str]:
        with context.write() as session:
            secret = create_token(session, name, role, emails, lifetime=lifetime)
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def make_key(context: ApiContext) -> Callable[..., Fernet]:
    """Give a token a key of its own and return what decrypts with it."""

    def make(name: str = "aplicacion") -> Fernet:
        with context.write() as session:
            return Fernet(give_key(session, name, context.settings.build_fernet()))

    return make


@pytest.fixture
def body() -> dict[str, Any]:
    """A valid request, for a source that these settings allow."""
    return {
        "usuario": "alguien@dominio",
        "id": "proyecto_real_1",
        "ruta": "lanotadm@source1:/srv/datos/goes",
        "vigencia": 3,
    }


@pytest.fixture
def ready(client: FlaskClient, context: ApiContext, body: dict[str, Any], move_share: Any) -> str:
    """The id of a share that is `listo`, of an account that tempoftp made for it."""
    share_id = str(body["id"])
    client.post("/tmpftp", json=body)
    now = utc_now()
    move_share(
        share_id, State.LISTO, path=f"/data/x/{share_id}", ready_at=now, expires=now + timedelta(days=365)
    )
    with context.write() as session:
        account = session.get_one(Account, session.get_one(Share, share_id).ftpuser)
        account.origin, account.exists_since = "created", now
        account.password_confirmed = account.password_generation
        account.status = "present"
        share = session.get_one(Share, share_id)
        share.confirmed_generation, share.due_at, share.lifetime_confirmed = share.generation, None, 3
    return share_id


@pytest.fixture
def read_password(context: ApiContext) -> Callable[[str], str]:
    """The clear password of a share's account, as it is stored."""

    def read(share_id: str) -> str:
        with context.database.read() as session:
            stored = session.get_one(Account, session.get_one(Share, share_id).ftpuser).token
        return context.settings.build_fernet().decrypt((stored or "").encode()).decode()

    return read


@pytest.fixture
def count_rows(context: ApiContext) -> Callable[[], tuple[int, int]]:
    """How many shares and history rows there are."""

    def count() -> tuple[int, int]:
        with context.database.read() as session:
            shares = session.scalar(select(func.count()).select_from(Share)) or 0
            history = session.scalar(select(func.count()).select_from(HistoryEntry)) or 0
        return shares, history

    return count


@pytest.fixture
def ready_share(client: FlaskClient, body: dict[str, Any], move_share: Callable[..., None]) -> str:
    """The id of a share that is ready."""
    client.post("/tmpftp", json=body)
    move_share(body["id"], State.LISTO)
    return str(body["id"])
