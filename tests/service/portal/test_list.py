"""The list of shares: what it shows, search, filters, pages."""

from __future__ import annotations

import pytest

from tempoftp.states import State


@pytest.fixture
def shares(ask, move_share) -> None:
    ask("goes16", ruta="source1:/srv/datos/GOES/16")
    ask("himawari", usuario="otra@dominio.example")
    ask("sentinel")
    move_share("sentinel", State.LISTO)


def test_a_cliente_sees_only_its_own_shares(client_browser, shares) -> None:
    page = client_browser.open("/portal/solicitudes").text
    assert "2 solicitudes" in page
    assert "goes16" in page
    assert "himawari" not in page
    assert "otra@dominio.example" not in page


def test_an_operator_sees_every_share(operator, shares) -> None:
    assert "3 solicitudes" in operator.open("/portal/solicitudes").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("texto=goes", {"goes16"}),
        ("texto=datos/goes", {"goes16"}),
        ("texto=OTRA@", {"himawari"}),
        ("texto=%25", set()),
        ("texto=_", {"goes16", "himawari", "sentinel"}),
        ("estado=listo", {"sentinel"}),
        ("usuario=otra@dominio.example", {"himawari"}),
        ("usuario=ftp_otra_dominio", {"himawari"}),
        ("texto=goes&estado=listo", set()),
    ],
)
def test_search_and_filters(operator, shares, query: str, found: set[str]) -> None:
    page = operator.open(f"/portal/solicitudes?{query}").text
    assert {
        name for name in ("goes16", "himawari", "sentinel") if f"/portal/solicitudes/{name}" in page
    } == found


def test_an_unknown_state_is_refused_with_a_text(operator) -> None:
    page = operator.open("/portal/solicitudes?estado=nada")
    assert page.status_code == 422
    assert "estado debe ser uno de" in page.text


def test_pages_follow_one_another_with_the_same_filters(operator, ask) -> None:
    for number in range(25):
        ask(f"p{number:02d}")
    page = operator.open("/portal/solicitudes?texto=p").text
    assert "25 solicitudes" in page
    assert page.count("/portal/solicitudes/p") == 20
    following = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "texto=p" in following
    last = operator.open(following).text
    assert last.count("/portal/solicitudes/p") == 5
    assert 'rel="next"' not in last


def test_a_forged_cursor_is_refused(operator) -> None:
    for cursor in ("x", "WyJ4IiwgMV0=", "%00", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzEwOjAwIiwgImEiXQ=="):
        assert operator.open(f"/portal/solicitudes?cursor={cursor}").status_code == 422


def test_a_state_is_shown_by_word_and_icon(operator, shares) -> None:
    page = operator.open("/portal/solicitudes").text
    badge = page.split('class="badge badge-listo"')[1].split("</span>")[0]
    assert "<svg" in badge
    assert 'aria-hidden="true"' in badge
    assert "Lista" in badge
