"""The HTTP client of the commands. It sets time limits, and turns every failure into an error with an exit code."""

from __future__ import annotations

import ipaddress
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click
import httpx

from tempoftp.cli.config import DEFAULT_URL, ClientConfig
from tempoftp.cli.exits import BadSetting, ServiceBusy, ServiceFailed, ServiceRefused, ServiceUnreachable

CONNECT_SECONDS = 5.0
# The service answers a change when it was carried out, or after a time limit of its own.
ANSWER_SECONDS = 60.0
SHARES_PATH = "/tmpftp"  # noqa: S108 - a route, not a folder


LOG_FOLLOWING = "X-Log-Siguiente"


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A piece of a share's log, and the byte at which the next piece begins."""

    text: str
    following: int


class ServiceClient:
    """Calls the API at one address. Every method returns the decoded JSON object, or raises a `ClickException`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        origins: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`origins` says where `url` and `token` were found, for messages about them."""
        self._origins = {"url": "TEMPOFTP_URL", "token": "TEMPOFTP_TOKEN"} | dict(origins or {})
        self._has_token = bool(token)
        self.url = parse_service_url(url, self._origins["url"])
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # The trust store of this machine (or SSL_CERT_FILE) may have the site's own authority; httpx's has not.
        verify = ssl.create_default_context() if self.url.startswith("https:") else True
        self._http = httpx.Client(
            base_url=self.url,
            verify=verify,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            # A proxy that the environment names cannot reach this machine's loopback.
            trust_env=not is_loopback(httpx.URL(self.url).host),
        )

    def __enter__(self) -> ServiceClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    def post_share(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Ask for a share."""
        return self._call("POST", SHARES_PATH, body=body)

    def post_preview(self, ruta: str) -> dict[str, Any]:
        """Have a source measured."""
        return self._call("POST", f"{SHARES_PATH}/vista_previa", body={"ruta": ruta})

    def get_preview(self, preview_id: str) -> dict[str, Any]:
        """Read a preview that was not ready at once."""
        return self._call("GET", f"{SHARES_PATH}/vista_previa/{quote(preview_id, safe='')}")

    def get_share(self, share_id: str) -> dict[str, Any]:
        """Read one share's present state."""
        return self._call("GET", _share_path(share_id))

    def list_shares(self, filters: Mapping[str, str]) -> dict[str, Any]:
        """Read one page of the shares."""
        return self._call("GET", SHARES_PATH, params=filters)

    def delete_share(self, share_id: str) -> dict[str, Any]:
        """End a share."""
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

    def show_credentials(self, share_id: str) -> dict[str, Any]:
        """Read how to log in to a share, with the password in clear."""
        return self._call("POST", f"{_share_path(share_id)}/credenciales", body={})

    def restore_share(self, share_id: str) -> dict[str, Any]:
        """Bring an ended share back from the trash of its FTP host."""
        return self._call("POST", f"{_share_path(share_id)}/restaurar", body={})

    def rotate_password(self, share_id: str) -> dict[str, Any]:
        """Make a new password for a share's account."""
        return self._call("POST", f"{_share_path(share_id)}/password", body={})

    def list_extensions(self, filters: Mapping[str, str]) -> dict[str, Any]:
        """Read the requests for more days."""
        return self._call("GET", f"{SHARES_PATH}/prorrogas", params=filters)

    def grant_extension(self, share_id: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Give a share the days that its recipient asked for, or another number."""
        return self._call("POST", f"{_share_path(share_id)}/prorroga/aceptar", body=body)

    def refuse_extension(self, share_id: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Refuse a share more days."""
        return self._call("POST", f"{_share_path(share_id)}/prorroga/rechazar", body=body)

    def make_link(self, share_id: str) -> dict[str, Any]:
        """Make a link for a share's recipient."""
        return self._call("POST", f"{_share_path(share_id)}/enlace", body={})

    def revoke_links(self, share_id: str) -> dict[str, Any]:
        """End every link of a share."""
        return self._call("DELETE", f"{_share_path(share_id)}/enlace")

    def get_events(self, share_id: str, cursor: str | None = None) -> dict[str, Any]:
        """Read the newest events of a share's history, or a page of older ones."""
        params = {} if cursor is None else {"cursor": cursor}
        return self._call("GET", f"{_share_path(share_id)}/eventos", params=params)

    def get_log(self, share_id: str, since: int | None = None) -> LogPiece:
        """Read a share's log from a byte on, else its end."""
        params = {} if since is None else {"desde": str(since)}
        response = self._send("GET", f"{_share_path(share_id)}/log", params=params)
        if not response.is_success or LOG_FOLLOWING not in response.headers:
            self._read(response, None)
            raise self._build_foreign(response)
        return LogPiece(response.text, int(response.headers[LOG_FOLLOWING]))

    def delete_account(self, ftpuser: str) -> dict[str, Any]:
        """End an account with all of its shares."""
        if ftpuser in ("", ".", ".."):
            raise click.UsageError(f"{ftpuser!r} is not an FTP user")
        return self._call("DELETE", f"{SHARES_PATH}/user/{quote(ftpuser, safe='')}")

    def expire_shares(self) -> dict[str, Any]:
        """Remove every expired share."""
        return self._call("DELETE", f"{SHARES_PATH}/expired")

    def pause_hosts(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Let no new run start on an FTP host, or on all."""
        return self._call("POST", "/pausar", body=body)

    def resume_hosts(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Let runs start again."""
        return self._call("POST", "/reanudar", body=body)

    def get_health(self) -> dict[str, Any]:
        """Read the state of the system, also when it answers 503 because something does not work."""
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
        return self._read(self._send(method, path, body=body, params=params), accept)

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, params=params)
        except UnicodeEncodeError as error:
            raise click.UsageError(_NO_TEXT) from error
        except httpx.ConnectError as error:
            raise ServiceUnreachable(self._explain_no_connection(error)) from error
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(
                f"{self.url} gave no answer in time ({type(error).__name__}). What was asked may still have been "
                "taken: look with `tempoftp status ID` before asking again."
            ) from error
        except httpx.HTTPError as error:
            raise ServiceUnreachable(f"the connection to {self.url} broke: {error}") from error

    def _explain_no_connection(self, error: httpx.ConnectError) -> str:
        said = f"cannot connect to {self.url} ({error})."
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return (
                f"{said} Its certificate is not one that this machine trusts: name the site's authority in "
                f"SSL_CERT_FILE, and check the name in the address (it is from {self._origins['url']})."
            )
        here = " (systemctl status tempoftp)" if is_loopback(httpx.URL(self.url).host) else ""
        return (
            f"{said} Is the service up{here}, and is the address right? It is from {self._origins['url']}; "
            "TEMPOFTP_URL or `url` in ~/.config/tempoftp/config.toml sets another."
        )

    def _read(self, response: httpx.Response, accept: int | None) -> dict[str, Any]:
        body = _decode_object(response)
        if (response.is_success or response.status_code == accept) and body is not None:
            return body
        if body is None or not response.is_error:
            raise self._build_foreign(response)
        message = f"{body.get('title', 'refused')}: {body.get('detail', '')}"
        request_id = response.headers.get("X-Request-ID", "-")
        if response.status_code >= 500:
            raise ServiceFailed(f"{message} (HTTP {response.status_code}, request {request_id})")
        refused = ServiceBusy if response.status_code == 429 else ServiceRefused
        raise refused(f"{message} (HTTP {response.status_code}){self._explain_refusal(response)}")

    def _build_foreign(self, response: httpx.Response) -> ServiceFailed:
        return ServiceFailed(
            f"what answers at {self.url} is not tempoftp (HTTP {response.status_code}, "
            f"{response.headers.get('Content-Type', 'no content type')}). Check the address: it is from "
            f"{self._origins['url']}."
        )

    def _explain_refusal(self, response: httpx.Response) -> str:
        if response.status_code != 401:
            return ""
        if self._has_token:
            return (
                f". The token from {self._origins['token']} does not open {self.url}: it was mistyped, has ended, was "
                "revoked, or is of another service. Ask the operator for one."
            )
        return (
            ". No token was sent: put the one that the operator gave you into TEMPOFTP_TOKEN, or as `token` into "
            "~/.config/tempoftp/config.toml (chmod 600)."
        )


_NO_TEXT = "an argument has bytes that are no UTF-8 text: the service takes text only"


def parse_service_url(url: str, origin: str = "TEMPOFTP_URL") -> str:
    """Return the address without a trailing slash. Raises BadSetting, which names `origin`, for no http(s) URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadSetting(f"{origin} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadSetting(f"{origin} must look like {DEFAULT_URL}, not {url!r}")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return True for `localhost` and loopback addresses, which only this machine reaches.

    Every other name counts as reachable from outside: its address can change after it was looked up.
    """
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _share_path(share_id: str) -> str:
    if share_id in ("", ".", ".."):
        raise click.UsageError(f"{share_id!r} is not an id")
    try:
        return f"{SHARES_PATH}/{quote(share_id, safe='')}"
    except UnicodeEncodeError as error:
        raise click.UsageError(_NO_TEXT) from error


def _decode_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def connect() -> ServiceClient:
    """Return a client for the service that the environment or a configuration file names."""
    config = ClientConfig()
    found = {name: value for name in ("url", "token") if (value := config.find(name)) is not None}
    origins = {name: value.origin for name, value in found.items()}
    token = found["token"].text if "token" in found else None
    return ServiceClient(found["url"].text, token=token, origins=origins)
