"""The notices: their language, their times, the mail server and the webhooks."""

from __future__ import annotations

import re
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from tempoftp.settings.addresses import is_loopback
from tempoftp.settings.cross_checks import cross_check

OWN_PATHS = frozenset(
    {"docs", "enlace", "health", "metrics", "openapi.json", "pausar", "portal", "reanudar", "tmpftp"}
)
"""First parts of the paths of API and portal."""
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]+")


class NoticeSettings(BaseModel):
    """Notices by mail and webhook, and the links in them."""

    public_url: str | None = Field(
        default=None,
        description="Address of the service as recipients reach it (`https://datos.example.org`): what links in mails "
        "begin with, and where a provider of identities sends people back to; `http://` only with "
        "`TEMPOFTP_PLAIN_HTTP`. It may have a path (`https://example.org/tempoftp`), for a proxy that serves other "
        "programs too. Default: mails have no link.",
    )
    link_days: int = Field(
        default=90,
        ge=1,
        description="Days for which a recipient's link is valid, if its share lives that long.",
    )
    notice_language: Literal["es", "en"] = Field(
        default="es", description="Language of the mails: `es` or `en`."
    )
    notice_before_hours: float = Field(
        default=24,
        ge=0,
        description=(
            "Hours before the end of a share at which its requester is reminded, if it was not "
            "downloaded completely. There is no reminder in the first half of its life. 0: no reminders."
        ),
    )
    notice_retry_hours: float = Field(
        default=24,
        gt=0,
        description="Hours for which a mail or webhook that fails is tried again before it is given up.",
    )
    notice_timeout_seconds: float = Field(
        default=15, gt=0, le=300, description="Most seconds that sending one mail or webhook may take."
    )
    smtp_host: str | None = Field(
        default=None, description="Mail server that takes the notices. Default: no mail is sent."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        default="starttls",
        description="`starttls` (refused when the server does not offer it), `tls` from the start (port 465), or "
        "`none`, which is right for a server on this machine.",
    )
    smtp_ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed its certificate. Default: those that the system trusts.",
    )
    smtp_user: str | None = Field(default=None, description="Login at the mail server, if it needs one.")
    smtp_password: SecretStr | None = Field(default=None, description="The password of that login.")
    smtp_from: str | None = Field(
        default=None,
        description="Address that the mails come from: `tempoftp@example.org` or `Name <tempoftp@example.org>`. "
        "Required with a mail server.",
    )
    operator_email: str | None = Field(
        default=None,
        description=(
            "Address that gets a mail when a recipient asks for more days; for several people, the "
            "address of a mailing list. Default: no mail is sent."
        ),
    )
    webhooks_file: Path | None = Field(
        default=None,
        description=(
            "YAML file with the addresses that get notices over HTTP, each with its secret. Default: none."
        ),
    )

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://datos.example.org, without query or fragment")
        _check_path(parts.path.rstrip("/"))
        return value.rstrip("/")

    @property
    def path_prefix(self) -> str:
        """The path of `public_url`, below which browsers reach the service: `/tempoftp`, or an empty text."""
        return urlsplit(self.public_url or "").path

    @field_validator("smtp_from")
    @classmethod
    def _check_sender(cls, value: str | None) -> str | None:
        if value is not None:
            parse_sender(value)
        return value

    @field_validator("operator_email")
    @classmethod
    def _check_operator(cls, value: str | None) -> str | None:
        if value is not None and parse_sender(value) != ("", value):
            raise ValueError("must look like datos@example.org")
        return value

    @cross_check("smtp_host", "smtp_from")
    def _check_from(self) -> None:
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("TEMPOFTP_SMTP_HOST needs TEMPOFTP_SMTP_FROM")

    @cross_check("operator_email", "smtp_host")
    def _check_operator_mail(self) -> None:
        if self.operator_email is not None and self.smtp_host is None:
            raise ValueError("TEMPOFTP_OPERATOR_EMAIL needs TEMPOFTP_SMTP_HOST")

    @cross_check("smtp_user", "smtp_password", "smtp_tls", "smtp_host")
    def _check_login(self) -> None:
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("TEMPOFTP_SMTP_USER and TEMPOFTP_SMTP_PASSWORD go together")
        if self.smtp_user is not None and self.smtp_tls == "none" and not is_loopback(self.smtp_host or ""):
            raise ValueError("TEMPOFTP_SMTP_TLS=none would send the password in clear: use starttls or tls")


def _check_path(path: str) -> None:
    segments = path.split("/")[1:]
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(
            "must have a path of letters, digits, `.`, `_`, `~` and `-`, like /tempoftp, or none"
        )
    if segments and segments[0] in OWN_PATHS:
        raise ValueError(
            f"must have another path than /{segments[0]}: the service has pages of that name, and a proxy that removes "
            "the path would make the two alike"
        )


def parse_sender(value: str) -> tuple[str, str]:
    """Return the name and the address of `Name <local@domain>` or `local@domain`. Raises ValueError."""
    name, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or not value.isprintable() or not address.isascii():
        raise ValueError("must look like tempoftp@example.org or Name <tempoftp@example.org>")
    return name, address
