"""The real application on a temporary database; nothing works on what is asked, unless a test runs the worker."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tempoftp.access.tokens import Role, create_token
from tempoftp.app import create_app
from tempoftp.db.models import HistoryEntry, Share
from tempoftp.db.schema import upgrade_database
from tempoftp.http.context import ApiContext
from tempoftp.settings import Settings, load_settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State

SOURCES = """\
sources:
  source1:
    aliases: [datos.example.org]
    ssh_user: lanotadm
    roots:
      - {name: datos, path: /srv/datos, ssh_key_file: /etc/tempoftp/ssh/source1-datos}
"""


@pytest.fixture(scope="session")
def fresh_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with an empty, migrated database, to be copied: migrating costs more than most tests here."""
    folder = tmp_path_factory.mktemp("fresh") / "state"
    upgrade_database(build_settings(folder, folder / "sources.yml"))
    return folder


def build_settings(state_dir: Path, sources_file: Path) -> Settings:
    return load_settings(
        simulacro=True,
        encryption_key=Fernet.generate_key().decode(),
        state_dir=state_dir,
        sources_file=sources_file,
        deletion_wait_seconds=0.2,
        # Where the test client seems to call from: it may do everything, unless it sends a token.
        address_roles="127.0.0.1=operador",
        # A fuzz posts faster than any application.
        rate_writes="100000/minute",
        rate_links="100000/minute",
    )


@pytest.fixture
def settings(tmp_path: Path, fresh_state: Path) -> Settings:
    sources = tmp_path / "sources.yml"
    sources.write_text(SOURCES)
    shutil.copytree(fresh_state, tmp_path / "state")
    return build_settings(tmp_path / "state", sources)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.extensions["tempoftp"].database.close()


@pytest.fixture
def context(app: Flask) -> ApiContext:
    return app.extensions["tempoftp"]


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
    """Make a token; what is returned is the header that carries it."""

    def make(
        *emails: str, role: Role = Role.CLIENTE, name: str = "aplicacion", lifetime: timedelta | None = None
    ) -> dict[str, str]:
        with context.write() as session:
            secret = create_token(session, name, role, emails, lifetime=lifetime)
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def body() -> dict[str, Any]:
    """The seed's request of §5, against a source that these settings allow."""
    return {
        "usuario": "alguien@dominio",
        "id": "proyecto_real_1",
        "ruta": "lanotadm@source1:/srv/datos/goes",
        "vigencia": 3,
    }


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
def move_share(context: ApiContext) -> Callable[..., None]:
    """Bring a share into a state by legal transitions, with what a run would have learned."""

    def move(share_id: str, *states: State, **columns: object) -> None:
        with context.database.write() as session:
            share = session.get_one(Share, share_id)
            for state in states:
                transition(session, share, state, reason="test", author="test")
            for name, value in columns.items():
                setattr(share, name, value)

    return move
