"""The world around the service: a mail server, a receiver of webhooks, a recipient, a visitor of the portal."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

FORM_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
SESSION = "tempoftp_portal"
PORTAL_PAGES = (
    "solicitudes",
    "nueva",
    "resumen",
    "auditoria",
    "cuentas",
    "tokens",
    "prorrogas",
)


@dataclass(frozen=True)
class Outside:
    """The mail server and the receiver, with the secrets that the service uses for them."""

    mailbox: Any
    receiver: Any
    mail_password: str
    webhook_secret: str

    def read_mails(self) -> str:
        """Return every mail that arrived, as people read it."""
        parts = [part for mail in self.mailbox.mails for part in mail.walk() if not part.is_multipart()]
        headers = "\n".join(str(mail.items()) for mail in self.mailbox.mails)
        return "\n".join([headers, *(part.get_content() for part in parts)])

    def read_calls(self) -> str:
        """Return every call of the webhook."""
        return "\n".join(f"{path} {headers} {body.decode()}" for path, headers, body in self.receiver.calls)

    def read_link(self, share_id: str) -> str:
        """Return the token of the link in the mail about a ready share."""
        for mail in self.mailbox.mails:
            found = re.search(r"/enlace/(\S+)", mail.get_body(("plain",)).get_content())
            if found and mail["Subject"].endswith(f": {share_id}"):
                return found[1]
        raise AssertionError(f"no mail has a link for {share_id}")


def open_client(url: str) -> httpx.Client:
    """Return a client that keeps cookies, as a browser does."""
    return httpx.Client(base_url=url, timeout=20, trust_env=False, follow_redirects=True)


def follow_link(url: str, token: str, password: str) -> dict[str, str]:
    """Use a link as a recipient does, with the API and in a browser; return the pages by names without the token."""
    with open_client(url) as client:
        page = client.get(f"/enlace/{token}", headers={"Accept": "text/html"})
        assert page.url.path == f"/portal/enlace/{token}", page.url
        state = client.get(f"/enlace/{token}", headers={"Accept": "application/json"})
        assert (page.status_code, state.status_code) == (200, 200)
        shown = client.post(f"/enlace/{token}/credenciales", json={})
        assert shown.json()["password"] == password
        found = FORM_TOKEN.search(page.text)
        assert found is not None
        form = client.post(f"/portal/enlace/{token}/credenciales", data={"csrf_token": found[1]})
        assert password in form.text
        asked = client.post(f"/enlace/{token}/prorroga", json={"dias": 1, "motivo": "falta la mitad"})
        assert asked.status_code == 200, asked.text
        # Requests that fail and contain the link.
        assert client.get(f"/enlace/{token}x").status_code == 404
        assert client.get(f"/portal/enlace/{token}/nada").status_code == 404
        assert client.post(f"/portal/enlace/{token}/password").status_code == 400
    send_what_is_not_http(url, f"GET /enlace/{token} HTTP\r\n\r\n")
    return {"/enlace/…": state.text + str(state.headers), "/portal/enlace/…": page.text + str(page.headers)}


def visit_portal(url: str, token: str, share_ids: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Sign in and read every page; return the session's cookie and the pages."""
    with open_client(url) as client:
        found = FORM_TOKEN.search(client.get("/portal/entrar").text)
        assert found is not None
        entered = client.post("/portal/entrar", data={"csrf_token": found[1], "token": token, "sigue": ""})
        assert entered.url.path == "/portal/solicitudes", entered.url
        # Now the session has the token of its forms, and no page changes the cookie any more.
        session = client.cookies[SESSION]
        pages = {}
        for name in (*PORTAL_PAGES, *(f"solicitudes/{share_id}" for share_id in share_ids)):
            answer = client.get(f"/portal/{name}")
            assert answer.status_code == 200, answer.text
            pages[f"/portal/{name}"] = answer.text + str(answer.headers)
        assert client.cookies[SESSION] == session
    send_what_is_not_http(url, f"GET /portal/ HTTP/1.1\r\nCookie {SESSION}={session}\r\n\r\n")
    return session, pages


def send_what_is_not_http(url: str, text: str) -> None:
    """Send a text that is not valid HTTP; the answer must be a refusal."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), timeout=20) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400"), answer
