"""The headers of every page, and which forms are refused."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask import Flask

from tempoftp.http.access import PUBLIC, Role, read_allowed
from tempoftp.portal.routes import STATIC

PAGES = ("/portal/entrar", "/portal/nada", "/portal/solicitudes")
OPERATOR_PAGES = (
    "/portal/resumen",
    "/portal/auditoria",
    "/portal/cuentas",
    "/portal/tokens",
    "/portal/nueva",
)


class Inline(HTMLParser):
    """Finds what the policy forbids: inline scripts, styles and handlers, and addresses of other sites."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        places = (names.get(name) or "" for name in ("src", "href", "action"))
        self.found += [place for place in places if place.startswith(("http", "//", "javascript:", "data:"))]


def list_routes(app: Flask, method: str) -> list[tuple[str, str]]:
    return [
        (rule.endpoint, re.sub(r"<[^>]+>", "nada", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("portal.") and method in (rule.methods or set())
    ]


@pytest.mark.parametrize("path", [*PAGES, *OPERATOR_PAGES])
def test_every_page_has_the_headers_and_nothing_inline(operator, path: str) -> None:
    page = operator.open(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert "X-Request-ID" in page.headers
    inline = Inline()
    inline.feed(page.text)
    assert inline.found == []


def test_the_api_keeps_its_own_headers(app: Flask) -> None:
    answer = app.test_client().get("/tmpftp")
    assert "Content-Security-Policy" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.iterdir()))
def test_static_files_may_be_cached(browser, name: str) -> None:
    page = browser.open(f"/portal/static/{name}")
    assert page.status_code == 200
    assert "max-age=86400" in page.headers["Cache-Control"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["../start.py", "%2e%2e/start.py", "..%2fstart.py", "nada.css"])
def test_other_files_are_404(browser, name: str) -> None:
    assert browser.open(f"/portal/static/{name}").status_code == 404


def test_every_form_needs_its_token(app: Flask, operator) -> None:
    for endpoint, path in list_routes(app, "POST"):
        answer = operator.post(path)
        assert answer.status_code == 400, endpoint
        assert "El formulario ya no vale" in answer.text


def test_a_form_token_of_another_session_is_refused(operator, client_browser, ask, read_row) -> None:
    ask("uno")
    token = re.search(r'name="csrf_token" value="([^"]+)"', operator.open("/portal/nueva").text)
    assert token is not None
    answer = client_browser.post("/portal/solicitudes/uno/eliminar", csrf_token=token[1])
    assert answer.status_code == 400
    assert read_row("uno").state == "recibido"


def test_a_visitor_without_a_session_sees_only_the_sign_in(app: Flask, browser) -> None:
    for method in ("GET", "POST"):
        for endpoint, path in list_routes(app, method):
            answer = browser.open(path) if method == "GET" else browser.post(path)
            if read_allowed(app.view_functions[endpoint]) is PUBLIC:
                assert answer.status_code in (200, 303, 400, 404), endpoint
                continue
            assert answer.status_code == 303, endpoint
            assert answer.headers["Location"].startswith("/portal/entrar"), endpoint


def test_a_cliente_does_not_see_the_pages_of_operators(app: Flask, client_browser) -> None:
    page = client_browser.open("/portal/solicitudes").text
    for name in ("resumen", "auditoria", "cuentas", "tokens"):
        assert f"/portal/{name}" not in page
    for endpoint, path in list_routes(app, "GET"):
        if read_allowed(app.view_functions[endpoint]) is Role.OPERADOR:
            answer = client_browser.open(path)
            assert answer.status_code == 403, endpoint
            assert answer.mimetype == "text/html"
    for endpoint, path in list_routes(app, "POST"):
        if read_allowed(app.view_functions[endpoint]) is Role.OPERADOR:
            assert client_browser.send(path, page="/portal/solicitudes").status_code == 403, endpoint


def test_a_path_without_a_page_answers_a_page_with_404(operator) -> None:
    page = operator.open("/portal/nada")
    assert page.status_code == 404
    assert "No hay nada en esta dirección" in page.text


def test_the_root_redirects_only_browsers_to_the_portal(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portal/")
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert client.get("/", headers=accept).json == {"status": "active"}
    assert answer.headers["Vary"] == "Accept"
