"""HTTP calls to the identity provider, each limited in time and size; Authlib's OAuth client uses them.

Authlib's own sessions are built on requests, or on httpx in a module that it no longer maintains; both take settings
from the environment. These calls (`tempoftp.notices.bounded_calls`) use only the service's settings.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.integrations.base_client import InvalidTokenError, MissingTokenError, OAuthError
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client

from tempoftp.notices.bounded_calls import CallFailed, CallTooSlow, build_context, call
from tempoftp.portal.sign_in_failures import Failure, SignInFailed
from tempoftp.settings import SettingsError, is_safe_url

ANSWER_BYTES = 1_000_000
"""Most bytes of an answer; key sets and claims have some thousands."""


class ProviderSession(OAuth2Client):  # type: ignore[misc]
    """Authlib's client with the limited calls. Raises SignInFailed without an answer and for a redirect."""

    oauth_error_class = OAuthError

    def __init__(self, *, seconds: float, ca: Path | None, **parameters: Any) -> None:
        super().__init__(session=self, **parameters)
        self.headers: dict[str, str] = {}
        self._seconds = seconds
        self._ca = ca

    def __enter__(self) -> ProviderSession:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Do nothing: no connection is kept open."""

    def post(self, url: str, **parameters: Any) -> httpx.Response:
        """Send a POST; Authlib calls this to get a token."""
        return self.request("POST", url, **parameters)

    def request(
        self,
        method: str,
        url: str,
        *,
        withhold_token: bool = False,
        auth: ClientAuth | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and read the whole answer. Raises SignInFailed, Authlib's OAuthError or SettingsError."""
        body = urlencode(data or {})
        sent = {**self.headers, **(headers or {})}
        if auth is not None:
            url, sent, body = auth.prepare(method, url, sent, body)
        elif not withhold_token:
            url, sent, body = self._add_token(url, sent, body)
        return self._exchange(method, url, sent, body.encode())

    def _add_token(self, url: str, headers: dict[str, str], body: str) -> tuple[str, dict[str, str], str]:
        if not self.token:
            raise MissingTokenError
        if not self.ensure_active_token(self.token):
            raise InvalidTokenError
        signed: tuple[str, dict[str, str], str] = self.token_auth.prepare(url, headers, body)
        return signed

    def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        if not is_safe_url(url):
            raise SignInFailed(
                Failure.ANSWER, "an address of the provider is neither https nor of this machine"
            )
        try:
            answer = call(
                method,
                url,
                headers=headers,
                content=body,
                seconds=self._seconds,
                context=self._build_context(url),
                most_bytes=ANSWER_BYTES + 1,
            )
        except CallTooSlow as error:
            raise SignInFailed(Failure.SLOW, str(error)) from None
        except CallFailed as error:
            raise SignInFailed(Failure.UNREACHABLE, error.kind) from None
        if len(answer.content) > ANSWER_BYTES:
            raise SignInFailed(Failure.ANSWER, f"more than {ANSWER_BYTES} bytes")
        if 300 <= answer.status_code < 400:
            raise SignInFailed(Failure.ANSWER, f"a redirect (HTTP {answer.status_code})")
        if answer.status_code >= 500:
            raise SignInFailed(Failure.UNREACHABLE, f"HTTP {answer.status_code}")
        return answer

    def _build_context(self, url: str) -> ssl.SSLContext:
        try:
            return build_context(url, self._ca)
        except OSError as error:
            raise SettingsError(f"TEMPOFTP_OIDC_CA cannot be used: {error.strerror or error}") from None
