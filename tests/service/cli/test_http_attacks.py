"""Attacks over HTTP, sent through a socket to a running service: each gets the right refusal.

401 no token, 404 another's id, 413 a body of 50 MB, 422 wrong types, 422 unknown keys, 429 a flood; never 500.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.processes

BODY = {"usuario": "victima@dominio", "id": "victima_1", "ruta": "source1:/srv/datos/a", "vigencia": 3}


@pytest.fixture(scope="module")
def victim(service) -> Iterator[str]:
    """A share of another person."""
    with httpx.Client(
        base_url=service.url, headers=bearer(service.environ["TEMPOFTP_TOKEN"]), trust_env=False
    ) as http:
        assert http.post("/tmpftp", json=BODY).status_code in (200, 202)
        yield str(BODY["id"])


@pytest.fixture
def attacker(tempoftp, service, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client with a token of its own, for its own e-mail only."""
    name = f"atacante-{abs(hash(request.node.name))}"
    made = tempoftp("token", "create", name, "--email", "atacante@dominio")
    assert made.code == 0, made.err
    with httpx.Client(
        base_url=service.url, headers=bearer(made.out.strip()), trust_env=False, timeout=30
    ) as http:
        yield http
    assert tempoftp("token", "revoke", name).code == 0


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


Attack = Callable[[httpx.Client, str], httpx.Response]


def post(http: httpx.Client, **change: Any) -> httpx.Response:
    return http.post("/tmpftp", json=BODY | {"usuario": "atacante@dominio", "id": "ataque"} | change)


ATTACKS: dict[str, tuple[int, Attack]] = {
    "no token": (401, lambda http, _: httpx.get(f"{http.base_url}/tmpftp", trust_env=False)),
    "a wrong token": (401, lambda http, _: http.get("/tmpftp", headers=bearer("tempoftp_" + "A" * 43))),
    "a token of another scheme": (401, lambda http, _: http.get("/tmpftp", auth=("admin", "admin"))),
    "a forged address": (
        401,
        lambda http, _: httpx.get(
            f"{http.base_url}/tmpftp",
            headers={
                "X-Forwarded-For": "127.0.0.1",
                "X-Forwarded-User": "admin",
                "Forwarded": "for=127.0.0.1",
            },
            trust_env=False,
        ),
    ),
    "to see another's share": (404, lambda http, victim: http.get(f"/tmpftp/{victim}")),
    "to end another's share": (404, lambda http, victim: http.delete(f"/tmpftp/{victim}")),
    "somebody else's e-mail": (403, lambda http, _: post(http, usuario="victima@dominio")),
    "to take over another's id": (409, lambda http, victim: post(http, id=victim)),
    "a body of 50 MB": (
        413,
        lambda http, _: http.post(
            "/tmpftp", content=b"x" * 50_000_000, headers={"Content-Type": "application/json"}
        ),
    ),
    "wrong types": (422, lambda http, _: post(http, usuario=["a@b"], id={"$gt": ""}, ruta=1, vigencia="3")),
    "unknown keys": (422, lambda http, _: post(http, estado="listo", ftpuser="root", __proto__={})),
    "nested deep": (
        422,
        lambda http, _: http.post(
            "/tmpftp",
            content='{"id":' * 500 + "1" + "}" * 500,
            headers={"Content-Type": "application/json"},
        ),
    ),
    "another method": (405, lambda http, victim: http.put(f"/tmpftp/{victim}", json={"estado": "listo"})),
    "a method smuggled": (
        404,
        lambda http, victim: http.get(f"/tmpftp/{victim}", headers={"X-HTTP-Method-Override": "DELETE"}),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_gets_its_refusal(attacker: httpx.Client, service, victim: str, name: str) -> None:
    status, attack = ATTACKS[name]
    answer = attack(attacker, victim)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json()) <= {"codigo", "title", "detail", "errores"}
    assert "Traceback" not in answer.text
    owner = httpx.get(
        f"{service.url}/tmpftp/{victim}", headers=bearer(service.environ["TEMPOFTP_TOKEN"]), trust_env=False
    ).json()
    assert (owner["email"], owner["status"] in ("eliminando", "error")) == ("victima@dominio", False)
    assert attacker.get("/tmpftp").json()["total"] == 0


def test_a_flood_gets_429_and_others_are_still_answered(attacker: httpx.Client, service) -> None:
    def ask(number: int) -> httpx.Response:
        return attacker.post(
            "/tmpftp", content=json.dumps({"id": number}), headers={"Content-Type": "application/json"}
        )

    answers: list[httpx.Response] = []
    with ThreadPoolExecutor(8) as threads:
        while len(answers) < 2000 and 429 not in {answer.status_code for answer in answers}:
            answers += threads.map(ask, range(100))
    # One application could have sent 200 requests.
    assert [answer.status_code for answer in answers[:200]] == [422] * 200
    assert {answer.status_code for answer in answers} == {422, 429}
    for answer in answers:
        assert (answer.status_code == 429) == ("Retry-After" in answer.headers)
        assert 1 <= int(answer.headers.get("Retry-After", 1)) <= 61
    other = httpx.get(
        f"{service.url}/tmpftp", headers=bearer(service.environ["TEMPOFTP_TOKEN"]), trust_env=False
    )
    assert other.status_code == 200
