"""The recipient in a browser of their own: a link, no token; the operator who answers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.portal import (
    READY_MILLISECONDS,
    Place,
    ask,
    delete,
    find_account,
    make_link,
    new_id,
    reload_until,
    reveal_password,
    sign_in,
    wait_until,
)

WORDS = {
    "es-MX": {"waits": "Pidió 4 días más", "given": "Se le dieron 4 días más.", "lines": "En una terminal"},
    "en-GB": {
        "waits": "You asked for 4 more days",
        "given": "You were given 4 more days.",
        "lines": "In a terminal",
    },
}


@pytest.mark.parametrize("locale", sorted(WORDS))
def test_from_the_link_to_more_days(make_page, place: Place, locale: str) -> None:
    operator, recipient = make_page(), make_page(locale=locale)
    words, share_id = WORDS[locale], new_id()
    sign_in(operator, place)
    ask(operator, place, share_id)
    link = make_link(operator, share_id)
    recipient.goto(link)
    expect(recipient.locator("h1")).to_have_text(share_id)
    wait_until(recipient, "listo")  # nobody reloads it

    password = reveal_password(recipient)
    assert len(password) == 20
    expect(recipient.locator("#lineas-titulo")).to_have_text(words["lines"])
    assert recipient.content().count(password) == 1
    account = find_account(place, share_id)
    assert account is None or account.fetch(password) is not None

    recipient.goto(link)
    recipient.locator("#dias").fill("4")
    recipient.locator("#motivo").fill("sigo bajando")
    recipient.locator("form[action$='/prorroga'] button").click()
    expect(recipient.locator("aside")).to_contain_text(words["waits"])
    operator.goto("/portal/solicitudes")
    expect(operator.locator(".number-mark")).to_be_visible()
    operator.goto("/portal/prorrogas")
    operator.locator(f"form[action$='/{share_id}/prorroga/aceptar'] button").click()
    recipient.reload()
    expect(recipient.locator("aside")).to_contain_text(words["given"])

    recipient.locator("a[href$='/password']").click()
    recipient.locator("main form .buttons button").click()
    wait_until(recipient, "listo")
    expect(recipient.locator("[data-moving='0']")).to_be_visible(timeout=READY_MILLISECONDS)
    fresh = reveal_password(recipient)
    assert fresh != password
    assert account is None or account.fetch(fresh) is not None

    operator.goto(f"/portal/solicitudes/{share_id}/enlaces")
    operator.locator("main form .buttons button").click()
    gone = recipient.goto(link)
    assert gone is not None
    assert gone.status == 404
    delete(operator, share_id)


def test_without_javascript_the_recipient_lacks_nothing(make_page, place: Place) -> None:
    operator, recipient = make_page(), make_page(javascript=False)
    share_id = new_id()
    sign_in(operator, place)
    ask(operator, place, share_id)
    recipient.goto(make_link(operator, share_id))
    reload_until(recipient, "listo")
    page_address = recipient.url
    assert len(reveal_password(recipient)) == 20
    recipient.goto(page_address)
    recipient.locator("#dias").fill("2")
    recipient.locator("form[action$='/prorroga'] button").click()
    expect(recipient.locator("aside")).to_contain_text("Pidió 2 días más")
    recipient.get_by_role("button", name="English").click()
    expect(recipient.locator("aside")).to_contain_text("You asked for 2 more days")
    assert recipient.url == page_address
    delete(operator, share_id)


def test_the_address_of_the_page_is_told_to_nobody(make_page, place: Place) -> None:
    operator, recipient = make_page(), make_page()
    share_id, told = new_id(), []
    sign_in(operator, place)
    ask(operator, place, share_id)
    link = make_link(operator, share_id)
    recipient.on("request", lambda request: told.append((request.url, request.headers.get("referer"))))
    recipient.goto(link)
    wait_until(recipient, "listo")
    reveal_password(recipient)
    recipient.locator(".brand").click()
    recipient.wait_for_url(re.compile("/portal/entrar"))
    assert len(told) > 4
    assert [address for address, _referer in told if not address.startswith(place.url)] == []
    assert [referer for _address, referer in told if referer and "/enlace/" in referer] == []
    delete(operator, share_id)


def test_a_page_that_is_refused_for_now_stays_and_looks_again(make_page, place: Place) -> None:
    operator, recipient = make_page(), make_page()
    share_id = new_id()
    sign_in(operator, place)
    ask(operator, place, share_id)
    link = make_link(operator, share_id)
    operator.goto(f"/portal/solicitudes/{share_id}")
    wait_until(operator, "listo")
    recipient.clock.install()
    recipient.goto(link)
    recipient.evaluate("window.stays = true")
    recipient.route("**/avance", lambda route: route.fulfill(status=429, body="no"))
    for _ in range(2):
        with recipient.expect_response("**/avance") as refused:
            recipient.clock.run_for(61_000)
        assert refused.value.status == 429
    expect(recipient.locator("h1")).to_have_text(share_id)
    recipient.unroute("**/avance")
    with recipient.expect_response("**/avance") as answered:
        recipient.clock.run_for(61_000)
    assert answered.value.status == 200
    assert recipient.evaluate("window.stays") is True
    delete(operator, share_id)
