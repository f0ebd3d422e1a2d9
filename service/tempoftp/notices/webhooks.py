"""Webhooks: the addresses that an operator set are told over HTTP, with a signature, and never lead anywhere else."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import stat
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)

from tempoftp.db.clock import write_time
from tempoftp.notices.deliveries import Channel
from tempoftp.notices.mail import MAIL_CHANNELS
from tempoftp.notices.sending import Message, SendFailed, clean, cut_after
from tempoftp.settings import Settings, SettingsError
from tempoftp.shares.notices import Kind

SIGNATURE_HEADER = "X-Tempoftp-Signature"
NOTICE_HEADER = "X-Tempoftp-Notice"
SECRET_LENGTH = 16
SAID_LENGTH = 1024
"""Bytes of an answer that are read at all: what a receiver says when it refuses."""


class WebhookEntry(BaseModel):
    """One address of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    url: str
    secret: SecretStr = Field(min_length=SECRET_LENGTH)
    kinds: frozenset[Kind] = frozenset(Kind)
    ca_file: Path | None = None

    @field_validator("name")
    @classmethod
    def _refuse_mail(cls, value: str) -> str:
        if value in MAIL_CHANNELS:
            raise ValueError(f"{value} is what mails are called")
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with https:// or http:// and have a host")
        if parts.port == 0:  # itself it refuses what is no number, or none of a port
            raise ValueError("has no port 0")
        is_plain = value.isascii() and value.isprintable() and " " not in value
        if parts.username is not None or parts.fragment or not is_plain:
            raise ValueError("may have neither a login, a fragment, blanks nor other letters than ASCII")
        return value


class WebhooksFile(BaseModel):
    """TEMPOFTP_WEBHOOKS_FILE."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhooks: tuple[WebhookEntry, ...]

    @field_validator("webhooks")
    @classmethod
    def _refuse_twins(cls, value: tuple[WebhookEntry, ...]) -> tuple[WebhookEntry, ...]:
        if len({entry.name for entry in value}) < len(value):
            raise ValueError("two have one name")
        return value


def read_webhooks(settings: Settings) -> tuple[WebhookEntry, ...]:
    """Return the entries of the settings' file. Raises SettingsError, without anything of a secret."""
    path = settings.webhooks_file
    if path is None:
        return ()
    try:
        if path.stat().st_mode & stat.S_IROTH:
            raise SettingsError(f"{path}: everybody can read its secrets; chmod o-r {path}")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return WebhooksFile.model_validate(content).webhooks
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{path} is not YAML") from None
    except ValidationError as error:
        parts = [
            f"{'.'.join(map(str, part['loc']))}: {part['msg']}"
            for part in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(f"{path}: {'; '.join(parts)}") from None


class Webhook:
    """One address that is told."""

    def __init__(
        self, entry: WebhookEntry, *, timeout_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.channel = Channel(entry.name, entry.kinds)
        self._entry = entry
        self._timeout = timeout_seconds
        self._clock = clock

    def send(self, message: Message) -> None:
        """Tell of one notice. Only 2xx is success: a redirect is not followed. Raises SendFailed."""
        body = build_body(message)
        headers = build_headers(message, body, self._entry.secret.get_secret_value(), int(self._clock()))
        parts = urlsplit(self._entry.url)
        connection = self._build_connection(parts.scheme, str(parts.hostname), parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept: list[socket.socket] = []

        def find_socket() -> socket.socket | None:
            # With "Connection: close" the class forgets its socket while the answer is still being read.
            return connection.sock or (kept[0] if kept else None)

        with cut_after(self._timeout, find_socket) as was_cut:
            try:
                connection.connect()
                kept.append(connection.sock)
                connection.request("POST", target, body=body, headers=headers)
                with connection.getresponse() as answer:
                    status = answer.status
                    said = b"" if 200 <= status < 300 else answer.read(SAID_LENGTH)
                if was_cut():  # an answer that was cut in its headers reads as a short one
                    raise TimeoutError
            except (http.client.HTTPException, OSError, ValueError) as error:
                if was_cut():
                    raise SendFailed(f"not done after {self._timeout:g} s") from None
                raise SendFailed(f"{type(error).__name__}: {clean(error)}") from None
            finally:
                connection.close()
        if not 200 <= status < 300:
            raise SendFailed(f"HTTP {status}: {clean(said.decode('utf-8', 'replace'))}")

    def _build_connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        ca = self._entry.ca_file
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)


def build_body(message: Message) -> bytes:
    """Return what is sent: the share's public state when it happened. The recipient's link is no part of it."""
    content: dict[str, Any] = {
        "aviso": message.uid,
        "tipo": message.kind,
        "fecha": write_time(message.at),
        "solicitud": message.data,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def build_headers(message: Message, body: bytes, secret: str, moment: int) -> dict[str, str]:
    """Return the headers; each try is signed with its own time, so that a receiver can refuse an old one."""
    return {
        "Content-Type": "application/json",
        "User-Agent": f"tempoftp/{version('tempoftp')}",
        "Connection": "close",
        NOTICE_HEADER: message.uid,
        SIGNATURE_HEADER: f"t={moment},v1={sign(secret, moment, body)}",
    }


def sign(secret: str, moment: int, body: bytes) -> str:
    """Return HMAC-SHA256 over `<moment>.<body>` in hex."""
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
