"""The pages of a link, for a recipient without a token; no JavaScript, both languages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from tempoftp.access.links import make_link_token
from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Downloads, ExtensionRequest, HistoryEntry, Share, draw_nonce
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.extensions import grant_extension, refuse_extension
from tempoftp.states import State

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert(1)</script>\"'&{{7*7}}"
STORED = "$argon2id$v=19$not-a-hash"


@pytest.fixture
def read_token(context) -> Any:
    def read(share_id: str = "uno") -> str:
        with context.database.read() as session:
            return make_link_token(context.settings, session.get_one(Share, share_id))

    return read


@pytest.fixture
def page(ready, read_token) -> str:
    """The path of the page of a share that is ready."""
    return f"/portal/enlace/{read_token()}"


def read_password(context) -> str:
    with context.database.read() as session:
        token = session.scalars(select(Account.token)).one()
    return context.settings.build_fernet().decrypt(token.encode()).decode()


def change_account(context, **columns: object) -> None:
    with context.database.write() as session:
        session.execute(update(Account).values(**columns))


def test_the_link_of_a_mail_redirects_only_browsers_to_the_page(app: Flask, ready, read_token) -> None:
    client, link = app.test_client(), f"/enlace/{read_token()}"
    answer = client.get(link, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/portal{link}")
    assert (answer.headers["Vary"], answer.headers["Referrer-Policy"]) == ("Accept", "no-referrer")
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert client.get(link, headers=accept).json["id"] == "uno"


def test_the_page_shows_the_share_and_no_secret(context, browser, page: str) -> None:
    shown = browser.open(page)
    assert shown.status_code == 200
    assert "quedan 2 días 3 h" in shown.text
    assert "source1:/srv/datos/a" in shown.text
    assert "Mostrar cómo entrar" in shown.text
    assert "http-equiv" not in shown.text
    assert read_password(context) not in shown.text
    assert "tester" not in shown.text, "who works on it is nothing to the recipient"
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    places = re.findall(r'(?:src|href|action)="([^"]+)"', shown.text)
    assert places
    assert [place for place in places if not place.startswith(("/portal/", "#"))] == []


def test_progress_is_shown_while_it_is_copied(browser, ask, move_share, read_token) -> None:
    ask("uno")
    move_share("uno", State.TRASLADO, percent=41.7, bytes_done=417_000, bytes_total=1_000_000)
    path = f"/portal/enlace/{read_token()}"
    shown = browser.open(path).text
    assert "41 %" in shown
    assert f'data-live="{path}/avance"' in shown
    assert "data-events" not in shown
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in shown
    assert "Mostrar cómo entrar" not in shown
    part = browser.open(f"{path}/avance").text
    assert part.lstrip().startswith('<div id="avance"')


def test_downloads_are_shown(context, browser, page: str) -> None:
    assert "Descargas" not in browser.open(page).text
    with context.database.write() as session:
        session.add(
            Downloads(
                share_id="uno",
                generation=1,
                counted_at=utc_now(),
                complete=2,
                partial=1,
                files_total=4,
                files_complete=2,
                never_fetched=[EVIL],
                never_fetched_total=1,
                last_download=utc_now(),
                files=[],
            )
        )
    shown = browser.open(page).text
    assert "2 de 4" in shown
    assert "<script>alert" not in shown


def test_credentials_are_shown_on_demand_and_the_history_records_it(context, browser, page: str) -> None:
    assert browser.open(f"{page}/credenciales").status_code == 405
    shown = browser.send(f"{page}/credenciales", page=page)
    assert shown.status_code == 200
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.text.count(read_password(context)) == 1, "no line to paste has it"
    for text in (
        "ftp.example.org",
        "2121",
        "sha256:AB:CD",
        "lftp -u",
        "curl --ssl-reqd",
        "wget -r",
        "FileZilla",
    ):
        assert text in shown.text
    with context.database.read() as session:
        last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
    assert (last.reason, last.author) == (Phrase("password_shown_to_recipient"), "recipient")


def test_an_earlier_password_is_explained_and_never_shown_as_a_hash(context, browser, page: str) -> None:
    now = utc_now()
    change_account(
        context,
        exists_since=now - timedelta(days=2000),
        password_since=now - timedelta(days=2000),
        password_hash=STORED,
    )
    with context.database.write() as session:
        session.get_one(Share, "uno").created_at = now
    shown = browser.send(f"{page}/credenciales", page=page).text
    assert "La de antes sigue valiendo." in shown
    assert f"{page}/password" in shown
    assert "$argon2id$" not in shown
    assert read_password(context) not in shown


def test_an_account_from_before_tempoftp_shows_no_password(context, browser, page: str) -> None:
    change_account(context, origin="adopted", token=None, password_hash=STORED)
    shown = browser.send(f"{page}/credenciales", page=page).text
    assert "pídala a quien administra la cuenta" in shown
    assert "$argon2id$" not in shown
    refused = browser.send(f"{page}/password", page=f"{page}/password")
    assert refused.status_code == 409
    assert "existía antes" in refused.text


def test_a_new_password_needs_a_confirmation_of_what_else_it_opens(context, browser, ask, page: str) -> None:
    ask("otra")
    before = read_password(context)
    question = browser.open(f"{page}/password").text
    assert '<li class="breaks">otra</li>' in question
    assert read_password(context) == before
    assert browser.send(f"{page}/password").status_code == 303
    assert "Hay una contraseña nueva" in browser.follow().text
    assert read_password(context) != before


def test_more_days_are_requested_and_the_answer_is_shown(context, browser, page: str) -> None:
    assert browser.send(f"{page}/prorroga", page=page, dias="7", motivo=EVIL).status_code == 303
    shown = browser.follow().text
    assert "Pidió 7 días más; un operador lo decidirá." in shown
    assert "Cambiar lo pedido" in shown
    assert "<script>alert" not in shown
    with context.write() as session:
        refuse_extension(session, "uno", f"no cabe {EVIL}", author="jefa", request_id="r")
    shown = browser.open(page).text
    assert "No se le dieron los días que pidió." in shown
    assert "no cabe &lt;script&gt;" in shown
    browser.send(f"{page}/prorroga", page=page, dias="4")
    with context.write() as session:
        grant_extension(session, context.settings, "uno", None, author="jefa", request_id="r")
    shown = browser.open(page).text
    assert "Se le dieron 4 días más." in shown
    assert "jefa" not in shown


@pytest.mark.parametrize("days", ["", "0", "-1", "88", "muchos", "1e3", "9" * 30])
def test_impossible_days_are_shown_at_the_field(context, browser, page: str, days: str) -> None:
    refused = browser.send(f"{page}/prorroga", page=page, dias=days, motivo="porque sí")
    assert refused.status_code == 422
    assert 'id="dias-error"' in refused.text
    assert 'value="porque sí"' in refused.text
    with context.database.read() as session:
        assert session.scalars(select(ExtensionRequest)).all() == []


def test_no_form_for_days_when_the_share_has_ended_or_has_the_most(
    context, browser, page: str, move_share
) -> None:
    with context.database.write() as session:
        session.get_one(Share, "uno").lifetime_days = context.settings.lifetime_max
    assert 'name="dias"' not in browser.open(page).text
    move_share("uno", State.EXPIRANDO)
    assert browser.open(page).status_code == 404


CALLS = [
    ("GET", ""),
    ("GET", "/avance"),
    ("GET", "/password"),
    ("POST", "/credenciales"),
    ("POST", "/password"),
    ("POST", "/prorroga"),
]


@pytest.mark.parametrize(("method", "rest"), CALLS)
def test_wrong_and_revoked_links_have_the_same_404(
    context, browser, page: str, method: str, rest: str
) -> None:
    def call(path: str) -> str:
        if method == "GET":
            answer = browser.open(f"{path}{rest}")
        else:
            answer = browser.send(f"{path}{rest}", page="/portal/entrar", dias="1")
        assert answer.status_code == 404
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Ir al inicio" not in answer.text
        return re.sub(r'value="[^"]*"', "", answer.text)

    texts = {call(page[:-1]), call(f"{page}x"), call("/portal/enlace/x")}
    with context.database.write() as session:
        session.get_one(Share, "uno").link_nonce = draw_nonce()
    texts.add(call(page))
    assert len(texts) == 1
    assert "Enlace no válido" in texts.pop()


def test_a_form_of_another_site_does_nothing(context, browser, page: str) -> None:
    browser.open(page)
    for rest in ("/credenciales", "/password", "/prorroga"):
        assert browser.post(f"{page}{rest}", dias="5").status_code == 400
    with context.database.read() as session:
        assert session.get_one(Share, "uno").generation == 1


def test_forms_work_over_tls_though_no_referrer_is_sent(app: Flask, page: str) -> None:
    client, tls = app.test_client(), {"wsgi.url_scheme": "https", "REMOTE_ADDR": "192.0.2.9"}
    shown = client.get(page, environ_overrides=tls).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
    assert token is not None
    form = {"csrf_token": token[1], "idioma": "en", "sigue": page}
    assert client.post(f"{page}/credenciales", data=form, environ_overrides=tls).status_code == 200
    switched = client.post("/portal/idioma", data=form, environ_overrides=tls)
    assert (switched.status_code, switched.headers["Location"]) == (303, page)
    elsewhere = client.post("/portal/salir", data=form, environ_overrides=tls)
    assert elsewhere.status_code == 400, "the rest of the portal wants to see where a form comes from"


def test_no_spanish_is_left_on_the_english_pages(browser, ask, page: str) -> None:
    ask("otra")
    spanish = re.compile(r"\b(solicitud|servidor|contraseña|datos|días|cuenta|vence|estado|enlace)\b", re.I)
    english = {"Accept-Language": "en"}
    browser.open(page, **english)
    browser.send("/portal/idioma", idioma="en", sigue=page)
    shown = [browser.open(page), browser.open(f"{page}/password"), browser.open("/portal/enlace/x")]
    shown += [browser.send(f"{page}/prorroga", page=page, dias="99999")]
    shown += [browser.send(f"{page}/credenciales", page=page)]
    for answer in shown:
        text = re.sub(r"<[^>]*>", " ", answer.text).replace("/srv/datos", "").replace("servidor.pem", "")
        assert spanish.findall(text) == []


@pytest.mark.parametrize("rest", ["credenciales", "prorroga"])
def test_the_switch_on_a_forms_answer_returns_to_the_page(browser, page: str, rest: str) -> None:
    browser.send(f"{page}/{rest}", page=page)
    found = re.search(r'name="sigue" value="([^"]+)"', browser.page.text)
    assert found is not None
    assert found[1] == page


def test_requests_of_a_link_are_limited(settings: Settings, page: str) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | {"rate_links": "3/minute"}))
    client = app.test_client()
    codes = [
        client.post(f"{page}/credenciales", environ_base={"REMOTE_ADDR": f"192.0.2.{number}"}).status_code
        for number in range(4)
    ]
    codes.append(client.post(page.removeprefix("/portal") + "/credenciales", json={}).status_code)
    assert codes == [400, 400, 400, 429, 429], "the page and the API count as one"
    assert client.get(page).status_code == 200
    app.extensions["tempoftp"].database.close()
