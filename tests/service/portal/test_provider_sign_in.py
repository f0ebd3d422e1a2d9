"""Signing in through a real OpenID Connect provider on loopback: who is signed in, and what ends the session."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tempoftp.access.identities import readmit_identity
from tempoftp.access.tokens import list_tokens, revoke_token
from tempoftp.app import create_app
from tempoftp.db.models import Token
from tempoftp.settings import Settings
from tests.support.identity_provider import CLIENT_SECRET, IdentityProvider, drop, make_key

START = "/portal/entrar/proveedor"
PERSON = "oidc:ana@dominio.example:"


@pytest.fixture
def provider() -> Iterator[Any]:
    provider = IdentityProvider()
    yield provider
    provider.stop()


@pytest.fixture
def settings(settings: Settings, provider: Any) -> Settings:
    return Settings.model_validate(settings.model_dump() | provider.build_settings())


@pytest.fixture
def enter(provider: Any) -> Callable[..., Any]:
    """Go to the provider and back, as a browser does."""

    def walk(browser: Any, start: str = START) -> Any:
        answer = browser.open(start)
        assert answer.status_code == 303, answer.text
        return browser.open(provider.agree(answer.headers["Location"]).removeprefix("http://localhost"))

    return walk


@pytest.fixture
def read_rows(context: Any) -> Callable[[], list[Token]]:
    def read() -> list[Token]:
        with context.database.read() as session:
            return list_tokens(session)

    return read


def read_session(browser: Any) -> dict[str, Any]:
    """The content of the cookie, which its holder can read."""
    text = browser.client.get_cookie("tempoftp_portal", path="/portal").value
    part = text.lstrip(".").split(".")[0]
    content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    found: dict[str, Any] = json.loads(zlib.decompress(content) if text.startswith(".") else content)
    return found


def test_a_person_whom_the_provider_identifies_is_signed_in(browser, enter, provider) -> None:
    page = browser.open("/portal/entrar")
    assert f'href="{START}"' in page.text
    answer = enter(browser)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/portal/"
    page = browser.open("/portal/solicitudes")
    assert page.status_code == 200
    assert "ana@dominio.example</span>" in page.text
    assert set(provider.asked) >= {"state", "nonce", "code_challenge", "redirect_uri"}
    assert set(provider.asked["scope"].split()) == {"openid", "email", "profile"}
    assert len(provider.token_request["code_verifier"]) >= 43


def test_the_session_is_like_that_of_a_token(browser, enter, read_rows) -> None:
    header = enter(browser).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/portal"} <= {part.strip() for part in header.split(";")}
    # It has nothing of the provider's tokens, and nothing of the sign-in.
    assert set(read_session(browser)) == {"_permanent", "token", "marca", "desde"}
    (row,) = read_rows()
    assert row.name.startswith(PERSON)
    assert (row.role, row.emails) == ("cliente", ["ana@dominio.example"])
    assert (
        browser.post("/portal/nueva", usuario="ana@dominio.example").status_code == 400
    )  # the CSRF token is missing


def test_a_cliente_sees_the_shares_of_the_verified_email_and_no_other(browser, enter, ask, provider) -> None:
    ask("mia", usuario="ana@dominio.example")
    ask("ajena", usuario="otra@dominio.example")
    provider.person["email"] = "Ana@Dominio.example"
    enter(browser)
    page = browser.open("/portal/solicitudes").text
    assert "mia" in page
    assert "ajena" not in page
    assert browser.open("/portal/solicitudes/mia").status_code == 200
    assert browser.open("/portal/solicitudes/ajena").status_code == 404
    assert browser.open("/portal/resumen").status_code == 403
    fields = {"id": "otra", "ruta": "source1:/srv/datos/a", "usuario": "otra@dominio.example"}
    refused = browser.send("/portal/nueva", page="/portal/nueva", **fields)
    assert refused.status_code in (403, 422)


def test_the_higher_role_counts_and_sees_every_share(browser, enter, ask, provider, read_rows) -> None:
    ask("ajena", usuario="otra@dominio.example")
    provider.person["groups"] = ["usuarios", "cn=jefas,dc=dominio", "nada"]
    enter(browser)
    assert browser.open("/portal/resumen").status_code == 200
    assert "ajena" in browser.open("/portal/solicitudes").text
    assert PERSON in browser.open("/portal/tokens").text
    (row,) = read_rows()
    assert (row.role, row.emails) == ("operador", ["*"])


def test_the_history_names_the_person(browser, enter, ask, context) -> None:
    ask("mia", usuario="ana@dominio.example")
    enter(browser)
    path = "/portal/solicitudes/mia/eliminar"
    assert browser.send(path, page=path).status_code == 303
    assert "· ana@dominio.example" in browser.open("/portal/solicitudes/mia").text


@pytest.mark.parametrize("claim", ["realm_access.roles", "https://dominio.example/roles"])
def test_the_claim_may_be_nested_or_have_dots(settings, provider, enter, claim: str, browser_of) -> None:
    values = ["usuarios"]
    provider.person = drop(provider.person, "groups") | (
        {claim: values} if ":" in claim else {"realm_access": {"roles": values}}
    )
    browser = browser_of(oidc_role_claim=claim)
    enter(browser)
    assert browser.open("/portal/solicitudes").status_code == 200


def test_claims_missing_in_the_id_token_come_from_the_userinfo_endpoint(browser, enter, provider) -> None:
    provider.userinfo = dict(provider.person)
    provider.person = {"sub": provider.person["sub"]}
    enter(browser)
    assert browser.open("/portal/solicitudes").status_code == 200
    assert "/casa/userinfo" in provider.calls


def test_a_provider_without_basic_authentication_gets_the_secret_in_the_form(
    browser_of, enter, provider
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    # The provider of the tests wants the header and answers an error: only what it was sent is checked.
    assert enter(browser_of()).status_code == 503
    assert provider.token_request["client_secret"] == CLIENT_SECRET


def test_new_keys_of_the_provider_are_found(browser, enter, provider, app) -> None:
    enter(browser)
    provider.key = provider.published = make_key("dos")
    other = type(browser)(app.test_client())
    assert enter(other).status_code == 303
    assert provider.calls.count("/casa/jwks") == 2
    assert provider.calls.count("/casa/.well-known/openid-configuration") == 1


def test_the_sign_in_returns_to_the_wanted_page(browser, enter) -> None:
    browser.open("/portal/solicitudes?estado=listo")
    page = browser.follow().text
    assert f"{START}?sigue=/portal/solicitudes?estado%3Dlisto" in page
    answer = enter(browser, f"{START}?sigue=/portal/solicitudes?estado%3Dlisto")
    assert answer.headers["Location"] == "/portal/solicitudes?estado=listo"


@pytest.mark.parametrize(
    "elsewhere", ["https://otro.example/", "//otro.example", "/portal//otro.example", "/\\o"]
)
def test_the_sign_in_redirects_to_no_other_site(browser, enter, elsewhere: str) -> None:
    assert enter(browser, f"{START}?sigue={elsewhere}").headers["Location"] == "/portal/"


def test_the_return_address_does_not_come_from_the_request(browser, enter, provider) -> None:
    browser.open(START, Host="otro.example")
    assert provider.agree(browser.page.headers["Location"]).startswith("http://localhost/portal/")
    assert provider.asked["redirect_uri"] == "http://localhost/portal/entrar/proveedor/vuelta"


def test_without_a_provider_there_is_neither_button_nor_page(settings) -> None:
    unset = dict.fromkeys(("oidc_issuer", "oidc_client_id", "oidc_client_secret")) | {"oidc_roles": ()}
    app = create_app(Settings.model_validate(settings.model_dump() | unset))
    client = app.test_client()
    assert START not in client.get("/portal/entrar").text
    assert client.get(START).status_code == 404
    assert client.get(f"{START}/vuelta?code=a&state=b").status_code == 404
    app.extensions["tempoftp"].database.close()


def test_the_button_in_both_languages(browser, browser_of) -> None:
    assert "Entrar con la cuenta de su institución" in browser.open("/portal/entrar").text
    page = browser.open("/portal/entrar", **{"Accept-Language": "en"}).text
    assert "Sign in with the account of your institution" in page
    named = browser_of(oidc_name="LANOT <sso>")
    assert "Entrar con LANOT &lt;sso&gt;" in named.open("/portal/entrar").text


def test_a_token_still_signs_in_beside_the_provider(browser, make_secret) -> None:
    assert browser.sign_in(make_secret("a@b.example")).status_code == 303
    assert browser.open("/portal/solicitudes").status_code == 200
    assert browser.open(START).headers["Location"] == "/portal/"  # with a session the provider is not needed


def test_the_session_ends_after_its_hours(browser, enter) -> None:
    enter(browser)
    with time_machine.travel(timedelta(hours=11), tick=False):
        assert browser.open("/portal/solicitudes").status_code == 200
    with time_machine.travel(timedelta(hours=13), tick=False):
        assert browser.open("/portal/solicitudes").status_code == 303


def test_a_later_sign_in_elsewhere_does_not_prolong_the_session(browser, enter, app) -> None:
    enter(browser)
    with time_machine.travel(timedelta(hours=10), tick=False):
        enter(type(browser)(app.test_client()))
    with time_machine.travel(timedelta(hours=13), tick=False):
        assert browser.open("/portal/solicitudes").status_code == 303


def test_revoking_ends_the_session_and_refuses_the_person(
    browser, enter, context, read_rows, provider
) -> None:
    enter(browser)
    (row,) = read_rows()
    with context.write() as session:
        revoke_token(session, row.name)
    assert browser.open("/portal/solicitudes").status_code == 303
    provider.person["email"] = "otra@dominio.example"  # still the same person
    refused = enter(browser)
    assert refused.status_code == 403
    assert "retiró el acceso" in refused.text
    with context.write() as session:
        readmit_identity(session, row.name)
    assert browser.open("/portal/solicitudes").status_code == 303
    assert enter(browser).status_code == 303
    (row,) = read_rows()
    assert row.emails == ["otra@dominio.example"]


def test_an_operator_revokes_a_person_as_a_token(browser, enter, operator, read_rows) -> None:
    enter(browser)
    (name,) = [row.name for row in read_rows() if row.name.startswith(PERSON)]
    page = operator.open(f"/portal/tokens/{name}/revocar")
    assert "tempoftp token readmit" in page.text
    assert operator.send(f"/portal/tokens/{name}/revocar").status_code == 303
    assert browser.open("/portal/solicitudes").status_code == 303


def test_signing_out_ends_the_sessions_in_every_browser(browser, enter, app) -> None:
    enter(browser)
    copied = type(browser)(app.test_client())
    copied.client.set_cookie(
        "tempoftp_portal", browser.client.get_cookie("tempoftp_portal", path="/portal").value, path="/portal"
    )
    assert copied.open("/portal/solicitudes").status_code == 200
    browser.send("/portal/salir", page="/portal/solicitudes")
    assert "también en otros navegadores" in browser.follow().text
    assert copied.open("/portal/solicitudes").status_code == 303
    # Signing in again does not make the earlier sessions valid again.
    enter(browser)
    assert copied.open("/portal/solicitudes").status_code == 303
    assert browser.open("/portal/solicitudes").status_code == 200


def test_the_next_sign_in_changes_role_and_email(browser, enter, provider, app, ask) -> None:
    provider.person["groups"] = "cn=jefas,dc=dominio"
    enter(browser)
    assert browser.open("/portal/resumen").status_code == 200
    provider.person["groups"] = ["usuarios"]
    enter(type(browser)(app.test_client()))
    assert browser.open("/portal/resumen").status_code == 403


def test_sessions_end_when_the_provider_is_removed(browser, enter, settings) -> None:
    enter(browser)
    cookie = browser.client.get_cookie("tempoftp_portal", path="/portal").value
    unset = dict.fromkeys(("oidc_issuer", "oidc_client_id", "oidc_client_secret")) | {"oidc_roles": ()}
    app = create_app(Settings.model_validate(settings.model_dump() | unset))
    client = app.test_client()
    client.set_cookie("tempoftp_portal", cookie, path="/portal")
    assert client.get("/portal/solicitudes").status_code == 303
    app.extensions["tempoftp"].database.close()


def test_two_people_with_one_email_have_two_identities(browser, enter, provider, app, read_rows) -> None:
    enter(browser)
    provider.person["sub"] = "otra-persona"
    enter(type(browser)(app.test_client()))
    assert len({row.name for row in read_rows()}) == 2


def test_nothing_secret_is_logged(browser, enter, provider, caplog) -> None:
    caplog.set_level(logging.DEBUG, logger="tempoftp")
    enter(browser)
    browser.open(f"{START}/vuelta?code=codigo-ajeno&state=nada")
    assert "signed in through the provider as cliente" in caplog.text
    for secret in (CLIENT_SECRET, "codigo-ajeno", provider.asked["state"], provider.token_request["code"]):
        assert secret not in caplog.text


@pytest.fixture
def browser_of(settings: Settings, browser: Any) -> Iterator[Callable[..., Any]]:
    """A browser at a portal with other settings."""
    apps = []

    def make(**changes: Any) -> Any:
        app = create_app(Settings.model_validate(settings.model_dump() | changes))
        apps.append(app)
        return type(browser)(app.test_client())

    yield make
    for app in apps:
        app.extensions["tempoftp"].database.close()
