"""The whole way of a share in a browser: in both languages, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal import (
    READY_MILLISECONDS,
    Place,
    ask,
    change,
    confirm,
    delete,
    find_account,
    new_id,
    preview,
    reload_until,
    reveal_password,
    sign_in,
    wait_until,
)

WORDS = {
    "es-MX": {"copied": "Copiar", "gone": "Se pidió eliminar", "history": "Historia"},
    "en-GB": {"copied": "Copy", "gone": "The end of", "history": "History"},
}


@pytest.mark.parametrize("locale", sorted(WORDS))
def test_from_signing_in_to_deleting(make_page, place: Place, locale: str) -> None:
    page: Page = make_page(locale=locale)
    words, share_id = WORDS[locale], new_id()
    sign_in(page, place)
    ask(page, place, share_id)
    wait_until(page, "listo")  # nobody reloads it
    expect(page.locator("#historia-titulo")).to_have_text(words["history"])

    password = reveal_password(page)
    assert len(password) == 20
    expect(page.get_by_role("button", name=words["copied"]).first).to_be_visible()
    expect(page.locator("#linea-lftp")).to_contain_text("lftp -u ftp_navegador_")
    assert page.content().count(password) == 1
    account = find_account(place, share_id)
    assert account is None or account.fetch(password) is not None

    change(page, share_id, "vigencia")
    page.locator("#vigencia").fill("9")
    confirm(page)
    wait_until(page, "listo")
    expect(page.locator("aside .list")).to_contain_text("9 d")

    change(page, share_id, "bloquear")
    page.locator("#razon").fill("prueba")
    confirm(page)
    wait_until(page, "bloqueado")
    assert account is None or account.fetch(password) is None
    change(page, share_id, "desbloquear")
    confirm(page)
    wait_until(page, "listo")

    change(page, share_id, "password")
    confirm(page)
    wait_until(page, "listo")
    expect(page.locator("[data-moving='0']")).to_be_visible(timeout=READY_MILLISECONDS)
    fresh = reveal_password(page)
    assert fresh != password
    assert account is None or (account.fetch(password) is None and account.fetch(fresh) is not None)

    delete(page, share_id)
    expect(page.locator("p.notice")).to_contain_text(words["gone"])


def test_without_javascript_everything_works(make_page, place: Place) -> None:
    page: Page = make_page(javascript=False)
    share_id = new_id()
    sign_in(page, place)
    ask(page, place, share_id)
    reload_until(page, "listo")
    password = reveal_password(page)
    assert len(password) == 20
    assert page.get_by_role("button", name="Copiar").count() == 0  # what needs a script is not offered
    account = find_account(place, share_id)
    assert account is None or account.fetch(password) is not None
    delete(page, share_id)
    expect(page.locator("p.notice")).to_contain_text("Se pidió eliminar")


@pytest.mark.parametrize("javascript", [True, False])
def test_the_size_is_seen_before_asking(make_page, place: Place, javascript: bool) -> None:
    page: Page = make_page(javascript=javascript)
    share_id = new_id()
    sign_in(page, place)
    preview(page, place)  # with nobody's e-mail yet
    expect(page.locator("#vista")).to_contain_text("Cabe en el servidor FTP.")
    expect(page.locator("#vista .facts dd").first).to_have_text(re.compile(r"\d.* [kMGT]?B"))
    # What was typed is there still; Enter asks, and does not measure again.
    page.locator("#usuario").fill(f"{share_id}@dominio.example")
    page.locator("#id").fill(share_id)
    page.locator("#id").press("Enter")
    page.wait_for_url(re.compile(rf"/portal/solicitudes/{share_id}$"))
    delete(page, share_id)


def test_errors_take_the_keyboard_to_their_fields(page: Page, place: Place) -> None:
    sign_in(page, place)
    page.goto("/portal/nueva")
    page.locator("#usuario").fill("alguien@dominio.example")
    page.locator("#camino").fill("../otro")
    page.locator("main form .button-main").click()
    expect(page.locator("#errores")).to_be_focused()
    page.locator("#errores a").click()
    expect(page.locator("#camino")).to_be_focused()
    page.locator("#usuario").fill("alguien@dominio.example")


def test_the_first_key_leads_to_the_content(page: Page, place: Place) -> None:
    sign_in(page, place)
    page.goto("/portal/solicitudes")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_line_is_copied(make_page, place: Place) -> None:
    page: Page = make_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    share_id = new_id()
    sign_in(page, place)
    ask(page, place, share_id)
    wait_until(page, "listo")
    password = reveal_password(page)
    page.locator("[data-copy=clave]").click()
    expect(page.locator("[data-copy=clave]")).to_contain_text("✓")
    assert page.evaluate("navigator.clipboard.readText()") == password
    delete(page, share_id)


def test_the_language_is_switched_and_stays(page: Page, place: Place) -> None:
    sign_in(page, place)
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Requests")
    page.goto("/portal/nueva")
    expect(page.locator("h1")).to_have_text("Ask for data")
