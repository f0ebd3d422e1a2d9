"""TEMPOFTP_PUBLIC_URL with a path: API and portal work below it, whether or not the proxy removes it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask

from tempoftp.access.tokens import Role
from tempoftp.app import create_app
from tempoftp.settings import Settings, SettingsError, load_settings
from tempoftp.settings.notices import OWN_PATHS
from tests.service.portal.conftest import Browser

ORIGIN = "https://datos.example.org"
_LINKS = re.compile(r'(?:href|src|action|data-live)="([^"#][^"]*)"')
_POSTED = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]+)"')


def remove_prefix(app: Any, prefix: str) -> Callable[..., Any]:
    """What a proxy does that removes the path: another path is not ours."""

    def proxy(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path != prefix and not path.startswith(f"{prefix}/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"of another program"]
        return app(environ | {"PATH_INFO": path[len(prefix) :] or "/"}, start_response)

    return proxy


@pytest.fixture(params=[("removed", "/tempoftp"), ("left", "/a/b-c_1.2~"), ("removed", "/portales")])
def proxied(request: pytest.FixtureRequest) -> tuple[str, str]:
    """What the proxy does with the path, and the path."""
    proxied: tuple[str, str] = request.param
    return proxied


@pytest.fixture
def prefix(proxied: tuple[str, str]) -> str:
    return proxied[1]


@pytest.fixture
def below(proxied: tuple[str, str], settings: Settings) -> Iterator[Flask]:
    """The application behind such a proxy."""
    deed, prefix = proxied
    app = create_app(Settings.model_validate(settings.model_dump() | {"public_url": f"{ORIGIN}{prefix}"}))
    if deed == "removed":
        app.wsgi_app = remove_prefix(app.wsgi_app, prefix)  # type: ignore[method-assign]
    yield app
    app.extensions["tempoftp"].database.close()


def list_targets(page: Any, path: str) -> set[str]:
    """Addresses on this host that a page or a redirect leads to with GET."""
    if page.status_code == 303:
        links = {page.headers["Location"]}
    elif page.mimetype == "text/html":
        links = set(_LINKS.findall(page.text)) - set(_POSTED.findall(page.text))
    else:
        links = set()
    absolute = {urljoin(f"{ORIGIN}{path}", html.unescape(link)) for link in links}
    return {address.removeprefix(ORIGIN) for address in absolute if address.startswith(f"{ORIGIN}/")}


@pytest.mark.usefixtures("ready")
def test_every_address_of_the_portal_is_below_it(below: Flask, prefix: str, make_secret) -> None:
    browser = Browser(below.test_client())
    start = f"{prefix}/portal/solicitudes"
    assert browser.open(start).headers["Location"] == f"{prefix}/portal/entrar?sigue={start}"
    browser.follow()
    entered = browser.send(f"{prefix}/portal/entrar", token=make_secret(role=Role.OPERADOR), sigue=start)
    assert entered.headers["Location"] == start
    assert f"Path={prefix}/portal;" in entered.headers["Set-Cookie"]
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        page = browser.open(path)
        assert page.status_code in (200, 303), path
        seen.add(path.partition("?")[0])
        targets = list_targets(page, path)
        assert all(target.startswith(f"{prefix}/") for target in targets), (path, targets)
        waiting = [
            *(target for target in targets if target.partition("?")[0] not in seen),
            *waiting,
        ]
    assert len(seen) > 12, seen


def test_a_chosen_language_returns_to_the_page(below: Flask, prefix: str) -> None:
    browser = Browser(below.test_client())
    page = f"{prefix}/portal/entrar"
    opened = browser.open(page)
    assert f'name="sigue" value="{page}"' in opened.text
    answer = browser.send(f"{prefix}/portal/idioma", idioma="en", sigue=page)
    assert answer.headers["Location"] == page
    assert any(f"Path={prefix}/portal" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert "Sign in" in browser.follow().text


def test_the_api_names_its_addresses_below_it(below: Flask, prefix: str) -> None:
    client = below.test_client()
    body = {"usuario": "alguien@dominio", "id": "abajo_1", "ruta": "source1:/srv/datos/goes", "vigencia": 3}
    made = client.post(f"{prefix}/tmpftp", json=body)
    assert (made.status_code, made.headers["Location"]) == (202, f"{prefix}/tmpftp/abajo_1")
    assert client.get(made.headers["Location"]).status_code == 202
    start = client.get(f"{prefix}/", headers={"Accept": "text/html"})
    assert start.headers["Location"] == f"{prefix}/portal/"
    document = client.get(f"{prefix}/openapi.json").json
    assert document is not None and document["servers"] == [{"url": prefix}]
    page = client.get(f"{prefix}/docs").text
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert client.get(urljoin(f"{prefix}/docs", link), buffered=True).status_code == 200
    stream = client.get(f"{prefix}/tmpftp/abajo_1/eventos", headers={"Accept": "text/event-stream"})
    assert next(iter(stream.response)).startswith(b"retry:")
    stream.close()


@pytest.mark.usefixtures("ready")
def test_a_recipients_link_leads_to_its_page(below: Flask, prefix: str) -> None:
    client = below.test_client()
    made = client.post(f"{prefix}/tmpftp/uno/enlace", json={}).json
    assert made is not None and made["enlace"].startswith(f"{ORIGIN}{prefix}/enlace/")
    answer = client.get(made["enlace"].removeprefix(ORIGIN), headers={"Accept": "text/html"})
    assert answer.headers["Location"].startswith(f"{prefix}/portal/enlace/")
    page = client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert all(target.startswith(f"{prefix}/") for target in list_targets(page, answer.headers["Location"]))


@pytest.mark.parametrize(
    "elsewhere", ["/portal/solicitudes", "//mal.example/portal/", "/otra/portal/", "/tempoftp-x/portal/"]
)
def test_the_page_after_the_sign_in_is_below_it(
    below: Flask, prefix: str, make_secret, elsewhere: str
) -> None:
    browser = Browser(below.test_client())
    browser.open(f"{prefix}/portal/entrar")
    answer = browser.send(f"{prefix}/portal/entrar", token=make_secret(role=Role.OPERADOR), sigue=elsewhere)
    assert answer.headers["Location"] == f"{prefix}/portal/"


@pytest.mark.parametrize(
    "path",
    ["/portal", "/tmpftp/x", "/health", "/a//b", "/../x", "/a/./b", "/a%2fb", "/a b", "/ñ", "/a;b", "/<x>"],
)
def test_refuses_a_path_that_cannot_work(path: str, settings: Settings) -> None:
    with pytest.raises((SettingsError, ValueError), match="path"):
        load_settings(**settings.model_dump() | {"public_url": f"{ORIGIN}{path}"})


def test_refused_first_parts_are_those_of_the_routes(app: Flask) -> None:
    assert {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()} - {""} == OWN_PATHS
