"""The one place that speaks HTTP to the service: time limits, and every failure as one of our exit codes."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click
import httpx

from tempoftp.cli.exits import BadSetting, ServiceBusy, ServiceFailed, ServiceRefused, ServiceUnreachable
from tempoftp.cli.loopback import is_loopback

DEFAULT_URL = "http://127.0.0.1:9043"
CONNECT_SECONDS = 5.0
# A change waits on the service's side until it is carried out, within its own bound.
ANSWER_SECONDS = 60.0
SHARES_PATH = "/tmpftp"  # noqa: S108 - a route, not a folder


class ServiceClient:
    """Calls the API at one address. Every method returns the decoded JSON object, or raises a `ClickException`."""

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = parse_service_url(url)
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # This machine's own trust store (or SSL_CERT_FILE), which may have the site's own authority.
        verify = ssl.create_default_context() if self.url.startswith("https:") else True
        self._http = httpx.Client(
            base_url=self.url,
            verify=verify,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not is_loopback(httpx.URL(self.url).host),
        )

    def __enter__(self) -> ServiceClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    def post_share(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Ask for a share."""
        return self._call("POST", SHARES_PATH, body=body)

    def get_share(self, share_id: str) -> dict[str, Any]:
        """Read one share's present state."""
        return self._call("GET", _share_path(share_id))

    def list_shares(self, filters: Mapping[str, str]) -> dict[str, Any]:
        """Read one page of the shares."""
        return self._call("GET", SHARES_PATH, params=filters)

    def delete_share(self, share_id: str) -> dict[str, Any]:
        """Ask for a share's end."""
        return self._call("DELETE", _share_path(share_id))

    def get_audit(self) -> dict[str, Any]:
        """Read the last audits."""
        return self._call("GET", f"{SHARES_PATH}/auditoria")

    def post_audit(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Ask for an audit."""
        return self._call("POST", f"{SHARES_PATH}/auditoria", body=body)

    def block_share(self, share_id: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Hide a share, or block its account."""
        return self._call("POST", f"{_share_path(share_id)}/bloquear", body=body)

    def unblock_share(self, share_id: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Show a share again, or every share of its account."""
        return self._call("POST", f"{_share_path(share_id)}/desbloquear", body=body)

    def change_lifetime(self, share_id: str, days: int) -> dict[str, Any]:
        """Extend or shorten a share's life, counted from when it was ready."""
        return self._call("PATCH", _share_path(share_id), body={"vigencia": days})

    def retry_share(self, share_id: str) -> dict[str, Any]:
        """Try again what failed."""
        return self._call("POST", f"{_share_path(share_id)}/reintentar", body={})

    def rotate_password(self, share_id: str) -> dict[str, Any]:
        """Make a new password for a share's account."""
        return self._call("POST", f"{_share_path(share_id)}/password", body={})

    def get_events(self, share_id: str) -> dict[str, Any]:
        """Read a share's history."""
        return self._call("GET", f"{_share_path(share_id)}/eventos")

    def delete_account(self, ftpuser: str) -> dict[str, Any]:
        """End an account with all of its shares."""
        if ftpuser in ("", ".", ".."):
            raise click.UsageError(f"{ftpuser!r} is not an FTP user")
        return self._call("DELETE", f"{SHARES_PATH}/user/{quote(ftpuser, safe='')}")

    def expire_shares(self) -> dict[str, Any]:
        """Sweep what has expired."""
        return self._call("DELETE", f"{SHARES_PATH}/expired")

    def pause_hosts(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Let no new run start on an FTP host, or on all."""
        return self._call("POST", "/pausar", body=body)

    def resume_hosts(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Let runs start again."""
        return self._call("POST", "/reanudar", body=body)

    def get_health(self) -> dict[str, Any]:
        """Read how the system is, also when it is not well."""
        return self._call("GET", "/health", accept=503)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
        accept: int | None = None,
    ) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body, params=params)
        except httpx.ConnectError as error:
            raise ServiceUnreachable(
                f"cannot connect to {self.url} ({error}). Is the service up (systemctl status tempoftp), "
                "and is TEMPOFTP_URL right?"
            ) from error
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(
                f"{self.url} gave no answer in time ({type(error).__name__}). What was asked may still have been "
                "taken: look with `tempoftp status ID` before asking again."
            ) from error
        except httpx.HTTPError as error:
            raise ServiceUnreachable(f"the connection to {self.url} broke: {error}") from error
        return self._read(response, accept)

    def _read(self, response: httpx.Response, accept: int | None) -> dict[str, Any]:
        body = _decode_object(response)
        if (response.is_success or response.status_code == accept) and body is not None:
            return body
        if body is None or not response.is_error:
            raise ServiceFailed(
                f"what answers at {self.url} is not tempoftp (HTTP {response.status_code}, "
                f"{response.headers.get('Content-Type', 'no content type')}). Check TEMPOFTP_URL."
            )
        message = f"{body.get('title', 'refused')}: {body.get('detail', '')}"
        request_id = response.headers.get("X-Request-ID", "-")
        if response.status_code >= 500:
            raise ServiceFailed(f"{message} (HTTP {response.status_code}, request {request_id})")
        refused = ServiceBusy if response.status_code == 429 else ServiceRefused
        raise refused(f"{message} (HTTP {response.status_code})")


def parse_service_url(url: str) -> str:
    """Return the address without a trailing slash; `BadSetting` if it is not an http(s) URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadSetting(f"TEMPOFTP_URL is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadSetting(f"TEMPOFTP_URL must look like {DEFAULT_URL}, not {url!r}")
    return url.rstrip("/")


def _share_path(share_id: str) -> str:
    if share_id in ("", ".", ".."):
        raise click.UsageError(f"{share_id!r} is not an id")
    return f"{SHARES_PATH}/{quote(share_id, safe='')}"


def _decode_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def connect() -> ServiceClient:
    """A client for the service that the environment names."""
    return ServiceClient(
        os.environ.get("TEMPOFTP_URL") or DEFAULT_URL, token=os.environ.get("TEMPOFTP_TOKEN")
    )
