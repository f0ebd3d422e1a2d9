"""With the encryption key and all that a client knows, nobody makes a link, a session or a wake-up of ours."""

from __future__ import annotations

import hashlib
import time
from itertools import product

import pytest
from flask import Flask

from tempoftp.access.links import make_link_token
from tempoftp.db.models import Share, Token
from tempoftp.hosts.wake_ups import SocketReceiver, wake
from tempoftp.settings import Settings
from tests.support.application import build_settings
from tests.support.forger import list_guesses, read_link, sign_link, sign_session

STRANGER = {"REMOTE_ADDR": "192.0.2.9"}


@pytest.fixture
def link(context, ready: str) -> str:
    """A link's token, of whose share the forger knows everything that its holder knows."""
    with context.database.read() as session:
        return make_link_token(context.settings, session.get_one(Share, ready))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_strangers": "100000/minute"})


@pytest.fixture
def is_open(app: Flask):
    def ask(token: str) -> bool:
        client = app.test_client()
        codes = {
            client.post(f"/enlace/{token}/credenciales", json={}, environ_base=STRANGER).status_code,
            client.get(f"/enlace/{token}", environ_base=STRANGER).status_code,
        }
        assert codes in ({200}, {404})
        return codes == {200}

    return ask


def test_no_link_is_forged(settings: Settings, ready: str, link: str, is_open) -> None:
    assert is_open(link)
    _id, nonce, _ends = read_link(link)
    ends = int(time.time()) + 3600
    # What a link contained before it had a nonce, guesses, and the nonce itself, to give a link more days.
    contents = [(1, 0), (1, 1), (2, 0), ("",), ("0",), (0,), (None,), (nonce,)]
    for key, content in product(list_guesses(settings.list_keys()), contents):
        assert not is_open(sign_link(key, ready, *content, ends))


def test_a_withdrawn_link_is_dead_also_for_who_has_every_key(
    client, settings: Settings, ready: str, link: str, is_open
) -> None:
    assert client.delete(f"/tmpftp/{ready}/enlace").json == {"id": ready, "status": "ok"}
    assert not is_open(link)
    _id, nonce, _ends = read_link(link)
    (key,) = settings.derive_keys("recipient links")
    ends = int(time.time()) + 3600
    counted = [*range(20), *(str(number) for number in range(20)), nonce, f"{nonce}1", "", None, [nonce]]
    for guess in counted:
        assert not is_open(sign_link(key, ready, guess, ends))


def test_what_is_signed_but_no_link_is_404(settings: Settings, ready: str, link: str, is_open) -> None:
    (key,) = settings.derive_keys("recipient links")
    for content in ([], [ready], [ready, 1, 0, 9], ["x"] * 9, [{}, [], ""], [ready, "ñ", 2**70]):
        assert not is_open(sign_link(key, *content))


def test_no_session_is_forged(app: Flask, context, settings: Settings, make_token) -> None:
    make_token("ana@dominio")
    with context.database.read() as session:
        digest = session.get_one(Token, "aplicacion").digest
    mark = hashlib.sha256(f"portal {digest}".encode()).hexdigest()[:16]
    content = {"_permanent": True, "token": "aplicacion", "marca": mark, "desde": int(time.time())}

    def is_signed_in(key: bytes) -> bool:
        browser = app.test_client()
        browser.set_cookie("tempoftp_portal", sign_session(key, content), path="/portal")
        return browser.get("/portal/solicitudes", environ_base=STRANGER).status_code == 200

    assert is_signed_in(settings.derive_keys("portal session")[0])  # so the forger has the right content
    assert not any(map(is_signed_in, list_guesses(settings.list_keys())))


def test_a_wake_up_has_no_key_that_could_be_known(settings: Settings) -> None:
    """A wake-up is a host's name for who may write to the socket, whatever the keys are."""
    got: list[bytes] = []
    receiver = SocketReceiver(settings.state_dir, got.append)
    receiver.start()
    try:
        for sender in (settings, build_settings(settings.state_dir, settings.sources_file)):
            wake(sender, "ftp1")
        deadline = time.monotonic() + 10
        while len(got) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        receiver.stop()
    assert got == [b"ftp1", b"ftp1"]
