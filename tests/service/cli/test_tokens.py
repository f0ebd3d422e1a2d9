"""`tempoftp token`: a token is shown once, and the API accepts it until it is revoked."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
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
    database = open_database(Settings(simulacro=True, encryption_key=key, state_dir=service.state_dir))
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
