"""`tempoftp key`: new keys, and how both keys of the service are changed without losing anything."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import select

from tempoftp.access.tokens import Role, create_token, give_key
from tempoftp.cli import service as service_module
from tempoftp.cli.keys import add, retire, rotate
from tempoftp.cli.service import report_missing_keys
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Token
from tempoftp.settings import Settings, load_settings

OLD, NEW, SECRET = (Fernet.generate_key().decode() for _ in range(3))


def test_new_prints_a_key_that_the_service_takes(tempoftp_alone) -> None:
    first, second = tempoftp_alone("key", "new"), tempoftp_alone("key", "new")
    assert first.code == 0
    assert first.out != second.out
    token = Fernet(first.out.strip()).encrypt(b"clave").decode()
    assert tempoftp_alone("decrypt", token, TEMPOFTP_ENCRYPTION_KEY=first.out.strip()).out == "clave\n"


@pytest.fixture
def stored(tempoftp_alone, tmp_path: Path) -> Database:
    """A service's database with one account, whose password is encrypted with the old key."""
    assert tempoftp_alone("db", "upgrade").code == 0
    database = Database(f"sqlite:///{tmp_path / 'state' / 'tempoftp.sqlite3'}")
    token = Fernet(OLD).encrypt(b"clave").decode()
    with database.write() as session:
        session.add(
            Account(name="ftp_a", email="a@dominio", ftp_host="ftp1", token=token, created_at=utc_now())
        )
    yield database
    database.close()


def read_token(database: Database) -> str:
    with database.read() as session:
        return session.scalars(select(Account.token)).one()


def test_rotate_encrypts_stored_passwords_with_the_new_key(tempoftp_alone, stored: Database) -> None:
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=f"{NEW},{OLD}")
    assert (ended.code, ended.out) == (0, "1 encrypted anew, 0 had the first key already\n")
    assert Fernet(NEW).decrypt(read_token(stored)) == b"clave"
    again = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert (again.code, again.out) == (0, "0 encrypted anew, 1 had the first key already\n")


def test_rotate_without_the_old_key_names_the_accounts_and_changes_nothing(
    tempoftp_alone, stored: Database
) -> None:
    before = read_token(stored)
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert ended.code == 6
    assert "ftp_a" in ended.err
    assert "old key" in ended.err
    assert before not in ended.err + ended.out
    assert read_token(stored) == before


@pytest.mark.parametrize(("keys", "silent"), [(NEW, False), (f"{NEW},{OLD}", True)], ids=["new only", "both"])
def test_a_missing_key_is_logged_at_the_start(
    stored: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, keys: str, silent: bool
) -> None:
    report_missing_keys(
        Settings(
            simulacro=True,
            encryption_key=keys,
            secret_key=Fernet.generate_key().decode(),
            state_dir=tmp_path / "state",
        )
    )
    assert ("ftp_a" not in caplog.text) == silent
    assert {record.levelno for record in caplog.records} == (set() if silent else {logging.ERROR})


@pytest.fixture
def token_key(stored: Database) -> str:
    """The own key of a token, encrypted with the old key."""
    with stored.write() as session:
        create_token(session, "portal", Role.CLIENTE, ["*"])
        return give_key(session, "portal", MultiFernet([Fernet(OLD)]))


def test_the_tokens_own_keys_survive_a_rotation(tempoftp_alone, stored: Database, token_key: str) -> None:
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=f"{NEW},{OLD}")
    assert (ended.code, ended.out) == (0, "2 encrypted anew, 0 had the first key already\n")
    with stored.read() as session:
        sealed = session.get_one(Token, "portal").key
    assert sealed is not None
    assert Fernet(NEW).decrypt(sealed.encode()).decode() == token_key


def test_a_tokens_key_that_no_key_reads_is_named(tempoftp_alone, stored: Database, token_key: str) -> None:
    ended = tempoftp_alone("key", "rotate", TEMPOFTP_ENCRYPTION_KEY=NEW)
    assert (ended.code, "(ftp_a, token portal)" in ended.err) == (6, True)
    assert token_key not in ended.out + ended.err


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: Database) -> Iterator[Path]:
    """A service's settings file, the only place that has its settings, with a group that may read it."""
    path = tmp_path / "etc" / "default"
    path.parent.mkdir()
    path.write_text(
        "# Kept by Ansible.\n"
        "TEMPOFTP_SECRET_KEY=left-from-long-ago\n"
        f"TEMPOFTP_ENCRYPTION_KEY='{OLD}'\n\n"
        "#TEMPOFTP_PORT=9043\n"
        "TEMPOFTP_SIMULACRO=1\n"
        f"TEMPOFTP_STATE_DIR={tmp_path / 'state'}\n"
        f"TEMPOFTP_SECRET_KEY={SECRET}\n"
    )
    path.chmod(0o640)
    monkeypatch.setattr(service_module, "ENV_FILES", (tmp_path / "none", path))
    # A client's own key, exported in the shell of an administrator, is none of the service's.
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    yield path
    for name in [name for name in os.environ if name.startswith("TEMPOFTP_")]:
        del os.environ[name]


@pytest.fixture
def run(env_file: Path) -> Any:
    """Run a command in this process, in a shell without the service's settings."""

    def call(command: click.Command, *arguments: str) -> Result:
        kept = {name: value for name, value in os.environ.items() if name.startswith("TEMPOFTP_")}
        try:
            return CliRunner().invoke(command, arguments)
        finally:
            for name in [name for name in os.environ if name.startswith("TEMPOFTP_")]:
                del os.environ[name]
            os.environ.update(kept)

    return call


def read_setting(path: Path, name: str) -> list[str]:
    return service_module.parse_env_text(path.read_text())[name].split(",")


def test_add_puts_a_new_key_first_and_changes_nothing_else(run, env_file: Path) -> None:
    before = env_file.read_text().splitlines()
    inode = env_file.stat()
    ended = run(add, "secret")
    assert (ended.exit_code, ended.stdout) == (0, f"{env_file}: TEMPOFTP_SECRET_KEY has 2 keys\n")
    assert "systemctl restart" in ended.stderr and "retire secret" in ended.stderr
    new, old = read_setting(env_file, "TEMPOFTP_SECRET_KEY")
    assert old == SECRET != new
    assert new not in ended.output
    after = env_file.read_text().splitlines()
    assert after == [before[0], *before[2:-1], f"TEMPOFTP_SECRET_KEY={new},{SECRET}"]
    changed = env_file.stat()
    assert (changed.st_mode, changed.st_uid, changed.st_gid) == (inode.st_mode, inode.st_uid, inode.st_gid)
    assert list(env_file.parent.iterdir()) == [env_file]
    assert json.loads(run(add, "secret", "--json").stdout)["keys"] == 3


def test_both_keys_are_changed_by_commands_and_nothing_is_lost(
    run, env_file: Path, stored: Database, token_key: str
) -> None:
    assert run(add, "encryption").exit_code == 0
    new, old = read_setting(env_file, "TEMPOFTP_ENCRYPTION_KEY")
    assert old == OLD
    refused = run(retire, "encryption")
    assert (refused.exit_code, "ftp_a, token portal" in refused.output) == (4, True)
    assert read_setting(env_file, "TEMPOFTP_ENCRYPTION_KEY") == [new, OLD]
    assert run(rotate).stdout == "2 encrypted anew, 0 had the first key already\n"
    assert run(retire, "encryption").stdout == (
        f"{env_file}: 1 older keys removed from TEMPOFTP_ENCRYPTION_KEY\n"
    )
    assert read_setting(env_file, "TEMPOFTP_ENCRYPTION_KEY") == [new]
    assert Fernet(new).decrypt(read_token(stored)) == b"clave"
    assert run(add, "secret").exit_code == 0
    assert json.loads(run(retire, "secret", "--json").stdout)["removed"] == 1
    assert json.loads(run(retire, "secret", "--json").stdout)["removed"] == 0
    values = service_module.parse_env_text(env_file.read_text())
    fields = {name.removeprefix("TEMPOFTP_").lower(): value for name, value in values.items()}
    assert load_settings(**fields).list_keys() == [new]


def test_a_host_without_a_settings_file_says_what_to_do(run, env_file: Path) -> None:
    env_file.unlink()
    for command in (add, retire):
        ended = run(command, "secret")
        assert (ended.exit_code, "tempoftp key new" in ended.output) == (2, True)


def test_a_file_without_the_key_is_not_given_one(run, env_file: Path) -> None:
    env_file.write_text("# TEMPOFTP_SECRET_KEY=x\nTEMPOFTP_SIMULACRO=1\n")
    ended = run(add, "secret")
    assert (ended.exit_code, "has no TEMPOFTP_SECRET_KEY" in ended.output) == (2, True)
    assert "x" in env_file.read_text()
