"""Signing in with an account of the institution in a real browser: the provider is another site than the portal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.portal import Place
from tests.support.identity_provider import IdentityProvider
from tests.support.run_service import run_service

WORDS = {
    "es-MX": {
        "enter": "Entrar con LANOT",
        "denied": "no le dio acceso",
        "out": "también en otros navegadores",
    },
    "en-GB": {
        "enter": "Sign in with LANOT",
        "denied": "did not give you access",
        "out": "in other browsers too",
    },
}


@pytest.fixture
def environ(make_environ: Any, tmp_path: Path) -> dict[str, str]:
    found: dict[str, str] = make_environ(tmp_path)
    return found


@pytest.fixture
def provider(environ: dict[str, str]) -> Iterator[Any]:
    # "localhost" and the provider's 127.0.0.1 are two sites: the cookie has to come along all the same.
    provider = IdentityProvider(f"http://localhost:{environ['TEMPOFTP_PORT']}")
    yield provider
    provider.stop()


@pytest.fixture
def place(environ: dict[str, str], provider: Any, tmp_path: Path) -> Iterator[Place]:
    settings = {f"TEMPOFTP_{name.upper()}": str(value) for name, value in provider.build_settings().items()}
    with run_service(tmp_path, environ | settings | {"TEMPOFTP_OIDC_NAME": "LANOT"}):
        yield Place(provider.public_url, environ["TEMPOFTP_TOKEN"], "source1:/srv/datos/a", simulated=True)


def check_with_axe(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found if violation["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("locale", sorted(WORDS))
def test_there_and_back(make_page: Any, place: Place, locale: str, javascript: bool) -> None:
    page, words = make_page(locale=locale, javascript=javascript), WORDS[locale]
    page.goto("/portal/solicitudes?estado=listo")
    if javascript:
        check_with_axe(page)
    page.get_by_role("link", name=words["enter"]).click()
    page.locator("#no").click()
    expect(page.get_by_role("alert")).to_contain_text(words["denied"])
    if javascript:
        check_with_axe(page)
    page.get_by_role("link", name=words["enter"]).click()
    page.locator("#si").click()
    page.wait_for_url(re.compile(r"/portal/solicitudes\?estado=listo$"))
    expect(page.locator(".who-name")).to_contain_text("ana@dominio.example")
    page.locator("form[action$='/salir'] button").click()
    expect(page.get_by_role("status")).to_contain_text(words["out"])
