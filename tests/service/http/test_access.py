"""Who may call what: every route declares it, a token or an address decides, and another person's share is 404."""

from __future__ import annotations

import ipaddress
import logging
import re
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from tempoftp.access.recipients import RECIPIENT
from tempoftp.access.tokens import revoke_token
from tempoftp.app import create_app
from tempoftp.db.models import HistoryEntry, Share, Token
from tempoftp.http.access import PUBLIC, Role, _noting, find_by_address, read_allowed
from tempoftp.http.changes import find_caller
from tempoftp.settings import Settings

PUBLIC_VIEWS = {
    *("system.get_root", "system.get_health", "system.get_openapi"),
    # The link is the credential.
    *("links.get_link", "links.reveal_credentials", "links.renew_by_link", "links.ask_extension"),
    *("system.get_docs", "system.get_docs_file"),
}
# The tests of the portal check its other pages; visitors without a session are redirected to its sign-in.
PUBLIC_PAGES = {
    "portal.get_start",
    "portal.get_static",
    "portal.sign_in_page",
    "portal.sign_in",
    "portal.sign_out",
    *("portal.start_at_provider", "portal.return_from_provider"),
    "portal.choose_language",
    # The link is the credential.
    *("portal.link_page", "portal.link_progress", "portal.show_link_credentials"),
    *("portal.ask_link_password", "portal.change_link_password", "portal.ask_more_days"),
}
KEY = Fernet.generate_key().decode()
# The address of an unknown caller: no test maps it.
STRANGER = {"REMOTE_ADDR": "192.0.2.9"}
# A valid body, for the routes that check the body before they look for the share.
BODIES: dict[str, dict[str, Any]] = {"PATCH": {"vigencia": 5}}


def list_calls(app: Flask) -> list[tuple[str, str, str]]:
    """Every (endpoint, method, path) of the API, with a value for each parameter."""
    return [
        (rule.endpoint, method, re.sub(r"<[^>]+>", "ajena", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("portal.")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    silent = []
    for rule in app.url_map.iter_rules():
        try:
            read_allowed(app.view_functions[rule.endpoint])
        except LookupError:
            silent.append(rule.endpoint)
    assert silent == []


def test_only_harmless_routes_are_public(app: Flask) -> None:
    public = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if read_allowed(app.view_functions[rule.endpoint]) is PUBLIC
    }
    assert public == PUBLIC_VIEWS | PUBLIC_PAGES


def test_the_openapi_document_says_who_may_call(app: Flask, client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("portal."):
            continue
        role = read_allowed(app.view_functions[rule.endpoint])
        path = re.sub(r"<([^>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = paths[path][method.lower()]
            assert operation.get("security", []) == ([] if role is PUBLIC else [{"token": [role.value]}]), (
                path
            )
            declared = set(operation["responses"]) & {"401", "403", "429"}
            needed = {"429"} | ({"401"} if role is not PUBLIC else set())
            needed |= {"403"} if role is Role.OPERADOR else set()
            assert declared >= needed, f"{method} {path}"


def test_a_route_without_allow_answers_only_errors(app: Flask) -> None:
    app.add_url_rule("/olvidada", view_func=lambda: "abierta")
    answer = app.test_client().get("/olvidada")
    assert answer.status_code == 500
    assert "abierta" not in answer.text


def test_an_unknown_caller_gets_401_on_every_other_route(app: Flask, client: FlaskClient, count_rows) -> None:
    for endpoint, method, path in list_calls(app):
        answer = client.open(path, method=method, json=BODIES.get(method, {}), environ_base=STRANGER)
        if endpoint in PUBLIC_VIEWS:
            # These routes check the body before the link.
            expected = (404, 422) if endpoint.startswith("links.") else (200, 404, 503)
            assert answer.status_code in expected, path
            continue
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tempoftp"'
        assert "Authorization" in answer.json["detail"]
    assert count_rows() == (0, 0)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer tempoftp_no-es-de-aqui",
        "Bearer",
        "Bearer ",
        "Basic dXN1YXJpbzpjbGF2ZQ==",
        "bearer\ttempoftp_x",
        "",
        "Bearer " + "a" * 5000,
        "Bearer ñandú",
        "Bearer ' OR 1=1 --",
    ],
)
def test_a_wrong_credential_is_401_even_from_a_mapped_address(client: FlaskClient, header: str) -> None:
    answer = client.get("/tmpftp", headers={"Authorization": header})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_is_accepted_and_its_name_is_the_author(
    client: FlaskClient, context, body: dict[str, Any], make_token
) -> None:
    headers = make_token("alguien@dominio")
    assert client.post("/tmpftp", json=body, headers=headers, environ_base=STRANGER).status_code == 202
    assert client.get("/tmpftp/proyecto_real_1", headers=headers, environ_base=STRANGER).status_code == 202
    with context.database.read() as session:
        assert session.get_one(Share, "proyecto_real_1").author == "aplicacion"
        assert session.query(HistoryEntry).one().author == "aplicacion"


def test_the_scheme_may_be_written_in_any_case(client: FlaskClient, make_token) -> None:
    headers = {"Authorization": make_token("a@b")["Authorization"].replace("Bearer", "bEARER")}
    assert client.get("/tmpftp", headers=headers, environ_base=STRANGER).status_code == 200


def test_a_revoked_and_an_expired_token_are_401(client: FlaskClient, context, make_token) -> None:
    ended = make_token("a@b", name="vencida", lifetime=timedelta(0))
    revoked = make_token("a@b", name="revocada")
    assert client.get("/tmpftp", headers=revoked).status_code == 200
    with context.write() as session:
        revoke_token(session, "revocada")
    assert client.get("/tmpftp", headers=revoked).status_code == 401
    assert client.get("/tmpftp", headers=ended).status_code == 401


def read_last_use(context) -> object:
    with context.database.read() as session:
        return session.get_one(Token, "aplicacion").last_used_at


def wait_for_use(context) -> object:
    deadline = time.monotonic() + 20
    while (used := read_last_use(context)) is None:
        assert time.monotonic() < deadline, "nobody noted it"
        time.sleep(0.01)
    return used


def test_the_use_of_a_token_is_recorded(client: FlaskClient, context, make_token) -> None:
    headers = make_token("a@b")
    assert read_last_use(context) is None
    answer = client.get("/tmpftp", headers=headers)
    assert read_last_use(context) is None  # it is recorded after the answer
    answer.close()
    first = wait_for_use(context)
    client.get("/tmpftp", headers=headers).close()
    assert read_last_use(context) == first


def test_a_locked_database_neither_delays_nor_fails_a_read(
    client: FlaskClient, context, settings: Settings, make_token, caplog: pytest.LogCaptureFixture
) -> None:
    headers = make_token("a@b")
    with sqlite3.connect(settings.state_dir / "tempoftp.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        # Nor the second request, on a connection whose first one is still to be recorded.
        for _ in range(2):
            answer = client.get("/tmpftp", headers=headers)
            assert answer.status_code == 200
            answer.close()
            assert other.in_transaction
        # The thread now waits for the lock, and does not hold the turn of those who write.
        deadline = time.monotonic() + 20
        while not _noting.locked():
            assert time.monotonic() < deadline, "nobody notes it"
            time.sleep(0.01)
        time.sleep(0.1)  # long enough to take a free turn
        assert not context._turn.locked()
        other.execute("ROLLBACK")
    other.close()
    wait_for_use(context)
    assert "was not noted" not in caplog.text, "the lock was waited for while it was held"


# -- shares of another person ---------------------------------------------------------------------------------------


@pytest.fixture
def foreign(client: FlaskClient, body: dict[str, Any]) -> str:
    """A share of another person, requested by an operator."""
    assert (
        client.post("/tmpftp", json=body | {"id": "ajena", "usuario": "victima@dominio"}).status_code == 202
    )
    return "ajena"


def test_another_persons_email_is_403_and_nothing_is_written(
    client: FlaskClient, body: dict[str, Any], make_token, count_rows
) -> None:
    headers = make_token("alguien@dominio")
    for usuario in ("victima@dominio", "Victima@Dominio", "alguien@dominio.example", "*"):
        answer = client.post("/tmpftp", json=body | {"usuario": usuario}, headers=headers)
        assert answer.status_code == (422 if usuario == "*" else 403), answer.text
        assert "status" not in answer.json
    assert count_rows() == (0, 0)
    assert (
        client.post("/tmpftp", json=body | {"usuario": "ALGUIEN@dominio"}, headers=headers).status_code == 202
    )


def test_another_persons_share_is_not_taken_over_by_its_id(
    client: FlaskClient, body: dict[str, Any], make_token, foreign: str, context
) -> None:
    answer = client.post("/tmpftp", json=body | {"id": foreign}, headers=make_token("alguien@dominio"))
    assert answer.status_code == 409
    assert "victima" not in answer.text
    with context.database.read() as session:
        assert session.get_one(Share, foreign).email == "victima@dominio"


def test_another_persons_share_is_404_on_every_route(
    app: Flask, client: FlaskClient, make_token, foreign: str, context
) -> None:
    headers = make_token("alguien@dominio")
    asked = 0
    for endpoint, method, path in list_calls(app):
        if foreign not in path or read_allowed(app.view_functions[endpoint]) is not Role.CLIENTE:
            continue
        missing = path.replace(foreign, "no_existe")
        answers = [
            client.open(target, method=method, json=BODIES.get(method, {}), headers=headers)
            for target in (path, missing)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], f"{method} {path}: {answers[0].text}"
        assert answers[0].json == answers[1].json
        asked += 1
    assert asked >= 6
    with context.database.read() as session:
        share = session.get_one(Share, foreign)
        assert (share.state, share.generation) == ("recibido", 1)


def test_a_list_shows_only_the_callers_shares(
    client: FlaskClient, body: dict[str, Any], make_token, foreign: str
) -> None:
    headers = make_token("alguien@dominio", "tercera@dominio")
    client.post("/tmpftp", json=body, headers=headers)
    listed = client.get("/tmpftp", headers=headers).json
    assert [share["id"] for share in listed["solicitudes"]] == ["proyecto_real_1"]
    assert listed["total"] == 1
    assert client.get("/tmpftp?usuario=victima@dominio", headers=headers).json["total"] == 0
    assert client.get("/tmpftp").json["total"] == 2


def test_routes_for_operators_are_403_for_a_cliente(
    app: Flask, client: FlaskClient, make_token, foreign: str
) -> None:
    headers = make_token("*")
    asked = 0
    for endpoint, method, path in list_calls(app):
        if read_allowed(app.view_functions[endpoint]) is Role.OPERADOR:
            answer = client.open(path, method=method, json=BODIES.get(method, {}), headers=headers)
            assert answer.status_code == 403, f"{method} {path}"
            assert answer.mimetype == "application/problem+json"
            asked += 1
    assert asked >= 10


def test_a_change_without_a_token_may_act_for_no_email(app: Flask) -> None:
    with app.test_request_context("/enlace/x"):
        assert find_caller() == {"emails": frozenset(), "author": RECIPIENT, "request_id": "-"}


# -- addresses ------------------------------------------------------------------------------------------------------


@pytest.fixture
def make_app(settings: Settings) -> Callable[..., Flask]:
    """The application with other settings, on the same database."""

    def make(**changes: Any) -> Flask:
        return create_app(Settings.model_validate(settings.model_dump() | changes))

    return make


@settings_of_hypothesis(deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.ip_addresses(), st.integers(0, 128), st.sampled_from(["cliente", "operador"])),
        max_size=6,
    ),
    caller=st.ip_addresses(),
)
def test_an_address_has_a_role_only_by_a_mapped_network(
    entries: list[tuple[Any, int, str]], caller: Any
) -> None:
    networks = {
        ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False): role
        for address, length, role in entries
    }
    written = ",".join(f"{network}={role}" for network, role in networks.items())
    principal = find_by_address(
        Settings(
            simulacro=True,
            encryption_key=KEY,
            secret_key=Fernet.generate_key().decode(),
            address_roles=written,
        ),
        str(caller),
    )
    seen = getattr(caller, "ipv4_mapped", None) or caller
    fitting = sorted(
        (network.prefixlen, role)
        for network, role in networks.items()
        if network.version == seen.version and seen in network
    )
    if not fitting:
        assert principal is None
        return
    assert principal is not None
    assert principal.role == fitting[-1][1]


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("10.1.2.3", Role.CLIENTE),
        ("::ffff:10.1.2.3", Role.CLIENTE),
        ("10.1.2.4", Role.OPERADOR),
        ("10.9.9.9", None),
        ("fd00::7", Role.CLIENTE),
        ("127.0.0.1", None),
        ("", None),
        ("unknown", None),
        ("10.1.2.3, 10.1.2.4", None),
    ],
)
def test_the_narrowest_network_decides(settings: Settings, address: str, role: Role | None) -> None:
    mapped = "10.1.0.0/16=operador,10.1.2.3=cliente,fd00::/8=cliente"
    changed = Settings.model_validate(settings.model_dump() | {"address_roles": mapped})
    principal = find_by_address(changed, address)
    assert (principal.role if principal else None) == role
    if principal is not None:
        assert principal.emails is None
        assert principal.name.startswith("address ")


def test_a_forwarded_address_is_ignored_without_trusted_proxies(make_app) -> None:
    client = make_app(address_roles="10.1.2.3=operador").test_client()
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"):
        for value in ("10.1.2.3", "for=10.1.2.3"):
            answer = client.get("/tmpftp", headers={header: value}, environ_base=STRANGER)
            assert answer.status_code == 401, header


@pytest.mark.parametrize(
    ("hops", "forwarded", "status"),
    [
        (1, "10.1.2.3", 200),
        (1, "198.51.100.1, 10.1.2.3", 200),
        (1, "10.1.2.3, 198.51.100.1", 401),
        (2, "10.1.2.3, 198.51.100.1", 200),
        (2, "10.1.2.3", 401),
        (1, None, 401),
        (1, "", 401),
    ],
)
def test_behind_proxies_only_their_own_entries_count(
    make_app, hops: int, forwarded: str | None, status: int
) -> None:
    # The addresses of the proxies are mapped too: a caller that goes around them must not get their role.
    app = make_app(address_roles="10.1.2.3=cliente,192.0.2.9=operador", trusted_proxies=hops)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert app.test_client().get("/tmpftp", headers=headers, environ_base=STRANGER).status_code == status


def test_without_tokens_everybody_is_an_operator(make_app, context, body: dict[str, Any]) -> None:
    client = make_app(auth="none", address_roles=()).test_client()
    assert client.post("/tmpftp", json=body, environ_base=STRANGER).status_code == 202
    with context.database.read() as session:
        assert session.get_one(Share, body["id"]).author == "api 192.0.2.9"


# -- what is answered and logged ------------------------------------------------------------------------------------


def test_health_names_hosts_only_to_a_caller_who_acts_for_everybody(client: FlaskClient, make_token) -> None:
    known = [client.get("/health"), client.get("/health", headers=make_token("*", name="confiable"))]
    strangers = [
        client.get("/health", environ_base=STRANGER),
        client.get("/health", headers=make_token("a@b")),
        client.get("/health", headers={"Authorization": "Bearer nada"}),
    ]
    assert {answer.status_code for answer in known + strangers} == {503}
    assert len({tuple(sorted(answer.json)) for answer in known + strangers}) == 1
    assert all("simulado" in answer.text for answer in known)
    assert not any("simulado" in answer.text for answer in strangers)


def test_no_token_is_logged(client: FlaskClient, make_token, caplog: pytest.LogCaptureFixture) -> None:
    headers = make_token("a@b")
    secret = headers["Authorization"].split()[1]
    with caplog.at_level(logging.DEBUG):
        client.get("/tmpftp", headers=headers)
        client.get("/tmpftp/nada", headers=headers)
        client.get("/tmpftp", headers={"Authorization": f"Bearer {secret}x"})
    assert secret not in caplog.text
