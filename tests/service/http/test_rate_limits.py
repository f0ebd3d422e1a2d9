"""Too many requests are answered 429 with `Retry-After`; 200 requests of one application at once are not too many."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.http.rate_limits import name_network
from tempoftp.settings import Settings
from tests.support.redis_server import run_redis

STRANGER = {"REMOTE_ADDR": "192.0.2.9"}
DEFAULTS = ("rate_reads", "rate_writes", "rate_strangers")


@pytest.fixture
def make_app(settings: Settings) -> Callable[..., Flask]:
    """The application with the default limits, or others."""

    def make(**changes: Any) -> Flask:
        defaults = {name: Settings.model_fields[name].default for name in DEFAULTS}
        return create_app(Settings.model_validate(settings.model_dump() | defaults | changes))

    return make


@pytest.fixture(autouse=True)
def frozen_clock():
    """Wait, so that no window of a limit ends during a test."""
    with time_machine.travel("2026-11-23T12:00:01Z", tick=False) as clock:
        yield clock


def assert_told_to_wait(answer: Any) -> int:
    assert answer.status_code == 429, answer.text
    assert answer.mimetype == "application/problem+json"
    assert set(answer.json) == {"codigo", "title", "detail"}
    assert re.fullmatch(r"[1-9]\d?", answer.headers["Retry-After"])
    return int(answer.headers["Retry-After"])


def test_200_requests_of_one_application_at_once_are_accepted(
    make_app, body: dict[str, Any], make_token, count_rows
) -> None:
    app, headers = make_app(), make_token("*")

    def ask(number: int) -> int:
        answer = app.test_client().post(
            "/tmpftp", json=body | {"id": f"a{number}"}, headers=headers, environ_base=STRANGER
        )
        return answer.status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(200))) == [202] * 200
    assert count_rows() == (200, 200)


def test_requests_over_the_limit_are_429_and_write_nothing(
    make_app, body: dict[str, Any], count_rows, frozen_clock
) -> None:
    client = make_app(rate_writes="5/10second,8/minute").test_client()
    codes = [client.post("/tmpftp", json=body | {"id": f"a{number}"}).status_code for number in range(9)]
    assert codes == [202] * 5 + [429] * 4
    assert count_rows() == (5, 5)
    wait = assert_told_to_wait(client.delete("/tmpftp/a0"))
    assert wait <= 11
    frozen_clock.shift(wait)
    assert client.post("/tmpftp", json=body | {"id": "despues"}).status_code == 202


def test_every_caller_has_a_count_of_its_own(make_app, body: dict[str, Any], make_token) -> None:
    client = make_app(rate_writes="1/minute").test_client()
    tokens = [make_token("*", name=name) for name in ("una", "otra")]
    for number, headers in enumerate([*tokens, {}]):
        assert client.post("/tmpftp", json=body | {"id": f"a{number}"}, headers=headers).status_code == 202
        assert_told_to_wait(client.post("/tmpftp", json=body | {"id": f"b{number}"}, headers=headers))


def test_a_token_is_counted_wherever_it_calls_from(make_app, make_token) -> None:
    client, headers = make_app(rate_reads="2/minute").test_client(), make_token("*")
    for address in ("192.0.2.1", "192.0.2.2"):
        answer = client.get("/tmpftp", headers=headers, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == 200
    assert_told_to_wait(client.get("/tmpftp", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.3"}))


def test_reads_have_a_higher_limit_of_their_own(make_app, body: dict[str, Any]) -> None:
    client = make_app(rate_writes="1/minute").test_client()
    client.post("/tmpftp", json=body)
    assert_told_to_wait(client.post("/tmpftp", json=body))
    assert {client.get(f"/tmpftp/{body['id']}").status_code for _ in range(400)} == {202}


def test_guessing_tokens_is_limited_and_does_not_affect_others(make_app, make_token) -> None:
    app, headers = make_app(rate_strangers="10/minute"), make_token("*")
    client = app.test_client()
    guesses = [
        client.get("/tmpftp", headers={"Authorization": f"Bearer {number}"}, environ_base=STRANGER)
        for number in range(12)
    ]
    assert [answer.status_code for answer in guesses] == [401] * 10 + [429] * 2
    assert_told_to_wait(guesses[-1])
    assert_told_to_wait(client.get("/", environ_base=STRANGER))
    assert client.get("/tmpftp", headers=headers, environ_base=STRANGER).status_code == 200
    assert client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.10"}).status_code == 200


def test_a_path_without_a_route_is_not_counted(make_app) -> None:
    client = make_app(rate_strangers="1/minute").test_client()
    assert {client.get("/nada", environ_base=STRANGER).status_code for _ in range(5)} == {404}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("", "nowhere"),
        (None, "nowhere"),
        ("unknown", "nowhere"),
    ],
)
def test_unknown_callers_are_counted_by_network(address: str | None, network: str) -> None:
    assert name_network(address) == network


def test_the_api_answers_without_its_redis(make_app, body: dict[str, Any]) -> None:
    client = make_app(rate_storage="redis://127.0.0.1:1/0", rate_writes="1/minute").test_client()
    assert client.post("/tmpftp", json=body).status_code == 202
    assert_told_to_wait(client.post("/tmpftp", json=body))


@pytest.mark.processes
@pytest.mark.needs_redis
def test_several_processes_count_together_in_a_redis(make_app, body: dict[str, Any]) -> None:
    with run_redis() as server:
        clients = [
            make_app(rate_storage=server.url, rate_writes="3/hour").test_client(use_cookies=False)
            for _ in range(2)
        ]
        codes = [clients[number % 2].post("/tmpftp", json=body).status_code for number in range(5)]
        assert codes == [202, 202, 202, 429, 429]
        server.stop()
        assert [client.post("/tmpftp", json=body).status_code for client in clients] == [202, 202]


def test_a_limit_that_a_clock_ahead_began_ends_when_the_clock_is_right(
    make_app, make_token, frozen_clock
) -> None:
    """In a year's time the count would end too: until then every request would be refused."""
    right = utc_now()
    client, headers = make_app(rate_reads="3/minute").test_client(), make_token("*")

    def ask() -> int:
        return client.get("/tmpftp/none", headers=headers, environ_base=STRANGER).status_code

    frozen_clock.move_to(right + timedelta(days=365))
    assert [ask() for _ in range(4)] == [404, 404, 404, 429]
    frozen_clock.move_to(right)
    assert [ask() for _ in range(4)] == [404, 404, 404, 429]
