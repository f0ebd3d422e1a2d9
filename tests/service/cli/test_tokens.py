"""`tempoftp token`: a token is shown once, and the API accepts it until it is revoked."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tempoftp.access.identities import Identity, admit_identity
from tempoftp.access.tokens import Role
from tempoftp.cli import service as service_module
from tempoftp.db.engine import open_database
from tempoftp.settings import Settings


def test_create_prints_a_token_that_the_api_accepts(tempoftp, service) -> None:
    made = tempoftp("token", "create", "portal", "--email", "Ana@dominio", "--days", "30")
    assert made.code == 0, made.err
    assert "not shown again" in made.err
    headers = {"Authorization": f"Bearer {made.out.strip()}"}
    assert httpx.get(f"{service.url}/tmpftp", headers=headers, trust_env=False).json()["total"] == 0
    (row,) = [row for row in json.loads(tempoftp("token", "list", "--json").out) if row["name"] == "portal"]
    assert (row["role"], row["state"], row["emails"]) == ("cliente", "valid", ["ana@dominio"])
    assert row["expires"] > row["created"]
    assert made.out.strip() not in tempoftp("token", "list").out


def test_create_with_a_key_prints_both_and_decrypt_reads_passwords_with_it(tempoftp) -> None:
    made = tempoftp("token", "create", "con-clave", "--email", "clave@dominio", "--key")
    assert made.code == 0, made.err
    secret, key = made.out.split()
    assert "keep both" in made.err
    client = {"TEMPOFTP_TOKEN": secret, "TEMPOFTP_ENCRYPTION_KEY": key}
    asked = tempoftp("request", "clave@dominio", "clave_1", "source1:/srv/datos/a", "--watch", **client)
    assert asked.code == 0, asked.err
    clear = tempoftp("decrypt", "--id", "clave_1", **client)
    assert (clear.code, len(clear.out.strip())) == (0, 20)
    # With the service's key, as an operator has it who was given one, this token's password cannot be read.
    assert tempoftp("decrypt", "--id", "clave_1", TEMPOFTP_TOKEN=secret).code == 6
    shown = tempoftp("credentials", "clave_1", "--json", TEMPOFTP_TOKEN=secret, TEMPOFTP_ENCRYPTION_KEY="")
    assert json.loads(shown.out)["password"] == clear.out.strip()
    listed = {row["name"]: row["key"] for row in json.loads(tempoftp("token", "list", "--json").out)}
    assert listed["con-clave"] is True
    printed = tempoftp("token", "list").out
    assert key not in printed and secret not in printed


def test_key_gives_a_token_another_key(tempoftp) -> None:
    made = json.loads(tempoftp("token", "create", "rota", "--role", "operador", "--key", "--json").out)
    renewed = tempoftp("token", "key", "rota")
    assert renewed.code == 0, renewed.err
    assert renewed.out.strip() != made["key"]
    Fernet(renewed.out.strip())
    again = json.loads(tempoftp("token", "key", "rota", "--json").out)
    assert (again["name"], again["key"] not in (made["key"], renewed.out.strip())) == ("rota", True)
    assert tempoftp("token", "revoke", "rota").code == 0
    assert tempoftp("token", "key", "rota").code == 4


def test_client_commands_send_the_token(tempoftp) -> None:
    secret = tempoftp("token", "create", "cliente", "--email", "cli@dominio").out.strip()
    asked = tempoftp("request", "cli@dominio", "cli_1", "source1:/srv/datos/a", TEMPOFTP_TOKEN=secret)
    assert asked.code == 0, asked.err
    other = tempoftp("request", "otra@dominio", "cli_2", "source1:/srv/datos/a", TEMPOFTP_TOKEN=secret)
    assert (other.code, "403" in other.err) == (4, True)
    assert tempoftp("status", "cli_1", TEMPOFTP_TOKEN="").code == 4
    assert "HTTP 401" in tempoftp("status", "cli_1", TEMPOFTP_TOKEN="otra").err


def test_a_revoked_token_is_refused_at_once(tempoftp) -> None:
    secret = tempoftp("token", "create", "breve", "--role", "operador").out.strip()
    assert tempoftp("list", TEMPOFTP_TOKEN=secret).code == 0
    assert tempoftp("token", "revoke", "breve").out == "breve: revoked\n"
    assert tempoftp("list", TEMPOFTP_TOKEN=secret).code == 4
    assert "breve\toperador\trevoked" in tempoftp("token", "list").out


def test_readmit_allows_a_revoked_person_again(tempoftp, service) -> None:
    ana = Identity("https://login.example.org", "1", Role.CLIENTE, "ana@dominio.example")
    key = SecretStr(service.environ["TEMPOFTP_ENCRYPTION_KEY"])
    database = open_database(
        Settings(
            simulacro=True,
            encryption_key=key,
            secret_key=SecretStr(service.environ["TEMPOFTP_SECRET_KEY"]),
            state_dir=service.state_dir,
        )
    )
    with database.write() as session:
        name = admit_identity(session, ana, timedelta(hours=1)).name
    database.close()
    assert tempoftp("token", "revoke", name).code == 0
    assert tempoftp("token", "readmit", name).out == f"{name}: may sign in again\n"
    (row,) = [row for row in json.loads(tempoftp("token", "list", "--json").out) if row["name"] == name]
    assert row["state"] == "expired"
    assert json.loads(tempoftp("token", "readmit", name, "--json").out) == {"name": name, "state": "expired"}


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("create", "sin_correos"), 4),
        (("create", "a", "--email", "nada"), 4),
        (("create", "a", "--role", "operador", "--email", "ana@dominio"), 4),
        (("create", "con espacio", "--email", "*"), 4),
        (("create", "a", "--role", "root", "--email", "*"), 2),
        (("create", "a", "--email", "*", "--days", "0"), 2),
        (("key", "nadie"), 4),
        (("revoke", "nadie"), 4),
        (("readmit", "nadie"), 4),
        (("readmit", "oidc:nadie"), 4),
    ],
)
def test_wrong_arguments_are_refused(tempoftp_alone, argv: tuple[str, ...], code: int) -> None:
    ended = tempoftp_alone("token", *argv)
    assert ended.code == code
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_a_shell_on_the_host_gets_the_services_settings(
    tempoftp_alone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tempoftp_alone("token", "create", "aqui", "--email", "*").code == 0
    environ = {
        "TEMPOFTP_ENCRYPTION_KEY": "",
        "TEMPOFTP_SIMULACRO": "1",
        "TEMPOFTP_STATE_DIR": f'"{tmp_path / "state"}"',
    }
    file = tmp_path / "default"
    file.write_text(
        "# a comment = no setting\n\n; another\n" + "".join(f"{k}={v}\n" for k, v in environ.items())
    )
    monkeypatch.setattr(service_module, "ENV_FILES", (tmp_path / "none", file))
    assert service_module.read_env_file() == environ | {"TEMPOFTP_STATE_DIR": str(tmp_path / "state")}
