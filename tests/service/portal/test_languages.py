"""Pages are Spanish by default, English by the browser's language or the switch; every text has both."""

from __future__ import annotations

import re

import pytest
import translate
from flask import Flask
from flask_babel import force_locale, gettext

from tempoftp.db.models.shares import Share
from tempoftp.errors import ShareError
from tempoftp.hosts.pauses import resume_hosts
from tempoftp.http.problems import word_refusal
from tempoftp.phrases import Phrase
from tempoftp.portal.languages import say_history, say_refusal
from tempoftp.refusals import Refused
from tempoftp.shares.changes import check_lifetime
from tempoftp.shares.messages import (
    describe_error,
    describe_giving_up,
    explain_state,
    say_phrase,
    say_phrases,
)
from tempoftp.shares.sources import read_sources
from tempoftp.states import State


def test_every_text_has_a_translation_and_none_is_left_over() -> None:
    catalogue = translate.update_catalogue()
    assert translate.list_untranslated(catalogue) == []
    assert translate.write_text(catalogue) == translate.CATALOGUE.read_bytes(), "run python docs/translate.py"


def test_the_compiled_catalogue_is_current() -> None:
    compiled = translate.compile_text(translate.CATALOGUE.read_bytes())
    assert translate.CATALOGUE.with_suffix(".mo").read_bytes() == compiled, "run python docs/translate.py"


def test_translations_have_the_same_values() -> None:
    for message in translate.update_catalogue():
        ids = [message.id] if isinstance(message.id, str) else message.id
        said = [message.string] if isinstance(message.string, str) else message.string
        for text in said:
            assert set(re.findall(r"%\(\w+\)\w", text)) == set(re.findall(r"%\(\w+\)\w", ids[-1])), ids


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "es"),
        ("en-GB,en;q=0.9", "en"),
        ("es-MX,es;q=0.9,en;q=0.5", "es"),
        ("fr,de", "es"),
        ("fr,en;q=0.3", "en"),
    ],
)
def test_the_browsers_language_is_used(browser, accept: str, language: str) -> None:
    page = browser.open("/portal/entrar", **({"Accept-Language": accept} if accept else {}))
    assert f'<html lang="{language}">' in page.text
    assert ("Sign in" in page.text) == (language == "en")
    assert "Accept-Language" in page.headers["Vary"]


def test_the_switch_overrides_the_browser_and_returns_to_the_page(client_browser) -> None:
    answer = client_browser.send(
        "/portal/idioma",
        page="/portal/solicitudes?estado=listo",
        idioma="en",
        sigue="/portal/solicitudes?estado=listo",
    )
    assert answer.headers["Location"] == "/portal/solicitudes?estado=listo"
    page = client_browser.open("/portal/solicitudes", **{"Accept-Language": "es"}).text
    assert '<html lang="en">' in page
    assert "Requests" in page
    client_browser.send("/portal/idioma", idioma="xx", sigue="/portal/")
    assert '<html lang="en">' in client_browser.open("/portal/solicitudes").text


def test_no_spanish_is_left_on_an_english_page(operator, ask, move_share) -> None:
    ask("uno")
    move_share("uno", State.ERROR, error_class="source_denied", message=(describe_error(
        ShareError.of("source_denied", "rsync: permission denied")
    ),))  # fmt: skip
    spanish = re.compile(
        r"\b(solicitud|solicitudes|servidor|contraseña|datos|días|pedida|cuenta|vence|estado)\b", re.I
    )
    paths = ("/portal/solicitudes", "/portal/solicitudes/uno", "/portal/nueva", "/portal/resumen", "/portal/auditoria",
             "/portal/cuentas", "/portal/tokens", "/portal/solicitudes/uno/eliminar")  # fmt: skip
    for path in paths:
        page = operator.open(path, **{"Accept-Language": "en"})
        assert page.status_code == 200, path
        text = re.sub(r"<[^>]*>", " ", page.text).replace("/srv/datos", "").replace("source1:/srv/datos", "")
        text = re.sub(r"datos-\d{8}", "", text)
        assert spanish.findall(text) == [], path


@pytest.fixture
def english(app: Flask):
    with app.test_request_context("/portal/"), force_locale("en"):
        yield


def test_messages_of_a_share_are_translated(english) -> None:
    error = ShareError.of("source_unreachable", "ssh: connect: timed out")
    assert say_phrase(describe_error(error), gettext) == (
        "The source host does not answer; it will be tried again. Detail: ssh: connect: timed out"
    )
    kept = (Phrase("lifetime_kept", days=3), describe_giving_up(error, 24))
    assert say_phrases(kept, gettext) == (
        "The lifetime could not be changed and stays at 3 days. It was given up after 24 h of trying. "
        "The source host does not answer. Detail: ssh: connect: timed out"
    )
    for state in State:
        share = Share(id="x", state=state, message=())
        said = explain_state(share, ["vigencia"], paused=True, translate=gettext)
        assert "servidor" not in said
        assert "paused for maintenance" in said


def test_the_history_is_translated(app: Flask, english) -> None:
    changed = Phrase("lifetime_requested", days=7, before=3)
    assert say_history(changed) == "7 days of lifetime were asked for instead of 3."
    failed = describe_error(ShareError.of("source_denied", "rsync: x"))
    assert say_history(failed).startswith("source_denied: The source does not let")
    assert say_history(Phrase("block_requested_because", why="por <b>")) == "A block was asked for: por <b>"
    assert say_history(Phrase("gone")) == "Account, sessions and data are gone."
    with force_locale("es"):
        assert say_history(Phrase("host_reported")) == "El servidor FTP lo informó."
    assert say_history(Phrase("verbatim", text="of an earlier release")) == "of an earlier release"


def test_a_refusal_is_said_in_the_language_of_the_page(settings, context, english) -> None:
    catalogue = read_sources(settings)
    refusals = []
    for ruta in ("nada", "otro:/x", "source1:/etc", "root@source1:/srv/datos", "source1:/srv/../x", "source1:/a*",
                 "source1:/", "source1:/" + "a" * 300):  # fmt: skip
        with pytest.raises(Refused) as refused:
            catalogue.resolve_source(ruta)
        refusals.append(refused.value)
    with pytest.raises(Refused) as refused:
        check_lifetime(settings, 500)
    refusals.append(refused.value)
    with context.write() as session, pytest.raises(Refused) as refused:
        resume_hosts(session, settings, "nada")
    refusals.append(refused.value)
    for error in refusals:
        assert say_refusal(error) != word_refusal(error), error
    assert say_refusal(refusals[-1]) == "there is no FTP host 'nada'; there are simulado"
