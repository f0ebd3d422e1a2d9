"""axe on every page, light and dark; nothing wider than a small phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.portal import (
    Place,
    ask,
    delete,
    make_link,
    new_id,
    preview,
    reveal_password,
    sign_in,
    wait_until,
)

PATHS = (
    "/portal/entrar",
    "/portal/solicitudes",
    "/portal/solicitudes?texto=nada-de-nada",
    "/portal/nueva",
    "/portal/solicitudes/{id}",
    "/portal/solicitudes/{id}/vigencia",
    "/portal/solicitudes/{id}/password",
    "/portal/solicitudes/{id}/bloquear",
    "/portal/solicitudes/{id}/eliminar",
    "/portal/solicitudes/{id}/enlaces",
    "/portal/prorrogas",
    "/portal/resumen",
    "/portal/auditoria",
    "/portal/auditoria/reparar",
    "/portal/cuentas",
    "/portal/tokens",
    "/portal/nada",
)
FIND_WIDE = """() => [...document.querySelectorAll("*")]
  .filter(element => element.getBoundingClientRect().right > 360)
  .map(element => element.outerHTML.slice(0, 120)).slice(0, 6)"""
GRAVE = ("serious", "critical")


@pytest.fixture
def share_id() -> str:
    return new_id()


def walk(page: Page, place: Place, share_id: str) -> Iterator[str]:
    """Open every page, one after the other, and yield its address."""
    page.goto("/portal/entrar")
    yield "/portal/entrar"
    sign_in(page, place)
    ask(page, place, share_id)
    wait_until(page, "listo")
    for path in PATHS[1:]:
        page.goto(path.format(id=share_id))
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        yield path
    preview(page, place)
    yield "/portal/nueva, with a preview"
    page.goto("/portal/nueva")
    page.locator("#usuario").fill("alguien@dominio.example")
    page.locator("#camino").fill("../otro")
    with page.expect_navigation():  # a click does not wait for the page that it leads to
        page.locator("main form .button-main").click()
    yield "/portal/nueva, refused"
    page.goto(f"/portal/solicitudes/{share_id}")
    reveal_password(page)
    yield "credentials"
    link = make_link(page, share_id)
    yield "the link"
    page.goto(link)
    yield "/portal/enlace/{token}"
    page.locator("#dias").fill("2")
    with page.expect_navigation():
        page.locator("form[action$='/prorroga'] button").click()
    yield "/portal/enlace/{token}, asked for days"
    reveal_password(page)
    yield "/portal/enlace/{token}/credenciales"
    page.goto(f"/portal{link}/password")
    yield "/portal/enlace/{token}/password"
    page.goto(f"{link}x")
    yield "/portal/enlace/{token}, no valid link"
    page.goto("/portal/prorrogas")
    yield "/portal/prorrogas, with a request"
    delete(page, share_id)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_grave(make_page, place: Place, share_id: str, dark: bool) -> None:
    page = make_page(dark=dark)
    axe, found = Axe(), []
    for name in walk(page, place, share_id):
        page.wait_for_load_state()
        for violation in axe.run(page).response["violations"]:
            if violation["impact"] in GRAVE:
                nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                found.append((name, violation["id"], violation["help"], nodes))
    assert found == []


def test_nothing_is_wider_than_a_small_phone(make_page, place: Place, share_id: str) -> None:
    page = make_page(width=360)
    wide = []
    for name in walk(page, place, share_id):
        page.wait_for_load_state()
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide.append((name, width, page.evaluate(FIND_WIDE)))
    assert wide == []
