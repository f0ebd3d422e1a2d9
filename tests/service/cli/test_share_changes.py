"""Every command that changes or ends a share, against the running service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.processes


@pytest.fixture
def make_ready(tempoftp: Any) -> Callable[..., str]:
    """Ask for a share and wait until it is ready."""

    def make(share_id: str, email: str | None = None) -> str:
        asked = tempoftp(
            "request", email or f"{share_id}@dominio", share_id, "source1:/srv/datos/tarda-0", "--watch"
        )
        assert asked.code == 0, asked.err
        return share_id

    return make


def read(tempoftp: Any, share_id: str) -> dict[str, Any]:
    return json.loads(tempoftp("status", share_id, "--json").out)


def test_block_and_unblock(tempoftp: Any, make_ready: Callable[..., str]) -> None:
    make_ready("cli_bloq")
    done = tempoftp("block", "cli_bloq", "--reason", "abuso")
    assert (done.code, done.out) == (0, "cli_bloq: bloqueado\n")
    shown = tempoftp("status", "cli_bloq")
    assert shown.code == 1
    assert "abuso" in shown.out
    assert tempoftp("unblock", "cli_bloq").out == "cli_bloq: listo\n"
    assert tempoftp("unblock", "no_existe").code == 4


def test_block_of_an_account(tempoftp: Any, make_ready: Callable[..., str]) -> None:
    for share_id in ("cli_cuenta_1", "cli_cuenta_2"):
        make_ready(share_id, "cli_cuenta@dominio")
    answer = json.loads(tempoftp("block", "cli_cuenta_1", "--account", "--json").out)
    assert (answer["status"], answer["alcance"], answer["en_mysql"]) == ("bloqueado", "cuenta", True)
    assert tempoftp("unblock", "cli_cuenta_1").code == 4
    assert tempoftp("unblock", "cli_cuenta_1", "--account").out == "cli_cuenta_1: listo\n"


def test_extend(tempoftp: Any, make_ready: Callable[..., str]) -> None:
    make_ready("cli_mas")
    done = tempoftp("extend", "cli_mas", "20")
    assert done.out.startswith("cli_mas: listo  until 20")
    share = read(tempoftp, "cli_mas")
    assert (share["vigencia"], share["pendiente"]) == (20, [])
    assert tempoftp("extend", "cli_mas", "0").code == 2
    assert tempoftp("extend", "cli_mas", "5000").code == 4


def test_password(tempoftp: Any, make_ready: Callable[..., str]) -> None:
    make_ready("cli_clave")
    before = tempoftp("decrypt", "--id", "cli_clave").out
    done = tempoftp("password", "cli_clave")
    assert done.out == "cli_clave: listo\nit opens: cli_clave\n"
    after = tempoftp("decrypt", "--id", "cli_clave").out
    assert after.strip()
    assert after != before


def test_retry_and_events(tempoftp: Any) -> None:
    asked = tempoftp(
        "request", "cli@dominio", "cli_otra", "source1:/srv/datos/falla-source_denied-5", "--watch"
    )
    assert asked.code == 1
    again = tempoftp("retry", "cli_otra", "--watch")
    assert again.code in (0, 1)  # the simulated source becomes readable some seconds after the first try
    while again.code == 1:
        again = tempoftp("retry", "cli_otra", "--watch")
    assert tempoftp("retry", "cli_otra").code == 4  # it has not failed any more
    lines = tempoftp("events", "cli_otra").out.splitlines()
    moves = [line.split("\t")[1] for line in lines]
    assert moves[0] == "- -> recibido"
    assert "error -> recibido" in moves
    assert moves[-1].endswith("-> listo")
    assert json.loads(tempoftp("events", "cli_otra", "--json").out)["id"] == "cli_otra"


def test_delete_ends_a_share(tempoftp) -> None:
    tempoftp("request", "borra@dominio", "borra_1", "source1:/srv/datos/tarda-0", "--watch")
    ended = tempoftp("delete", "borra_1")
    assert (ended.code, ended.out) == (0, "borra_1: deleted\n")
    assert tempoftp("status", "borra_1").code == 4


def test_delete_ends_a_share_that_is_being_copied(tempoftp) -> None:
    tempoftp("request", "borra@dominio", "borra_2", "source1:/srv/datos/tarda-600")
    assert json.loads(tempoftp("delete", "borra_2", "--json").out) == {"status": "deleted", "id": "borra_2"}


def test_delete_of_an_unknown_share_exits_4(tempoftp) -> None:
    assert tempoftp("delete", "no_existe").code == 4
    assert tempoftp("delete", "..").code == 2


def test_delete_account(tempoftp: Any, make_ready: Callable[..., str]) -> None:
    for share_id in ("cli_fin_1", "cli_fin_2"):
        make_ready(share_id, "cli_fin@dominio")
    ended = tempoftp("delete-account", "ftp_cli_fin_dominio")
    assert ended.out == "ftp_cli_fin_dominio: deleted (cli_fin_1, cli_fin_2)\n"
    assert tempoftp("status", "cli_fin_1").code == 4
    assert tempoftp("delete-account", "ftp_cli_fin_dominio").code == 4
    assert "eliminado" in tempoftp("events", "cli_fin_1").out
