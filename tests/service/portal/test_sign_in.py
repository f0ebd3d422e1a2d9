"""Signing in and out: the content of the cookie, what ends a session, where the sign-in redirects to."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet

from tempoftp.access.tokens import Role, create_token, revoke_token
from tempoftp.app import create_app
from tempoftp.db.models import Token
from tempoftp.settings import Settings


def read_cookie(browser: Any) -> tuple[str, dict[str, Any]]:
    """The cookie as it is sent, and its content, which its holder can read."""
    cookie = browser.client.get_cookie("tempoftp_portal", path="/portal")
    assert cookie is not None
    payload = cookie.value
    packed = payload.startswith(".")
    text = payload.lstrip(".").split(".")[0]
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return cookie.value, json.loads(zlib.decompress(content) if packed else content)


def test_a_token_opens_the_portal(browser, make_secret) -> None:
    answer = browser.sign_in(make_secret("alguien@dominio.example"))
    assert answer.status_code == 303
    assert browser.follow().headers["Location"] == "/portal/solicitudes"
    page = browser.follow()
    assert page.status_code == 200
    assert "ana" in page.text


def test_the_cookie_holds_no_token_and_is_kept_from_scripts(browser, make_secret) -> None:
    secret = make_secret("alguien@dominio.example")
    header = browser.sign_in(secret).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/portal"} <= {part.strip() for part in header.split(";")}
    assert "Secure" not in header  # plain HTTP on loopback
    value, content = read_cookie(browser)
    assert secret not in value + json.dumps(content)
    assert set(content) == {"_permanent", "token", "marca", "desde"}
    assert content["token"] == "ana"


@pytest.mark.parametrize("front", [{"trusted_proxies": 1}, {"public_url": "https://datos.example.org"}])
def test_the_cookie_is_secure_where_browsers_come_over_tls(settings, front: dict[str, object]) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | front))
    assert "Secure" in app.test_client().get("/portal/entrar").headers["Set-Cookie"]
    app.extensions["tempoftp"].database.close()


@pytest.mark.parametrize("wrong", ["", "tempoftp_no-es-de-aqui", "x" * 10_000, "ñ\x00", "' OR 1=1 --"])
def test_a_wrong_token_is_refused(browser, wrong: str) -> None:
    answer = browser.sign_in(wrong)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert wrong == "" or wrong not in answer.text
    assert browser.open("/portal/solicitudes").status_code == 303


def test_a_revoked_token_ends_its_sessions_at_once(context, client_browser) -> None:
    assert client_browser.open("/portal/solicitudes").status_code == 200
    with context.write() as session:
        revoke_token(session, "ana")
    answer = client_browser.open("/portal/solicitudes")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/portal/entrar")


def test_an_expired_token_ends_its_sessions(context, browser) -> None:
    with context.write() as session:
        secret = create_token(session, "corto", Role.OPERADOR, (), lifetime=timedelta(minutes=5))
    browser.sign_in(secret)
    assert browser.open("/portal/resumen").status_code == 200
    with time_machine.travel(timedelta(minutes=6), tick=False):
        assert browser.open("/portal/resumen").status_code == 303


def test_another_token_of_the_same_name_does_not_take_a_session_over(context, client_browser) -> None:
    with context.write() as session:
        session.delete(session.get_one(Token, "ana"))
        session.flush()
        create_token(session, "ana", Role.OPERADOR, ())
    assert client_browser.open("/portal/solicitudes").status_code == 303


def test_a_session_ends_after_its_hours_however_much_it_is_used(client_browser, ask) -> None:
    ask("uno")
    for hours in (6, 11):
        with time_machine.travel(timedelta(hours=hours), tick=False):
            assert client_browser.open("/portal/solicitudes").status_code == 200
            client_browser.send(
                "/portal/solicitudes/uno/vigencia", page="/portal/solicitudes/uno/vigencia", vigencia="5"
            )
    with time_machine.travel(timedelta(hours=13), tick=False):
        assert client_browser.open("/portal/solicitudes").status_code == 303


def test_a_session_that_a_clock_ahead_began_ends_when_the_clock_is_right(client_browser) -> None:
    with time_machine.travel(timedelta(days=-365), tick=False):
        assert client_browser.open("/portal/solicitudes").status_code == 303


def test_signing_out_ends_the_session(client_browser) -> None:
    client_browser.send("/portal/salir", page="/portal/solicitudes")
    assert client_browser.follow().status_code == 200
    assert client_browser.open("/portal/solicitudes").status_code == 303


def test_a_cookie_signed_with_another_key_is_ignored(app, settings, client_browser) -> None:
    value, _content = read_cookie(client_browser)
    other = Settings.model_validate(settings.model_dump() | {"secret_key": Fernet.generate_key().decode()})
    stranger = create_app(other)
    browser = stranger.test_client()
    browser.set_cookie("tempoftp_portal", value, path="/portal")
    assert browser.get("/portal/solicitudes").status_code == 303
    stranger.extensions["tempoftp"].database.close()


def test_a_session_continues_after_a_rotation_of_the_key(settings, client_browser) -> None:
    value, _content = read_cookie(client_browser)
    keys = f"{Fernet.generate_key().decode()},{settings.secret_key.get_secret_value()}"
    rotated = create_app(Settings.model_validate(settings.model_dump() | {"secret_key": keys}))
    browser = rotated.test_client()
    browser.set_cookie("tempoftp_portal", value, path="/portal")
    assert browser.get("/portal/solicitudes").status_code == 200
    rotated.extensions["tempoftp"].database.close()


def test_the_api_ignores_the_cookie(client_browser) -> None:
    value, _content = read_cookie(client_browser)
    answer = client_browser.client.get(
        "/tmpftp", headers={"Cookie": f"tempoftp_portal={value}"}, environ_base={"REMOTE_ADDR": "192.0.2.9"}
    )
    assert answer.status_code == 401


def test_a_mapped_address_has_to_sign_in_too(app) -> None:
    # The settings of the fixtures map 127.0.0.1, the address of this client.
    assert app.test_client().get("/portal/solicitudes").status_code == 303


def test_a_bearer_token_is_no_session(app, make_secret) -> None:
    headers = {"Authorization": f"Bearer {make_secret('a@b.example')}"}
    assert app.test_client().get("/portal/solicitudes", headers=headers).status_code == 303


def test_the_sign_in_returns_to_the_wanted_page(browser, make_secret) -> None:
    answer = browser.open("/portal/solicitudes?estado=listo")
    assert answer.headers["Location"] == "/portal/entrar?sigue=/portal/solicitudes?estado%3Dlisto"
    browser.follow()
    answer = browser.send(
        "/portal/entrar", token=make_secret("a@b.example"), sigue="/portal/solicitudes?estado=listo"
    )
    assert answer.headers["Location"] == "/portal/solicitudes?estado=listo"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://otro.example/",
        "//otro.example",
        "/portal//otro.example",
        "/portal/../tmpftp",
        "/\\otro.example",
        "/portal/\\\\otro.example",
        "javascript:alert(1)",
        "/portal/\r\nX: y",
        "/tmpftp",
    ],
)
def test_the_sign_in_redirects_to_no_other_site(browser, make_secret, elsewhere: str) -> None:
    browser.open("/portal/entrar")
    answer = browser.send("/portal/entrar", token=make_secret("a@b.example"), sigue=elsewhere)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/portal/"


def test_guesses_are_counted_by_address(settings) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | {"rate_strangers": "5/minute"}))
    client = app.test_client()
    codes = [client.post("/portal/entrar", data={"token": "x"}).status_code for _ in range(7)]
    assert codes == [400] * 5 + [429] * 2
    page = client.get("/portal/entrar")
    assert page.status_code == 429
    assert page.mimetype == "text/html"
    assert "Retry-After" in page.headers
    app.extensions["tempoftp"].database.close()


def test_without_authentication_no_sign_in_is_needed(settings) -> None:
    app = create_app(Settings.model_validate(settings.model_dump() | {"auth": "none", "address_roles": ()}))
    page = app.test_client().get("/portal/resumen")
    assert page.status_code == 200
    app.extensions["tempoftp"].database.close()
