"""Sign-ins through the provider that are refused; a provider that is down does not stop the rest of the portal."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import ValidationError

from tempoftp.app import create_app
from tempoftp.http.context import SIGN_IN_SLOTS
from tempoftp.settings import Settings
from tests.support.certificate import write_certificate
from tests.support.identity_provider import CLIENT_SECRET, IdentityProvider, drop, make_key

START = "/portal/entrar/proveedor"
RETURN = f"{START}/vuelta"
DISCOVERY = "/casa/.well-known/openid-configuration"


@pytest.fixture
def provider() -> Iterator[Any]:
    provider = IdentityProvider()
    yield provider
    provider.stop()


@pytest.fixture
def settings(settings: Settings, provider: Any) -> Settings:
    return Settings.model_validate(settings.model_dump() | provider.build_settings())


@pytest.fixture
def begin(browser: Any, provider: Any) -> Callable[[], str]:
    """Begin a sign-in and return the address that the provider sends the browser back to."""

    def walk() -> str:
        answer = browser.open(START)
        assert answer.status_code == 303, answer.text
        back: str = provider.agree(answer.headers["Location"])
        return back.removeprefix("http://localhost")

    return walk


@pytest.fixture
def is_refused(browser: Any, caplog: Any) -> Callable[..., None]:
    """Check a refusal: its page, its class in the log, and that no session has begun."""
    caplog.set_level(logging.INFO, logger="tempoftp")

    def check(answer: Any, status: int, failure: str, words: str) -> None:
        assert answer.status_code == status, answer.text
        assert words in answer.text
        assert 'name="token"' in answer.text  # signing in with a token still works
        assert ("Retry-After" in answer.headers) == (status == 503)
        assert f"nobody was signed in through the provider: {failure}" in caplog.text
        assert browser.open("/portal/solicitudes").status_code == 303

    return check


def test_the_sign_in_succeeds_without_a_fault(browser, begin) -> None:
    assert browser.open(begin()).status_code == 303
    assert browser.open("/portal/solicitudes").status_code == 200


def test_a_wrong_state_is_refused(browser, begin, is_refused, provider) -> None:
    back = begin()
    is_refused(browser.open(back.replace("state=", "state=x")), 400, "state", "Empiece otra vez")
    assert "/casa/token" not in provider.calls
    # The forged answer has not ended the sign-in that was begun.
    assert browser.open(back).status_code == 303


@pytest.mark.parametrize(
    "query", ["", "?code=a", "?state=", "?error=access_denied", "?code=a&state=b&state=c"]
)
def test_an_answer_without_a_started_sign_in_is_refused(browser, is_refused, query: str, provider) -> None:
    is_refused(browser.open(RETURN + query), 400, "state", "Empiece otra vez")
    assert provider.calls == []


def test_an_answer_for_another_browser_is_refused(browser, begin, is_refused, app) -> None:
    other = type(browser)(app.test_client())
    other.open(START)
    is_refused(other.open(begin()), 400, "state", "Empiece otra vez")
    assert other.open("/portal/solicitudes").status_code == 303


def test_the_same_answer_twice_is_refused(browser, begin, is_refused, provider) -> None:
    back = begin()
    assert browser.open(back).status_code == 303
    browser.send("/portal/salir", page="/portal/solicitudes")
    is_refused(browser.open(back), 400, "state", "Empiece otra vez")
    assert provider.calls.count("/casa/token") == 1


def test_the_same_answer_twice_with_the_old_cookie_is_refused(browser, begin, is_refused) -> None:
    back = begin()
    cookie = browser.client.get_cookie("tempoftp_portal", path="/portal").value
    assert browser.open(back).status_code == 303
    browser.send("/portal/salir", page="/portal/solicitudes")
    browser.client.set_cookie("tempoftp_portal", cookie, path="/portal")
    is_refused(browser.open(back), 400, "state: invalid_grant", "Empiece otra vez")


def test_an_old_sign_in_is_refused(browser, begin, is_refused, monkeypatch) -> None:
    back = begin()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    is_refused(browser.open(back), 400, "state", "Empiece otra vez")


def test_a_code_without_our_verifier_is_refused(browser, begin, is_refused) -> None:
    stolen = begin().split("code=")[1].split("&")[0]
    own = begin()
    code = own.split("code=")[1].split("&")[0]
    is_refused(browser.open(own.replace(code, stolen)), 400, "state: invalid_grant", "Empiece otra vez")


def test_only_the_last_started_sign_in_is_kept(browser, begin) -> None:
    for _ in range(20):
        back = begin()
    assert len(browser.client.get_cookie("tempoftp_portal", path="/portal").value) < 2000
    assert browser.open(back).status_code == 303


def sign_without_key(claims: dict[str, Any]) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


def sign_with_secret(claims: dict[str, Any]) -> str:
    key = OctKey.import_key(CLIENT_SECRET)
    return jwt.encode({"alg": "HS256", "kid": "uno"}, claims, key, algorithms=["HS256"])


def sign_with_another_key(claims: dict[str, Any]) -> str:
    key = make_key("uno")
    return jwt.encode({"alg": "RS256", "kid": "uno"}, claims, key, algorithms=["RS256"])


def sign_with_unknown_key(claims: dict[str, Any]) -> str:
    key = make_key("nadie")
    return jwt.encode({"alg": "RS256", "kid": "nadie"}, claims, key, algorithms=["RS256"])


@pytest.mark.parametrize(
    "sign", [sign_without_key, sign_with_secret, sign_with_another_key, sign_with_unknown_key]
)
@pytest.mark.filterwarnings(
    "ignore::joserfc.errors.SecurityWarning"
)  # of the short key that the test signs with
def test_a_bad_signature_is_refused(browser, begin, is_refused, provider, sign) -> None:
    provider.sign = sign
    is_refused(browser.open(begin()), 403, "id_token", "no se pudo comprobar")


def change(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: claims | values


def leave_out(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: drop(claims, name)


@pytest.mark.parametrize(
    ("claims", "what"),
    [
        (change(nonce="otro"), "nonce"),
        (leave_out("nonce"), "nonce"),
        (change(exp=int(time.time()) - 3600), "expired_token"),
        (leave_out("exp"), "exp"),
        (change(exp="mañana"), "exp"),
        (change(iat=int(time.time()) + 3600), "iat"),
        (change(nbf=int(time.time()) + 3600), "nbf"),
        (change(aud="otra-aplicacion"), "aud"),
        (change(aud=["otra-aplicacion"], azp="tempoftp"), "aud"),
        (change(aud=["tempoftp", "otra-aplicacion"], azp="otra-aplicacion"), "azp"),
        (leave_out("aud"), "aud"),
        (change(iss="https://otro.example"), "iss"),
        (leave_out("iss"), "iss"),
        (leave_out("sub"), "sub"),
        (change(sub=""), "sub"),
        (change(sub=7), "sub"),
        (change(at_hash="bm8gZXM"), "at_hash"),
    ],
)
def test_a_wrong_claim_is_refused(browser, begin, is_refused, provider, claims, what: str, caplog) -> None:
    provider.claims = claims
    is_refused(browser.open(begin()), 403, "id_token", "no se pudo comprobar")
    assert what in caplog.text


def test_a_missing_id_token_is_refused(browser, begin, is_refused, provider) -> None:
    provider.sign = lambda _claims: ""
    is_refused(browser.open(begin()), 403, "id_token", "no se pudo comprobar")


@pytest.mark.parametrize(
    "groups", [None, [], ["otro"], "otro", "usuario", ["Usuarios"], {"usuarios": True}, 7]
)
def test_a_person_without_a_role_is_refused(browser, begin, is_refused, provider, groups: Any) -> None:
    provider.person["groups"] = groups
    is_refused(browser.open(begin()), 403, "no_role", "no tiene permiso")
    assert "ana@dominio.example" not in browser.open("/portal/entrar").text


@pytest.mark.parametrize(
    "email", [{"email_verified": False}, {"email_verified": None}, {"email": None}, {"email": "nada"}]
)
def test_a_cliente_without_a_verified_email_is_refused(
    browser, begin, is_refused, provider, email: dict[str, Any]
) -> None:
    provider.person |= email
    is_refused(browser.open(begin()), 403, "no_email", "correo verificado")


def test_an_unverified_email_is_accepted_when_the_settings_trust_it(settings, provider, browser) -> None:
    provider.person = drop(provider.person, "email_verified")
    app = create_app(settings.model_copy(update={"oidc_trust_email": True}))
    trusting = type(browser)(app.test_client())
    back = provider.agree(trusting.open(START).headers["Location"])
    assert trusting.open(back.removeprefix("http://localhost")).status_code == 303
    app.extensions["tempoftp"].database.close()


def test_the_userinfo_of_another_person_is_refused(browser, begin, is_refused, provider) -> None:
    provider.userinfo = provider.person | {"sub": "otra"}
    provider.person = {"sub": provider.person["sub"]}
    is_refused(browser.open(begin()), 403, "id_token", "no se pudo comprobar")


@pytest.mark.parametrize(
    ("error", "status", "failure", "words"),
    [
        ("access_denied", 403, "denied", "no le dio acceso"),
        ("server_error", 503, "provider_unreachable", "no responde"),
        ("<b>otro</b>", 503, "provider_answer", "no se entiende"),
    ],
)
def test_a_refusal_of_the_provider_is_shown(
    browser, begin, is_refused, error: str, status: int, failure: str, words: str, provider
) -> None:
    back = begin()
    state = back.split("state=")[1]
    answer = browser.client.get(
        RETURN,
        query_string={"error": error, "error_description": "<i>mal</i>", "state": state},
        environ_base={"REMOTE_ADDR": "192.0.2.9"},
    )
    assert "<b>" not in answer.text
    assert "mal</i>" not in answer.text
    is_refused(answer, status, failure, words)
    assert browser.open(back).status_code == 400  # the sign-in is over
    assert "/casa/token" not in provider.calls


def test_a_provider_that_is_down_is_503(browser, is_refused, provider, make_secret) -> None:
    provider.stop()
    is_refused(browser.open(START), 503, "provider_unreachable: ConnectionRefusedError", "no responde")
    page = browser.open(START, **{"Accept-Language": "en"})
    assert "sign in with a token: that still works" in page.text
    assert browser.sign_in(make_secret("a@b.example")).status_code == 303


def test_a_provider_that_goes_down_during_the_sign_in_is_503(browser, begin, is_refused, provider) -> None:
    back = begin()
    provider.stop()
    is_refused(browser.open(back), 503, "provider_unreachable", "no responde")


@pytest.mark.parametrize("path", [DISCOVERY, "/casa/token", "/casa/jwks"])
@pytest.mark.parametrize(("seconds", "count"), [(60, 1), (0.1, 600)], ids=["silent", "dripping"])
def test_a_slow_provider_is_503_in_time(
    settings, browser, provider, path: str, seconds: float, count: int, caplog
) -> None:
    app = create_app(settings.model_copy(update={"oidc_timeout_seconds": 0.5}))
    person = type(browser)(app.test_client())
    if path != DISCOVERY:
        back = provider.agree(person.open(START).headers["Location"]).removeprefix("http://localhost")
    provider.slow[path] = (seconds, count)
    began = time.monotonic()
    answer = person.open(START if path == DISCOVERY else back)
    assert time.monotonic() - began < 20
    assert answer.status_code == 503
    assert "tarda demasiado" in answer.text
    assert "provider_slow: not done after 0.5 s" in caplog.text
    assert person.open("/portal/solicitudes").status_code == 303
    app.extensions["tempoftp"].database.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return write_certificate(tmp_path)


@pytest.fixture
def over_tls(certificate: tuple[Path, Path]) -> Iterator[Any]:
    """A provider with that certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    provider = IdentityProvider(tls=tls)
    yield provider
    provider.stop()


@pytest.mark.parametrize(
    ("ca", "status", "words"),
    [
        ("api.pem", 303, ""),
        (None, 503, "No entró con su cuenta"),
        ("nada.pem", 503, "Servicio mal configurado"),
        ("api.key", 503, "Servicio mal configurado"),
    ],
)
def test_only_certificates_trusted_by_settings_or_system_are_accepted(
    settings, over_tls, browser, tmp_path, ca: str | None, status: int, words: str
) -> None:
    changes = over_tls.build_settings() | {"oidc_ca": None if ca is None else tmp_path / ca}
    app = create_app(Settings.model_validate(settings.model_dump() | changes))
    answer = type(browser)(app.test_client()).open(START)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    app.extensions["tempoftp"].database.close()


def test_calls_to_the_provider_are_limited_in_number(browser, is_refused, context) -> None:
    taken = [context.sign_in_slots.acquire(blocking=False) for _ in range(SIGN_IN_SLOTS)]
    assert all(taken)
    is_refused(browser.open(START), 503, "too_many_sign_ins", "Demasiadas personas")
    for _ in taken:
        context.sign_in_slots.release()
    assert browser.open(START).status_code == 303


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, (404, b"{}")),
        (DISCOVERY, (302, b"{}")),
        (DISCOVERY, (200, b"<html>")),
        (DISCOVERY, (200, b"[]")),
        (DISCOVERY, (200, b"{" + b" " * 1_100_000 + b"}")),
        ("/casa/token", (200, b"[]")),
        ("/casa/token", (200, b"no")),
        ("/casa/token", (307, b"{}")),
        ("/casa/token", (400, b'{"error": "unauthorized_client"}')),
        ("/casa/jwks", (200, b"[]")),
        ("/casa/jwks", (200, b'{"keys": 7}')),
        ("/casa/jwks", (200, b'{"keys": [{"kty": "RSA"}]}')),
        ("/casa/jwks", (404, b"")),
    ],
)
def test_a_malformed_answer_of_the_provider_is_refused(
    browser, is_refused, provider, path: str, answer: tuple[int, bytes]
) -> None:
    provider.answers[path] = answer
    found = browser.open(START)
    if path != DISCOVERY:
        found = browser.open(provider.agree(found.headers["Location"]).removeprefix("http://localhost"))
    assert found.status_code in (403, 503), found.text
    assert "/casa/elsewhere" not in provider.calls
    is_refused(found, found.status_code, "", "No entró con su cuenta")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://otro.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://otro.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"userinfo_endpoint": "http://otro.example/"},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_a_wrong_discovery_document_is_refused(browser, is_refused, provider, metadata: Any) -> None:
    provider.metadata = metadata
    is_refused(browser.open(START), 503, "provider_answer", "no se entiende")


def test_the_discovery_document_cannot_set_options_of_the_client(browser, begin, provider) -> None:
    provider.metadata = {"code_challenge_method": None, "scope": "todo", "verify": False, "trust_env": True}
    assert browser.open(begin()).status_code == 303
    assert provider.asked["scope"] == "openid email profile"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oidc_client_secret": None}, "TEMPOFTP_OIDC_CLIENT_SECRET missing"),
        ({"oidc_roles": ()}, "TEMPOFTP_OIDC_ROLES missing"),
        ({"oidc_issuer": None}, "TEMPOFTP_OIDC_ISSUER missing"),
        ({"oidc_issuer": "http://login.example.org"}, "must look like https"),
        ({"oidc_issuer": "https://login.example.org/?a=b"}, "must look like https"),
        ({"public_url": None}, "needs TEMPOFTP_PUBLIC_URL"),
        ({"public_url": "http://datos.example.org", "plain_http": True}, "begins with https"),
        ({"oidc_roles": "usuarios=root"}, "must be VALUE=cliente"),
        ({"oidc_roles": "=cliente"}, "must be VALUE=cliente"),
        ({"oidc_roles": "a=cliente,a=operador"}, "names a value twice"),
        ({"oidc_scopes": "email"}, "openid"),
    ],
)
def test_wrong_settings_are_refused(settings, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(settings.model_dump() | changes)


def test_values_for_roles_may_be_names_of_a_directory(settings) -> None:
    text = " cn=jefas,dc=dominio = operador , usuarios=cliente"
    found = Settings.model_validate(settings.model_dump() | {"oidc_roles": text}).oidc_roles
    assert [tuple(rule) for rule in found] == [("cn=jefas,dc=dominio", "operador"), ("usuarios", "cliente")]
