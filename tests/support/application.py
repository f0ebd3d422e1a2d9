"""Fixtures of the real application on a temporary database, for the tests of the API and of the portal.

Requests are not carried out unless a test runs the worker. These fixtures are not in a conftest above both folders,
because other tests of the service have other settings.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from tempoftp.app import create_app
from tempoftp.db.models import Share
from tempoftp.db.schema import upgrade_database
from tempoftp.http.context import ApiContext
from tempoftp.phrases import Phrase
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
    """A state folder with an empty, migrated database. Tests copy it, which is faster than migrating."""
    folder = tmp_path_factory.mktemp("fresh") / "state"
    upgrade_database(build_settings(folder, folder / "sources.yml"))
    return folder


def build_settings(state_dir: Path, sources_file: Path) -> Settings:
    return load_settings(
        simulacro=True,
        encryption_key=Fernet.generate_key().decode(),
        secret_key=Fernet.generate_key().decode(),
        state_dir=state_dir,
        sources_file=sources_file,
        deletion_wait_seconds=0.2,
        # The address of the test client: it may do everything, unless it sends a token.
        address_roles="127.0.0.1=operador",
        # Fuzzing sends requests faster than any application does.
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
def move_share(context: ApiContext) -> Callable[..., None]:
    """Bring a share into a state by legal transitions, with the values that a run would have reported."""

    def move(share_id: str, *states: State, **columns: object) -> None:
        with context.database.write() as session:
            share = session.get_one(Share, share_id)
            for state in states:
                transition(session, share, state, reason=Phrase("verbatim", text="test"), author="test")
            for name, value in columns.items():
                setattr(share, name, value)

    return move
