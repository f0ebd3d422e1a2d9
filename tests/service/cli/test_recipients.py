"""`tempoftp link` and `tempoftp extensions`, against the running service and a recipient with a link."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.processes


@pytest.fixture
def ask(service: Any, tempoftp: Any) -> Any:
    """Make a ready share whose recipient asks for this number of days more; return the address of its link."""

    def make(share_id: str, days: int | None = None) -> str:
        done = tempoftp(
            "request",
            f"{share_id}@dominio",
            share_id,
            "source1:/srv/datos/tarda-0",
            "--vigencia",
            "3",
            "--watch",
        )
        assert done.code == 0, done.err
        made = tempoftp("link", "make", share_id)
        assert made.code == 0, made.err
        address = service.url + made.out.strip()
        if days is not None:
            body = {"dias": days, "motivo": "sigo bajando"}
            asked = httpx.post(f"{address}/prorroga", json=body, trust_env=False)
            assert asked.status_code == 200, asked.text
        return address

    return make


def test_a_link_opens_the_share_until_it_is_revoked(tempoftp: Any, ask: Any) -> None:
    address = ask("cli_enlace")
    assert httpx.get(address, trust_env=False).json()["id"] == "cli_enlace"
    answer = json.loads(tempoftp("link", "make", "cli_enlace", "--json").out)
    assert answer["id"] == "cli_enlace"
    revoked = tempoftp("link", "revoke", "cli_enlace")
    assert (revoked.code, revoked.out) == (0, "cli_enlace: no link made so far opens anything\n")
    assert httpx.get(address, trust_env=False).status_code == 404
    assert json.loads(tempoftp("link", "revoke", "cli_enlace", "--json").out)["status"] == "ok"
    assert tempoftp("link", "make", "no_existe").code == 4


def test_more_days_are_listed_and_granted(tempoftp: Any, ask: Any) -> None:
    ask("cli_dias", 4)
    ask("cli_otros", 4)
    lines = [line.split("\t") for line in tempoftp("extensions", "list").out.splitlines()]
    assert [(line[0], line[2], line[-1]) for line in lines if line[0] == "cli_dias"] == [
        ("cli_dias", "4", "sigo bajando")
    ]
    assert tempoftp("extensions", "grant", "cli_dias").out.startswith("cli_dias: listo  until 20")
    given = json.loads(tempoftp("extensions", "grant", "cli_otros", "--days", "2", "--json").out)
    assert (given["vigencia"], given["prorroga"]["estado"]) == (5, "aceptada")
    assert tempoftp("extensions", "grant", "cli_dias").code == 4, "it was decided already"
    listed = json.loads(tempoftp("extensions", "list", "--estado", "aceptada", "--json").out)
    assert {entry["id"] for entry in listed["prorrogas"]} >= {"cli_dias", "cli_otros"}


def test_more_days_are_refused_with_a_reason(tempoftp: Any, ask: Any) -> None:
    address = ask("cli_no", 4)
    done = tempoftp("extensions", "refuse", "cli_no", "--answer", "no hay espacio")
    assert (done.code, done.out.split()[:2]) == (0, ["cli_no:", "listo"])
    shown = httpx.get(address, trust_env=False).json()
    assert (shown["vigencia"], shown["prorroga"]["respuesta"]) == (3, "no hay espacio")
    assert tempoftp("extensions", "refuse", "cli_no").code == 4
    assert tempoftp("extensions", "list", "--estado", "nada").code == 2
