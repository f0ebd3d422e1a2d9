"""A users table exactly as in the seed's section 4.3: a new account can log in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_client import ApiClient
from tests.support.ftps import log_in, read_tree
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

SEED_TABLE = """
CREATE TABLE users (
  User VARCHAR(64) PRIMARY KEY,
  Password VARCHAR(64) NOT NULL,
  Uid INT NOT NULL,
  Gid INT NOT NULL,
  Dir VARCHAR(255) NOT NULL,
  Status TINYINT NOT NULL DEFAULT 1
)
"""


@pytest.fixture
def seed_table(stage: Stage) -> Iterator[None]:
    """Replace our table by the seed's, with its login query, and restore ours at the end."""
    stage.query("RENAME TABLE users TO users_ours")
    stage.query(SEED_TABLE)
    stage.run_playbook("playbooks/site.yml", "--limit", "ftp1", "-e", "ftp_database_manage_table=false")
    try:
        yield
    finally:
        stage.query("DROP TABLE users; RENAME TABLE users_ours TO users")
        stage.run_playbook("playbooks/site.yml", "--limit", "ftp1")


@pytest.mark.usefixtures("seed_table")
def test_new_account_on_the_seeds_table(api: ApiClient, stage: Stage) -> None:
    source = stage.make_tree("semilla", files=2)
    api.post("semilla@dominio.example", "semilla_1", f"source1:{source}")
    ready = api.wait_ready("semilla_1")
    row = stage.query(
        f"SELECT Password, Uid, Gid, Dir, Status FROM users WHERE User='{ready['usuario']}'"
    ).split("\t")
    assert len(row[0]) <= 64
    assert row[1:] == ["2001", "2001", f"/data/{ready['usuario']}", "1\n"]
    with log_in(stage.ftp_address, ready["usuario"], stage.decrypt(ready["password"])) as client:
        assert read_tree(client, "/semilla_1") == stage.digest_source(source)
    api.delete("semilla_1")
