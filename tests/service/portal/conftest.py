"""The application of the API's tests, and browsers with a session."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tempoftp.access.tokens import Role, create_token
from tempoftp.db.clock import utc_now
from tempoftp.db.models import FtpHost, Share
from tempoftp.http.context import ApiContext
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State
from tests.support.application import app, context, fresh_state, move_share, settings

__all__ = ["app", "context", "fresh_state", "move_share", "settings"]

ADDRESS = {"REMOTE_ADDR": "192.0.2.9"}
_FORM_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """A browser without JavaScript: it opens pages, sends their forms and keeps cookies."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page: TestResponse | None = None

    def open(self, path: str, **headers: str) -> TestResponse:
        self.page = self.client.get(path, environ_base=ADDRESS, headers=headers, buffered=True)
        return self.page

    def send(self, path: str, page: str | None = None, **fields: str) -> TestResponse:
        """Send a form of a page (by default of the page opened last), with the hidden fields of the page."""
        if page is not None:
            self.open(page)
        assert self.page is not None
        found = _FORM_TOKEN.search(self.page.text)
        assert found is not None, self.page.text
        return self.post(path, csrf_token=found[1], **fields)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send only these fields, as a page of another site could."""
        self.page = self.client.post(path, data=fields, environ_base=ADDRESS)
        return self.page

    def follow(self) -> TestResponse:
        assert self.page is not None
        assert self.page.status_code == 303, self.page.text
        return self.open(self.page.headers["Location"])

    def sign_in(self, secret: str) -> TestResponse:
        return self.send("/portal/entrar", page="/portal/entrar", token=secret)


SignIn = Callable[..., Browser]


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser without a session."""
    return Browser(app.test_client())


@pytest.fixture
def make_secret(context: ApiContext) -> Callable[..., str]:
    def make(*emails: str, role: Role = Role.CLIENTE, name: str = "ana") -> str:
        with context.write() as session:
            return create_token(session, name, role, emails)

    return make


@pytest.fixture
def sign_in(app: Flask, make_secret: Callable[..., str]) -> SignIn:
    """A browser with a session, by a token with these e-mails, or with this role."""

    def enter(*emails: str, role: Role = Role.CLIENTE, name: str = "ana") -> Browser:
        browser = Browser(app.test_client())
        answer = browser.sign_in(make_secret(*emails, role=role, name=name))
        assert answer.status_code == 303, answer.text
        return browser

    return enter


@pytest.fixture
def client_browser(sign_in: SignIn) -> Browser:
    return sign_in("alguien@dominio.example")


@pytest.fixture
def operator(sign_in: SignIn) -> Browser:
    return sign_in(role=Role.OPERADOR, name="jefa")


@pytest.fixture
def ask(context: ApiContext) -> Callable[..., None]:
    """Write a request down."""

    def write(
        share_id: str, usuario: str = "alguien@dominio.example", ruta: str = "source1:/srv/datos/a"
    ) -> None:
        request = ShareRequest(usuario=usuario, id=share_id, ruta=ruta, vigencia=3)
        with context.write() as session:
            create_share(session, context.settings, request, "tester", f"request-{share_id}")

    return write


@pytest.fixture
def read_row(context: ApiContext) -> Callable[[str], Share]:
    def read(share_id: str) -> Share:
        with context.database.read() as session:
            return session.get_one(Share, share_id)

    return read


@pytest.fixture
def ready(context, ask, move_share) -> None:
    """A share that is ready, on a host whose address is known."""
    ask("uno")
    move_share(
        "uno",
        State.LISTO,
        path="/data/ftp_alguien_dominio/uno",
        ready_at=utc_now(),
        expires=utc_now() + timedelta(days=2, hours=3, minutes=30),
        bytes_total=1_500_000,
        files_total=4,
        delivered_by="rsync",
        confirmed_generation=1,
    )
    server = {"host": "ftp.example.org", "port": 2121, "tls": True, "fingerprint": "sha256:AB:CD"}
    with context.database.write() as session:
        share = session.get_one(Share, "uno")
        session.add(FtpHost(name=share.ftp_host, facts={"server": server}, facts_at=utc_now(), paused=False))
