"""How people sign in at the portal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from tempoftp.settings.addresses import is_safe_url


class RoleRule(NamedTuple):
    """The role that one value of the provider's claim gives."""

    value: str
    role: Literal["cliente", "operador"]


class AccessSettings(BaseModel):
    """Sessions of the portal, and the OpenID Connect provider."""

    portal_session_hours: float = Field(
        default=12,
        gt=0,
        le=720,
        description="Hours after which a person must sign in at the portal again.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="OpenID Connect provider through which people may sign in at the portal, exactly as it names "
        "itself (`https://login.example.org/realms/datos`). Needs `TEMPOFTP_PUBLIC_URL`. Default: tokens only.",
    )
    oidc_client_id: str | None = Field(
        default=None, description="Name by which the provider knows this service."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="The secret that the provider gave with it."
    )
    oidc_scopes: str = Field(
        default="openid email profile",
        description="Scopes to ask the provider for, separated by spaces; `openid` must be one of them.",
    )
    oidc_role_claim: str = Field(
        default="groups",
        min_length=1,
        description=(
            "Claim that says who may do what: a text or a list of texts. `a.b` means `b` inside of `a`, "
            "unless a claim has exactly this name."
        ),
    )
    oidc_roles: Annotated[tuple[RoleRule, ...], NoDecode] = Field(
        default=(),
        description=(
            "Role for each value of that claim: `datos-operacion=operador,datos-usuarios=cliente`. The "
            "higher role counts. A person without any of the values cannot sign in."
        ),
    )
    oidc_trust_email: bool = Field(
        default=False,
        description=(
            "1: the provider's `email` counts without `email_verified`. Use this only if nobody can "
            "choose the address at the provider, because a person with an address sees its shares."
        ),
    )
    oidc_name: str | None = Field(
        default=None,
        max_length=60,
        description="Name of the provider on the portal's button. Default: the account of your institution.",
    )
    oidc_ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the provider's certificate. Default: those that the system "
        "trusts.",
    )
    oidc_timeout_seconds: float = Field(
        default=5, gt=0, le=30, description="Most seconds that one call to the provider may take."
    )

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if not is_safe_url(value) or parts.query or parts.fragment:
            raise ValueError(
                "must look like https://login.example.org/realms/datos, without query or fragment "
                "(http only on loopback)"
            )
        return value

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("must have openid among them")
        return " ".join(value.split())

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _split_oidc_roles(cls, value: object) -> object:
        return _parse_role_rules(value) if isinstance(value, str) else value


def _parse_role_rules(text: str) -> tuple[RoleRule, ...]:
    # A value may have commas and equals signs of its own, as the names of directories have.
    pattern = r"\s*(?P<value>[^=\s](?:.*?\S)??)\s*=\s*(?P<role>cliente|operador)\s*(?:,|$)"
    rules, rest = [], text.strip()
    while rest:
        found = re.match(pattern, rest)
        if found is None:
            raise ValueError(f"must be VALUE=cliente or VALUE=operador, separated by commas, not {rest!r}")
        rules.append(RoleRule(found["value"], found["role"]))  # type: ignore[arg-type]  # one of the two
        rest = rest[found.end() :].strip()
    if len({rule.value for rule in rules}) < len(rules):
        raise ValueError("names a value twice")
    return tuple(rules)
