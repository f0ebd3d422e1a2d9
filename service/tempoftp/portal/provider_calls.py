"""Calls to the provider of identities, each bounded in time and size: what Authlib's HTTP session goes through.

requests' own time limit counts anew with every byte, it follows redirects, and it takes proxies and logins out of the
environment and `~/.netrc`; here one call ends in time, leads nowhere else and takes nothing but the settings.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Session
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from tempoftp.notices.sending import cut_after
from tempoftp.portal.sign_in_failures import Failure, SignInFailed
from tempoftp.settings import SettingsError, is_safe_url

ANSWER_BYTES = 1_000_000
"""Most bytes of an answer: key sets and claims are some thousands."""


class ProviderSession(OAuth2Session):  # type: ignore[misc]
    """Authlib's session over the bounded calls."""

    def __init__(self, *, seconds: float, ca: Path | None, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.trust_env = False
        adapter = BoundedAdapter(seconds, ca)
        self.mount("https://", adapter)
        self.mount("http://", adapter)


class BoundedAdapter(BaseAdapter):
    """One call, one connection. Raises SignInFailed where no answer comes, and for a redirect; or SettingsError."""

    def __init__(self, seconds: float, ca: Path | None) -> None:
        super().__init__()
        self._seconds = seconds
        self._ca = ca

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Call, and read the whole answer; of requests' options none counts."""
        url = request.url or ""
        if not is_safe_url(url):
            raise SignInFailed(
                Failure.ANSWER, "an address of the provider is neither https nor of this machine"
            )
        response = self._exchange(request, url)
        if 300 <= response.status_code < 400:
            raise SignInFailed(Failure.ANSWER, f"a redirect (HTTP {response.status_code})")
        if response.status_code >= 500:
            raise SignInFailed(Failure.UNREACHABLE, f"HTTP {response.status_code}")
        return response

    def close(self) -> None:
        """Nothing is kept open."""

    def _exchange(self, request: PreparedRequest, url: str) -> Response:
        parts = urlsplit(url)
        connection = self._build_connection(parts.scheme, str(parts.hostname), parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept: list[socket.socket] = []

        def find_socket() -> socket.socket | None:
            # With "Connection: close" the class forgets its socket while the answer is still being read.
            return connection.sock or (kept[0] if kept else None)

        with cut_after(self._seconds, find_socket) as was_cut:
            try:
                connection.connect()
                kept.append(connection.sock)
                headers = {**dict(request.headers), "Connection": "close", "Accept-Encoding": "identity"}
                connection.request(request.method or "GET", target, body=request.body, headers=headers)
                with connection.getresponse() as answer:
                    body = answer.read(ANSWER_BYTES + 1)
                if was_cut():  # an answer that was cut reads as a short one
                    raise TimeoutError
            except (http.client.HTTPException, OSError, ValueError) as error:
                if was_cut() or isinstance(error, TimeoutError):
                    raise SignInFailed(Failure.SLOW, f"not done after {self._seconds:g} s") from None
                raise SignInFailed(Failure.UNREACHABLE, type(error).__name__) from None
            finally:
                connection.close()
        if len(body) > ANSWER_BYTES:
            raise SignInFailed(Failure.ANSWER, f"more than {ANSWER_BYTES} bytes")
        return _build_response(request, url, answer, body)

    def _build_connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._seconds)
        try:
            context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
        except OSError as error:
            raise SettingsError(f"TEMPOFTP_OIDC_CA cannot be used: {error.strerror or error}") from None
        return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=context)


def _build_response(
    request: PreparedRequest, url: str, answer: http.client.HTTPResponse, body: bytes
) -> Response:
    response = Response()
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict(answer.getheaders())
    response.url = url
    response.request = request
    response._content = body
    response._content_consumed = True  # type: ignore[attr-defined]
    return response
