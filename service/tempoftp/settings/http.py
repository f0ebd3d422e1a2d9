"""Where the API listens, and who may call it there without a token."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from tempoftp.settings.addresses import is_loopback
from tempoftp.settings.cross_checks import cross_check

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?|[0-9a-f:]+")


class AddressRole(NamedTuple):
    """What callers of one network may do without a token."""

    network: Network
    role: Literal["cliente", "operador"]


class HttpSettings(BaseModel):
    """Address, TLS and proxies of the API, and the callers that need no token."""

    bind: str = Field(
        default="127.0.0.1",
        description="Address the API listens on. Any other than loopback needs tokens, and TLS, a proxy "
        "(`TEMPOFTP_TRUSTED_PROXIES`) or `TEMPOFTP_PLAIN_HTTP`.",
    )
    port: int = Field(default=9043, ge=1, le=65535, description="Port the API listens on.")
    auth: Literal["token", "none"] = Field(
        default="token",
        description=(
            "`token`: every caller needs a token (`tempoftp token create`) or a mapped address. `none`: "
            "everybody who can reach the port may do everything; this is allowed only on loopback."
        ),
    )
    address_roles: Annotated[tuple[AddressRole, ...], NoDecode] = Field(
        default=(),
        description=(
            "Hosts that cannot send a token, and the role that they have, for everybody: "
            "`10.1.2.3=cliente,192.168.0.0/16=operador`. The smallest network that matches decides."
        ),
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=9,
        description=(
            "Number of proxies in front of the API, one behind the other: that many entries at the end "
            "of `X-Forwarded-For` are believed. 0: the header is ignored, because any caller may write "
            "it."
        ),
    )
    host_names: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Further names by which callers without a token reach the API, separated by commas. `Host` must be one of "
            "them, the host of `TEMPOFTP_PUBLIC_URL`, this machine's name, or the address that was called."
        ),
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate (and its chain): the API then speaks HTTPS only.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its key.")
    plain_http: bool = Field(
        default=False,
        description=(
            "1: listen on other addresses than loopback without TLS and without a proxy. Then tokens and "
            "passwords are sent in clear over that network."
        ),
    )

    @field_validator("address_roles", mode="before")
    @classmethod
    def _split_address_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        entries = tuple(_parse_address_role(entry) for entry in value.split(",") if entry.strip())
        if len({entry.network for entry in entries}) < len(entries):
            raise ValueError("names an address or network twice")
        return entries

    @field_validator("host_names", mode="before")
    @classmethod
    def _split_host_names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        if wrong := [name for name in names if not _HOST_NAME.fullmatch(name)]:
            raise ValueError(f"must be names without port, separated by commas, not {wrong[0]!r}")
        return names

    @field_validator("bind")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if value != "localhost":
            ipaddress.ip_address(value)
        return value

    @cross_check("tls_certificate", "tls_key")
    def _check_certificate(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TEMPOFTP_TLS_CERTIFICATE and TEMPOFTP_TLS_KEY go together")

    @cross_check("bind", "auth", "trusted_proxies", "host_names")
    def _check_without_tokens(self) -> None:
        if self.auth != "none":
            return
        if not self.is_loopback_only:
            raise ValueError("TEMPOFTP_AUTH=none needs a loopback TEMPOFTP_BIND: others could do everything")
        if self.trusted_proxies or self.host_names:
            other = "TEMPOFTP_TRUSTED_PROXIES" if self.trusted_proxies else "TEMPOFTP_HOST_NAMES"
            raise ValueError(
                f"TEMPOFTP_AUTH=none and {other} exclude each other: everybody who reaches the API through a proxy or "
                "under another name could do everything. Make tokens (`tempoftp token create`), remove TEMPOFTP_AUTH"
            )

    @cross_check("bind", "auth", "tls_certificate", "trusted_proxies", "plain_http")
    def _check_exposure(self) -> None:
        if self.is_loopback_only or self.auth == "none":
            return
        if self.tls_certificate is None and not self.trusted_proxies and not self.plain_http:
            raise ValueError(
                f"TEMPOFTP_BIND={self.bind} is no loopback address: give TEMPOFTP_TLS_CERTIFICATE and "
                "TEMPOFTP_TLS_KEY; or TEMPOFTP_TRUSTED_PROXIES=1 for a proxy that speaks TLS; or TEMPOFTP_PLAIN_HTTP=1"
            )

    @property
    def is_loopback_only(self) -> bool:
        """Whether only this machine reaches the API's port."""
        return is_loopback(self.bind)


def _parse_address_role(entry: str) -> AddressRole:
    network, _, role = (part.strip() for part in entry.partition("="))
    if role not in ("cliente", "operador"):
        raise ValueError(
            f"must be ADDRESS=cliente or ADDRESS=operador, separated by commas, not {entry.strip()!r}"
        )
    return AddressRole(ipaddress.ip_network(network), role)  # type: ignore[arg-type]  # one of the two
