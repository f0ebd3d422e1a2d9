"""A small real OpenID Connect provider on loopback: discovery, keys, authorization, tokens, userinfo.

It is strict: it checks the client's secret, the registered address and PKCE, and a code works once. A test can make it
fail in every way that the portal has to handle.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "tempoftp"
CLIENT_SECRET = "no-es-un-secreto-de-verdad"
PUBLIC_URL = "http://localhost"
PAGE = """<!doctype html><html lang="es"><title>Proveedor</title><main><h1>¿Entrar a tempoftp?</h1>
<a id="si" href="{agreed}">Sí</a> <a id="no" href="{denied}">No</a></main></html>"""
PERSON = {
    "sub": "248289761001",
    "email": "ana@dominio.example",
    "email_verified": True,
    "groups": ["usuarios"],
}


def make_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@lru_cache
def usual_key() -> RSAKey:
    return make_key("uno")


def drop(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}


class IdentityProvider:
    """The provider. It gives the claims of `person` and `userinfo`; the other attributes make it fail in tests."""

    def __init__(self, public_url: str = PUBLIC_URL, tls: ssl.SSLContext | None = None) -> None:
        self.public_url = public_url
        self.return_address = f"{public_url}/portal/entrar/proveedor/vuelta"
        self.key = self.published = usual_key()
        self.person: dict[str, Any] = dict(PERSON)
        self.userinfo: dict[str, Any] | None = None
        self.metadata: dict[str, Any] = {}
        """Values that replace those of the discovery document."""
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        """Changes the claims of an ID token before they are signed."""
        self.sign: Callable[[dict[str, Any]], str] = self.sign_as_usual
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Answers by path, instead of the right ones."""
        self.slow: dict[str, tuple[float, int]] = {}
        """By path: the seconds to wait before each additional header, and the number of these headers."""
        self.calls: list[str] = []
        self.asked: dict[str, str] = {}
        """The parameters with which the browser came last."""
        self.token_request: dict[str, str] = {}
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, *_values: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.issuer = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.server_port}/casa"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def build_settings(self) -> dict[str, Any]:
        return {
            "public_url": self.public_url,
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_roles": "usuarios=cliente,cn=jefas,dc=dominio=operador",
            "oidc_timeout_seconds": 2,
        }

    def sign_as_usual(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key, algorithms=["RS256"])

    def agree(self, address: str) -> str:
        """Return the address to go back to, with a code, as the provider's pages do after the person has agreed."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.asked = asked
        assert address.startswith(f"{self.issuer}/authorize?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == self.return_address, "an address that is not registered"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{self.return_address}?{urlencode({'code': code, 'state': asked['state']})}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.calls.append(path)
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length).decode()
        status, content = self.answers.get(path) or self._build_answer(path, body, handler)
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", f"{self.issuer}/elsewhere")
        is_page = path == "/casa/authorize"
        handler.send_header("Content-Type", "text/html; charset=utf-8" if is_page else "application/json")
        handler.send_header("Content-Length", str(len(content)))
        try:
            seconds, count = self.slow.get(path, (0, 0))
            for _ in range(count):
                handler.flush_headers()
                time.sleep(seconds)
                handler.wfile.write(
                    b"X-Nada: 0\r\n"
                )  # between the headers, so that the client always has something to read
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:
            pass  # the portal has closed the connection

    def _build_answer(self, path: str, body: str, handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        built: Any
        if path == "/casa/.well-known/openid-configuration":
            built = self._build_metadata()
        elif path == "/casa/jwks":
            built = {"keys": [self.published.as_dict(private=False)]}
        elif path == "/casa/token":
            return self._build_token({name: values[0] for name, values in parse_qs(body).items()}, handler)
        elif path == "/casa/authorize":
            return 200, self._build_page(f"{self.issuer.removesuffix('/casa')}{handler.path}").encode()
        elif path == "/casa/userinfo" and self.userinfo is not None:
            assert handler.headers["Authorization"] == "Bearer acceso"
            built = self.userinfo
        else:
            return 404, b"{}"
        return 200, json.dumps(built).encode()

    def _build_page(self, address: str) -> str:
        agreed = self.agree(address)
        denied = (
            f"{self.return_address}?{urlencode({'error': 'access_denied', 'state': self.asked['state']})}"
        )
        return PAGE.format(agreed=escape(agreed), denied=escape(denied))

    def _build_metadata(self) -> dict[str, Any]:
        names = ("authorize", "authorization_endpoint"), ("token", "token_endpoint"), ("jwks", "jwks_uri")
        found: dict[str, Any] = {name: f"{self.issuer}/{path}" for path, name in names}
        if self.userinfo is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        # Like many providers, it also offers algorithms that a client should not accept.
        algorithms = ["RS256", "HS256", "none"]
        return {
            "issuer": self.issuer,
            **found,
            "id_token_signing_alg_values_supported": algorithms,
            **self.metadata,
        }

    def _build_token(self, form: dict[str, str], handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        self.token_request = form
        login = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if handler.headers["Authorization"] != f"Basic {login}":
            return 401, b'{"error": "invalid_client"}'
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or form["redirect_uri"] != self.return_address
        ):
            return 400, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        made = {
            "access_token": "acceso",
            "token_type": "Bearer",
            "id_token": self.sign(self.claims(claims)),
            "expires_in": 300,
        }
        return 200, json.dumps({name: value for name, value in made.items() if value}).encode()
