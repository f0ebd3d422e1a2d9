"""Pages for operators: requests for more days are granted or refused; links for recipients are made and revoked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tempoftp.db.models import Share
from tempoftp.shares.extensions import ask_extension, find_last_extension
from tempoftp.states import State

EVIL = "<script>alert(1)</script>"
MARK = re.compile(r'class="number-mark">(\d+)')
PAGE = "/portal/prorrogas"


@pytest.fixture
def want(context) -> Any:
    def write(share_id: str, days: int = 7, reason: str | None = None) -> None:
        with context.write() as session:
            share = session.get_one(Share, share_id)
            ask_extension(session, context.settings, share, days, reason, author="recipient", request_id="r")

    return write


@pytest.fixture
def read_request(context) -> Any:
    def read(share_id: str) -> tuple[str, int, str | None]:
        with context.database.read() as session:
            request = find_last_extension(session, session.get_one(Share, share_id))
            assert request is not None
            return request.state, request.days, request.answer

    return read


def test_the_page_without_requests(operator) -> None:
    page = operator.open(PAGE).text
    assert "Nadie espera más días." in page
    assert MARK.findall(page) == []


def test_the_navigation_counts_waiting_requests(operator, client_browser, ask, want, move_share) -> None:
    for share_id in ("uno", "dos", "tres"):
        ask(share_id)
        want(share_id)
    assert MARK.findall(operator.open("/portal/solicitudes").text) == ["3"]
    assert MARK.findall(client_browser.open("/portal/solicitudes").text) == []
    move_share("tres", State.ELIMINANDO)
    assert MARK.findall(operator.open("/portal/tokens").text) == ["2"]


def test_the_page_of_the_share_shows_a_waiting_request(operator, client_browser, ready, want) -> None:
    assert "Quien la recibe pide" not in client_browser.open("/portal/solicitudes/uno").text
    want("uno")
    for browser in (client_browser, operator):
        assert "7 días más" in browser.open("/portal/solicitudes/uno").text
    assert "decidir" in operator.page.text
    operator.send("/portal/solicitudes/uno/prorroga/rechazar")
    assert "Quien la recibe pide" not in operator.open("/portal/solicitudes/uno").text


def test_one_click_grants_the_requested_days(operator, ready, want, read_row, read_request) -> None:
    want("uno", 7, f"sigo bajando {EVIL}")
    page = operator.open(PAGE).text
    assert "7 días más" in page
    assert "sigo bajando &lt;script&gt;" in page
    operator.send("/portal/solicitudes/uno/prorroga/aceptar", dias="7")
    assert "Se dieron más días a uno." in operator.follow().text
    assert read_row("uno").lifetime_days == 10
    assert read_request("uno")[0] == "aceptada"
    assert operator.send("/portal/solicitudes/uno/prorroga/aceptar", dias="7").status_code == 409


def test_another_number_of_days_is_granted(operator, ready, want, read_row) -> None:
    want("uno")
    operator.send("/portal/solicitudes/uno/prorroga/aceptar", page=PAGE, dias="2")
    assert read_row("uno").lifetime_days == 5


@pytest.mark.parametrize("days", ["0", "5000", "x", "-2"])
def test_impossible_days_are_shown_at_the_field(
    operator, ready, want, read_row, read_request, days: str
) -> None:
    want("uno")
    refused = operator.send("/portal/solicitudes/uno/prorroga/aceptar", page=PAGE, dias=days)
    assert refused.status_code == 422
    assert 'id="dias-1-error"' in refused.text
    assert read_row("uno").lifetime_days == 3
    assert read_request("uno")[0] == "pendiente"


def test_a_request_is_refused_with_a_reason(operator, ready, want, read_row, read_request) -> None:
    want("uno")
    operator.send("/portal/solicitudes/uno/prorroga/rechazar", page=PAGE, respuesta="no hay espacio")
    assert "No se dieron más días a uno." in operator.follow().text
    assert read_request("uno") == ("rechazada", 7, "no hay espacio")
    assert read_row("uno").lifetime_days == 3


def test_a_link_is_made_shown_once_and_revoked(app, operator, ready) -> None:
    page = operator.send("/portal/solicitudes/uno/enlace", page="/portal/solicitudes/uno").text
    found = re.search(r'id="enlace">http://localhost(/enlace/[^<]+)<', page)
    assert found is not None
    stranger = app.test_client()
    address = {"REMOTE_ADDR": "192.0.2.9"}
    assert stranger.get(found[1], environ_base=address).json["id"] == "uno"
    shown = operator.open("/portal/solicitudes/uno").text
    assert found[1] not in shown
    assert "Se hizo un enlace para quien la recibe." in shown
    operator.send("/portal/solicitudes/uno/enlaces", page="/portal/solicitudes/uno/enlaces")
    assert "Ningún enlace" in operator.follow().text
    assert stranger.get(found[1], environ_base=address).status_code == 404


def test_the_owner_of_a_share_revokes_its_links_and_makes_none(
    client_browser, sign_in, ready, read_row
) -> None:
    page = client_browser.open("/portal/solicitudes/uno").text
    assert "Hacer un enlace" not in page
    assert "/portal/solicitudes/uno/enlaces" in page
    assert client_browser.send("/portal/solicitudes/uno/enlace").status_code == 403
    other = sign_in("otra@dominio.example", name="otra")
    assert other.send("/portal/solicitudes/uno/enlaces", page="/portal/nueva").status_code == 404
    before = read_row("uno").link_nonce
    assert (
        client_browser.send("/portal/solicitudes/uno/enlaces", page="/portal/solicitudes/uno").status_code
        == 303
    )
    assert read_row("uno").link_nonce != before


def test_a_share_that_has_ended_offers_no_link(operator, ready, move_share) -> None:
    move_share("uno", State.EXPIRANDO)
    assert "Hacer un enlace" not in operator.open("/portal/solicitudes/uno").text
    assert operator.send("/portal/solicitudes/uno/enlace").status_code == 409


def test_a_page_is_shown_without_the_number_when_the_database_fails(operator, monkeypatch) -> None:
    operator.open(PAGE)

    def fail(_session: object) -> int:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr("tempoftp.portal.start.count_extensions", fail)
    page = operator.open("/portal/solicitudes")
    assert page.status_code == 200
    assert MARK.findall(page.text) == []
