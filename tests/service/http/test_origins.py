"""Callers known by their address: which `Host` they may name, and from which pages they may change something."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tempoftp.app import create_app
from tempoftp.db.engine import Database
from tempoftp.http.access import PUBLIC, read_allowed
from tempoftp.settings import Settings

PUBLIC_URL = "https://datos.example.org/tempoftp"
FOREIGN_PAGES = [
    {"Origin": "https://mal.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "https://localhost.mal.example"},
    {"Origin": "https://datos.example.org.mal.example"},
    {"Origin": "http://datos.example.org"},
    {"Origin": "https://datos.example.org:8443"},
    {"Origin": "null"},
    {"Origin": "file://"},
    {"Origin": "https://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "otra"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://mal.example"},
]
OWN_PAGES = [
    {},
    {"Origin": "http://localhost"},
    {"Origin": "https://datos.example.org"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"},
]
FOREIGN_HOSTS = [
    *(
        "mal.example",
        "mal.example:9043",
        "127.0.0.1.mal.example",
        "localhost.mal.example",
        "198.51.100.7",
        "[::2]:1",
    ),
    *("datos.example.org.mal.example", "[", "localhost@mal.example", "2130706433", "0", "127.1"),
]
OWN_HOSTS = [
    "localhost",
    "LOCALHOST.",
    "localhost:1",
    "127.0.0.1:9043",
    "[::1]",
    "datos.example.org",
    "interno:80",
]


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        changed = settings.model_dump() | {"public_url": PUBLIC_URL, "host_names": "interno, otro"} | changes
        made.append(create_app(Settings.model_validate(changed)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["tempoftp"].database.close()


@pytest.fixture(params=["mapped address", "without tokens"])
def by_address(request: pytest.FixtureRequest, make_app) -> FlaskClient:
    """A caller that is an operator because of where it is."""
    if request.param == "mapped address":
        return make_app().test_client()
    return make_app(
        auth="none", address_roles="", public_url="http://localhost:9043", host_names=""
    ).test_client()


def list_changes(app: Flask) -> list[tuple[str, str]]:
    """Every method and path of the API that changes something, with a value for each parameter."""
    return [
        (method, re.sub(r"<[^>]+>", "ajena", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("portal.")
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
    ]


@pytest.mark.parametrize("headers", FOREIGN_PAGES, ids=str)
def test_a_foreign_page_changes_nothing(by_address: FlaskClient, headers: dict[str, str], count_rows) -> None:
    for method, path in list_changes(by_address.application):
        answer = by_address.open(path, method=method, json={}, headers=headers)
        assert (answer.status_code, answer.json and answer.json["codigo"]) == (403, "foreign_origin"), path
    assert count_rows() == (0, 0)


@pytest.mark.parametrize("headers", OWN_PAGES, ids=str)
def test_a_page_of_ours_and_a_program_may(make_app, headers: dict[str, str]) -> None:
    answer = make_app().test_client().post("/pausar", json={"razon": "prueba"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", FOREIGN_PAGES, ids=str)
def test_a_token_is_enough(make_app, make_token, headers: dict[str, str], body: dict[str, Any]) -> None:
    """A browser never sends it on its own, and a page that has it may be anywhere."""
    client = make_app().test_client()
    answer = client.post("/tmpftp", json=body, headers=headers | {"Host": "mal.example"} | make_token("*"))
    assert answer.status_code == 202


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_answered_as_a_stranger(by_address: FlaskClient, host: str) -> None:
    """A page whose name was pointed at this service could read the answers, also those to GET."""
    answer = by_address.get("/tmpftp", headers={"Host": host})
    assert (answer.status_code, answer.json and answer.json["codigo"]) == (421, "host_unknown")
    assert by_address.post("/pausar", json={}, headers={"Host": host}).status_code == 421
    told = by_address.get("/health", headers={"Host": host})
    assert told.json is not None and "ftp_hosts" not in told.json
    assert by_address.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_forwarded_host_counts_too(make_app, host: str) -> None:
    client = make_app(trusted_proxies=1, address_roles="10.1.2.3=operador").test_client()
    headers = {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Host": host}
    assert client.get("/tmpftp", headers=headers).status_code == 421
    assert client.get("/tmpftp", headers=headers | {"X-Forwarded-Host": "interno"}).status_code == 200


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_names_of_ours_are_known(make_app, host: str) -> None:
    assert make_app().test_client().get("/tmpftp", headers={"Host": host}).status_code == 200


def test_the_address_that_was_called_is_known(make_app) -> None:
    """With TEMPOFTP_BIND=0.0.0.0 it is any address of this machine."""
    client = make_app(bind="0.0.0.0", plain_http=True).test_client()
    called = {"SERVER_NAME": "192.0.2.77"}
    assert (
        client.get("/tmpftp", headers={"Host": "192.0.2.77:9043"}, environ_overrides=called).status_code
        == 200
    )
    assert client.get("/tmpftp", headers={"Host": "192.0.2.78"}, environ_overrides=called).status_code == 421


@pytest.mark.parametrize("wrong", ["a b", "http://x", "x:80", "x/y", "-x"])
def test_refuses_what_is_no_name(settings: Settings, wrong: str) -> None:
    with pytest.raises(ValueError, match="names without port"):
        Settings.model_validate(settings.model_dump() | {"host_names": wrong})


def test_a_get_writes_nothing(make_app, monkeypatch: pytest.MonkeyPatch, ready_share) -> None:
    """Every GET and HEAD of API and portal: a page of another site can make a browser send those."""
    app = make_app()
    writes: list[str] = []
    write = Database.write

    def note(database: Database) -> Any:
        writes.append(path)
        return write(database)

    monkeypatch.setattr(Database, "write", note)
    client = app.test_client()
    values = {"id": ready_share, "token": ready_share, "vista": ready_share}
    asked = 0
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "HEAD"}):
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found[1], "x"), rule.rule)
            for query in ("", "?ahora=true", "?reparar=true&sigue=x"):
                client.open(path + query, method=method, buffered=True)
                asked += 1
    assert asked > 100
    assert writes == []


def test_every_changing_form_of_the_portal_is_checked(make_app) -> None:
    app = make_app()
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("portal.") and "POST" in (rule.methods or ()):
            path = re.sub(r"<[^>]+>", "ajena", rule.rule)
            answer = client.post(path, headers={"Origin": "https://mal.example"})
            is_public = read_allowed(app.view_functions[rule.endpoint]) is PUBLIC
            assert answer.status_code == (403 if is_public else 303), path  # 303: to the sign-in
