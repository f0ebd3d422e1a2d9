"""`/enlace/{token}`: what the holder of a link may do; `/tmpftp/{id}/enlace` and `/tmpftp/prorrogas`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from tempoftp.access.links import make_link_token
from tempoftp.access.tokens import Role
from tempoftp.app import create_app
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.settings import Settings
from tempoftp.states import State

STRANGER = {"REMOTE_ADDR": "192.0.2.9"}
ID = "proyecto_real_1"


@pytest.fixture
def link(context, ready: str) -> str:
    """The path of the link of a share that is `listo`."""
    with context.database.read() as session:
        return f"/enlace/{make_link_token(context.settings, session.get_one(Share, ready))}"


@pytest.fixture
def stranger(app) -> Callable[..., Any]:
    """A caller without a token, from an address that no setting maps."""
    client = app.test_client()

    def call(method: str, path: str, json: Any = None) -> Any:
        return client.open(
            path, method=method, json=json, environ_base=STRANGER, content_type="application/json"
        )

    return call


def test_the_page_shows_the_share_and_no_password(stranger, link: str) -> None:
    answer = stranger("GET", link)
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.json
    assert (page["id"], page["status"], page["vigencia"], page["prorroga"]) == (ID, "listo", 3, None)
    assert page["expira"] is not None
    assert set(page["descargas"]) >= {"total_descargas"}
    assert "password" not in answer.text.replace("entre con la cuenta", "")


def test_it_is_202_while_the_share_is_on_its_way(client, stranger, context, body) -> None:
    client.post("/tmpftp", json=body)
    with context.database.read() as session:
        token = make_link_token(context.settings, session.get_one(Share, ID))
    answer = stranger("GET", f"/enlace/{token}")
    assert answer.status_code == 202
    assert answer.headers["Retry-After"]
    refused = stranger("POST", f"/enlace/{token}/credenciales")
    assert refused.status_code == 409


def test_the_password_is_shown_in_clear_and_the_history_records_it(stranger, link: str, context) -> None:
    answer = stranger("POST", f"{link}/credenciales")
    assert answer.status_code == 200
    with context.database.read() as session:
        account = session.get_one(Account, session.get_one(Share, ID).ftpuser)
        assert (
            answer.json["password"]
            == context.settings.build_fernet().decrypt(account.token.encode()).decode()
        )
        authors = [entry.author for entry in session.query(HistoryEntry).filter_by(share_id=ID)]
    assert authors[-1] == "recipient"
    assert answer.json["password_estado"] == "visible"
    assert answer.json["servidor"].keys() == {"host", "puerto", "tls", "huella"}


def test_an_earlier_password_is_explained_and_never_a_hash(
    client, stranger, link, context, body, move_share
) -> None:
    client.post("/tmpftp", json=body | {"id": "otra"})
    move_share("otra", State.LISTO)
    with context.write() as session:
        share = session.get_one(Share, "otra")
        session.get_one(Account, share.ftpuser).password_hash = "$2b$12$abcdef"
        token = make_link_token(context.settings, share)
    answer = stranger("POST", f"/enlace/{token}/credenciales")
    assert answer.status_code == 200
    assert (answer.json["password"], answer.json["password_estado"]) == (None, "anterior")
    assert "sigue valiendo" in answer.json["password_mensaje"]
    assert "$2b$" not in answer.text
    assert "gAAAA" not in answer.text


def test_a_new_password_needs_a_confirmation_of_what_else_it_opens(
    client, stranger, link: str, body, context
) -> None:
    client.post("/tmpftp", json=body | {"id": "otra"})
    before = stranger("POST", f"{link}/credenciales").json["password"]
    for body in (None, {}, {"confirmar": False}):
        refused = stranger("POST", f"{link}/password", body)
        assert refused.status_code == 409
        assert refused.json["abre"] == ["otra"]
        assert "otra" in refused.json["detail"]
    assert stranger("POST", f"{link}/credenciales").json["password"] == before
    done = stranger("POST", f"{link}/password", {"confirmar": True})
    assert done.status_code == 202, "no worker confirms it here"
    assert set(done.json["abre"]) == {ID, "otra"}
    assert "password" in done.json["pendiente"]
    assert "gAAAA" not in done.text
    after = stranger("POST", f"{link}/credenciales").json
    assert after["password"] not in (None, before)
    assert "confirme" in after["password_mensaje"]


def test_more_days_are_asked_for_and_granted(client, stranger, link: str) -> None:
    asked = stranger("POST", f"{link}/prorroga", {"dias": 7, "motivo": "sigo bajando"})
    assert asked.status_code == 200
    assert asked.json["prorroga"]["estado"] == "pendiente"
    (listed,) = client.get("/tmpftp/prorrogas").json["prorrogas"]
    assert (listed["id"], listed["dias"], listed["motivo"], listed["vigencia"]) == (ID, 7, "sigo bajando", 3)
    granted = client.post(f"/tmpftp/{ID}/prorroga/aceptar", json={})
    assert granted.status_code == 202
    assert (granted.json["vigencia"], granted.json["prorroga"]["estado"]) == (10, "aceptada")
    assert client.get("/tmpftp/prorrogas").json == {"prorrogas": []}
    assert [entry["id"] for entry in client.get("/tmpftp/prorrogas?estado=aceptada").json["prorrogas"]] == [
        ID
    ]
    assert stranger("GET", link).json["prorroga"]["estado"] == "aceptada"
    assert client.post(f"/tmpftp/{ID}/prorroga/aceptar", json={}).status_code == 409


def test_more_days_are_refused_with_a_reason(client, stranger, link: str) -> None:
    stranger("POST", f"{link}/prorroga", {"dias": 7})
    refused = client.post(f"/tmpftp/{ID}/prorroga/rechazar", json={"respuesta": "no hay espacio"})
    assert refused.status_code == 200
    assert refused.json["vigencia"] == 3
    shown = stranger("GET", link).json["prorroga"]
    assert (shown["estado"], shown["respuesta"]) == ("rechazada", "no hay espacio")


@pytest.mark.parametrize(
    "desired",
    [{}, {"dias": "7"}, {"dias": 0}, {"dias": 1000}, {"dias": 7, "x": 1}, {"dias": 7, "motivo": "x" * 501}],
)
def test_impossible_requests_for_days_are_422(stranger, link: str, client, desired: dict[str, Any]) -> None:
    assert stranger("POST", f"{link}/prorroga", desired).status_code == 422
    assert client.get("/tmpftp/prorrogas").json == {"prorrogas": []}


@pytest.mark.parametrize("method", ["aceptar", "rechazar"])
def test_only_operators_decide(client, make_token, link: str, stranger, method: str) -> None:
    stranger("POST", f"{link}/prorroga", {"dias": 7})
    headers = make_token("*", role=Role.CLIENTE)
    path = f"/tmpftp/{ID}/prorroga/{method}"
    assert client.post(path, json={}, headers=headers).status_code == 403
    assert stranger("POST", path, {}).status_code == 401
    assert client.get("/tmpftp/prorrogas", headers=headers).status_code == 403


def test_an_operator_makes_a_link_and_the_owner_of_the_share_revokes_it(
    client, stranger, make_token, link: str, context
) -> None:
    made = client.post(f"/tmpftp/{ID}/enlace", json={}).json["enlace"]
    assert made.startswith("/enlace/"), "without TEMPOFTP_PUBLIC_URL only the path"
    assert stranger("GET", made).status_code == 200
    owner, other = make_token("alguien@dominio"), make_token("otra@dominio", name="otra")
    assert client.post(f"/tmpftp/{ID}/enlace", json={}, headers=owner).status_code == 403
    assert client.delete(f"/tmpftp/{ID}/enlace", headers=other).status_code == 404
    assert stranger("GET", link).status_code == 200
    assert client.delete(f"/tmpftp/{ID}/enlace", headers=owner).status_code == 200
    assert stranger("GET", link).status_code == stranger("GET", made).status_code == 404
    assert stranger("GET", client.post(f"/tmpftp/{ID}/enlace", json={}).json["enlace"]).status_code == 200


def test_no_link_is_made_for_a_share_that_has_ended(client, link: str, move_share) -> None:
    move_share(ID, State.EXPIRANDO)
    assert client.post(f"/tmpftp/{ID}/enlace", json={}).status_code == 409
    assert client.post("/tmpftp/nada/enlace", json={}).status_code == 404


CALLS = [("GET", ""), ("POST", "/credenciales"), ("POST", "/password"), ("POST", "/prorroga")]


@pytest.mark.parametrize(("method", "rest"), CALLS)
def test_wrong_ended_and_revoked_links_have_the_same_404(
    client, stranger, link: str, context, move_share, method: str, rest: str
) -> None:
    json = {"dias": 1} if rest == "/prorroga" else {}
    texts = {stranger(method, f"{wrong}{rest}", json).text for wrong in (link[:-1], link + "x", "/enlace/x")}
    client.delete(f"/tmpftp/{ID}/enlace")
    texts.add(stranger(method, f"{link}{rest}", json).text)
    again = client.post(f"/tmpftp/{ID}/enlace", json={}).json["enlace"]
    move_share(ID, State.EXPIRANDO)
    ended = stranger(method, f"{again}{rest}", json)
    texts.add(ended.text)
    assert ended.status_code == 404
    assert len(texts) == 1
    assert link.rpartition("/")[2] not in texts.pop()


@settings_of_hypothesis(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(token=st.binary(min_size=1, max_size=80), call=st.sampled_from(CALLS))
def test_any_other_text_in_place_of_the_token_is_404(client, token: bytes, call: tuple[str, str]) -> None:
    method, rest = call
    json = {"dias": 1} if rest == "/prorroga" else {}
    answer = client.open(f"/enlace/{quote(token, safe='')}{rest}", method=method, json=json)
    # A token with a slash is another route; a dot is removed from the path.
    assert answer.status_code in (404, 405, 308), answer.text


def test_requests_of_a_link_are_limited(settings: Settings, link: str, client, stranger) -> None:
    changed = Settings.model_validate(settings.model_dump() | {"rate_links": "3/minute"})
    app = create_app(changed)
    callers = [app.test_client() for _ in range(2)]
    codes = [
        callers[number % 2]
        .post(f"{link}/credenciales", json={}, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        .status_code
        for number in range(5)
    ]
    assert codes == [200] * 3 + [429] * 2
    assert callers[0].get(link, environ_base=STRANGER).status_code == 200
    assert callers[0].post("/tmpftp", json={}).status_code == 422, "others are not counted with it"
    app.extensions["tempoftp"].database.close()


def test_the_page_has_the_limit_of_unknown_callers(settings: Settings, link: str) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | {"rate_strangers": "3/minute"}))
    client = app.test_client()
    codes = [client.get(link, environ_base=STRANGER).status_code for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2
    app.extensions["tempoftp"].database.close()
