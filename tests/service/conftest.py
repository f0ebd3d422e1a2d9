"""Settings in a temporary folder, a migrated database, and ways to put shares into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import Share
from tempoftp.db.schema import upgrade_database
from tempoftp.settings import SIMULATED_FTP_HOST, Settings, load_settings
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.desk import Desk

SOURCES = """\
sources:
  source1:
    aliases: [datos.example.org]
    ssh_user: lanotadm
    roots:
      - {name: datos, path: /srv/datos, ssh_key_file: /etc/tempoftp/ssh/source1-datos}
      - {name: goes, path: /srv/datos/goes, ssh_key_file: /etc/tempoftp/ssh/source1-goes}
  plain:
    size_probe: du
    roots:
      - {name: todo, path: /archivo, restricted: false}
  here:
    local: true
    roots:
      - {name: todo, path: /archivo}
"""

AcceptShare = Callable[..., Share]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer has set must not leak into settings under test."""
    for name in list(os.environ):
        if name.startswith(("TEMPOFTP_", "FTP_DB_")) or name == "RSYNC_SSH_USER":
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    sources = tmp_path / "sources.yml"
    sources.write_text(SOURCES)
    return load_settings(
        simulacro=True,
        encryption_key=Fernet.generate_key().decode(),
        secret_key=Fernet.generate_key().decode(),
        state_dir=tmp_path / "state",
        sources_file=sources,
    )


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all migrations applied, to be copied: applying them takes longer than most tests."""
    state_dir = tmp_path_factory.mktemp("migrated")
    upgrade_database(
        Settings(
            simulacro=True,
            encryption_key=SecretStr(Fernet.generate_key().decode()),
            secret_key=SecretStr(Fernet.generate_key().decode()),
            state_dir=state_dir,
        )
    )
    return state_dir / "tempoftp.sqlite3"


@pytest.fixture
def database(settings: Settings, migrated_file: Path) -> Iterator[Database]:
    settings.state_dir.mkdir(mode=0o750, exist_ok=True)
    shutil.copy(migrated_file, settings.state_dir / "tempoftp.sqlite3")
    database = open_database(settings)
    yield database
    database.close()


@pytest.fixture
def accept_share(settings: Settings, database: Database) -> AcceptShare:
    """Accept a request and return its share as committed."""

    def accept(
        share_id: str = "p1",
        ruta: str = "source1:/srv/datos/a",
        usuario: str = "alguien@dominio",
        vigencia: int | None = 3,
    ) -> Share:
        request = ShareRequest(usuario=usuario, id=share_id, ruta=ruta, vigencia=vigencia)
        with database.write() as session:
            return create_share(session, settings, request, "tester", f"request-{share_id}").share

    return accept


@pytest.fixture
def read_share(database: Database) -> Callable[[str], Share]:
    """Read a share's row as it is now."""

    def read(share_id: str) -> Share:
        with database.read() as session:
            return session.get_one(Share, share_id)

    return read


@pytest.fixture
def ftp_host() -> str:
    return SIMULATED_FTP_HOST


@pytest.fixture
def runner(settings: Settings, database: Database) -> Iterator[HostRunner]:
    """What a worker does for one host, on the simulated one."""
    runner = HostRunner(settings, database, SimulatedProvisioner(settings.state_dir))
    yield runner
    runner.close()


@pytest.fixture
def desk(settings: Settings, database: Database, ftp_host: str, accept_share: Callable[..., Share]) -> Desk:
    accept_share("p1")
    return Desk(settings, database, ftp_host)
