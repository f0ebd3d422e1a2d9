"""Webhooks: notices go by HTTP, signed, to the addresses that an operator configured, and to no other address."""

from __future__ import annotations

import base64
import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
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
from standardwebhooks import Webhook as Signer

from tempoftp.db.clock import write_time
from tempoftp.notices.bounded_calls import CallFailed, build_context, call
from tempoftp.notices.deliveries import Channel
from tempoftp.notices.mail import MAIL_CHANNELS
from tempoftp.notices.sending import Message, SendFailed, clean
from tempoftp.settings import Settings, SettingsError
from tempoftp.settings.yaml_files import DuplicateKeyError, read_yaml
from tempoftp.shares.notices import Kind

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets in the shape of Standard Webhooks begin with
SECRET_LENGTH = 16
SAID_LENGTH = 1024
"""Number of bytes of an answer that are read: the text of a receiver that refuses."""


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

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, value: SecretStr) -> SecretStr:
        if len(parse_secret(value.get_secret_value())) < SECRET_LENGTH:
            raise ValueError(f"has fewer than {SECRET_LENGTH} bytes behind {SECRET_PREFIX}")
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must begin with https:// or http:// and have a host")
        if parts.port == 0:  # urlsplit itself refuses other wrong ports
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
    """Return the entries of the settings' file. Raises SettingsError, which shows no secret."""
    path = settings.webhooks_file
    if path is None:
        return ()
    try:
        if path.stat().st_mode & stat.S_IROTH:
            raise SettingsError(f"{path}: everybody can read its secrets; chmod o-r {path}")
        content = read_yaml(path)
        return WebhooksFile.model_validate(content).webhooks
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except DuplicateKeyError as error:
        raise SettingsError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{path} is not YAML") from None
    except ValidationError as error:
        parts = [
            f"{'.'.join(map(str, part['loc']))}: {part['msg']}"
            for part in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(*(f"{path}: {part}" for part in parts)) from None


class Webhook:
    """One address that gets notices."""

    def __init__(
        self, entry: WebhookEntry, *, timeout_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.channel = Channel(entry.name, entry.kinds)
        self._entry = entry
        self._timeout = timeout_seconds
        self._clock = clock

    def send(self, message: Message) -> None:
        """Send one notice. Only 2xx is success: a redirect is not followed. Raises SendFailed."""
        body = build_body(message)
        entry = self._entry
        headers = build_headers(message, body, entry.secret.get_secret_value(), int(self._clock()))
        try:
            answer = call(
                "POST",
                entry.url,
                headers=headers,
                content=body,
                seconds=self._timeout,
                context=build_context(entry.url, entry.ca_file),
                most_bytes=SAID_LENGTH,
            )
        except (CallFailed, OSError) as error:
            raise SendFailed(clean(error)) from None
        if not 200 <= answer.status_code < 300:
            said = answer.content.decode("utf-8", "replace")
            raise SendFailed(f"HTTP {answer.status_code}: {clean(said)}")


def build_body(message: Message) -> bytes:
    """Return the body: the share's public state at the time of the notice, without the recipient's link."""
    content: dict[str, Any] = {
        "aviso": message.uid,
        "tipo": message.kind,
        "fecha": write_time(message.at),
        "solicitud": message.data,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def build_headers(message: Message, body: bytes, secret: str, moment: int) -> dict[str, str]:
    """Return the headers, signed as Standard Webhooks says (https://www.standardwebhooks.com).

    Each try is signed with its own time, so that a receiver can refuse an old one.
    """
    signer = Signer(parse_secret(secret))
    return {
        "Content-Type": "application/json",
        "User-Agent": f"tempoftp/{version('tempoftp')}",
        "webhook-id": message.uid,
        "webhook-timestamp": str(moment),
        "webhook-signature": signer.sign(message.uid, datetime.fromtimestamp(moment, UTC), body.decode()),
    }


def parse_secret(text: str) -> bytes:
    """Return the key: the base64 after `whsec_` decoded, else the text itself. Raises ValueError."""
    if not text.startswith(SECRET_PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raise ValueError(f"is not base64 behind {SECRET_PREFIX}") from None
