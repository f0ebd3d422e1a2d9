"""The whole configuration: all parts together, read from the environment."""

from __future__ import annotations

import os
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tempoftp.settings.access import AccessSettings
from tempoftp.settings.addresses import is_loopback, is_safe_url
from tempoftp.settings.core import CoreSettings, JournalSettings
from tempoftp.settings.delivery import DeliverySettings
from tempoftp.settings.http import HttpSettings
from tempoftp.settings.limits import LimitSettings
from tempoftp.settings.notices import NoticeSettings
from tempoftp.settings.worker import WorkerSettings

PREFIX = "TEMPOFTP_"
CLIENT_VARIABLES = frozenset({"TEMPOFTP_URL", "TEMPOFTP_TOKEN", "TEMPOFTP_DEMO_SOURCE"})
"""Read by clients (the `tempoftp` command, the demo). The service accepts them and ignores them."""

INVENTORY_VARIABLES = frozenset({"TEMPOFTP_LAB_NET", "TEMPOFTP_LAB_DIR"})
"""Read by the lab's inventory; the worker passes them to its runs."""


class SettingsError(Exception):
    """The environment does not make a valid configuration; the message names every variable to correct."""


class Settings(  # the fields of the last base come first: docs and env file list them in this order, core first
    DeliverySettings,
    JournalSettings,
    NoticeSettings,
    LimitSettings,
    AccessSettings,
    HttpSettings,
    WorkerSettings,
    CoreSettings,
    BaseSettings,
):
    """The configuration of API, worker and command line: one flat object, so that each field has one variable.

    The parts are base classes and not nested models: every caller writes `settings.port`, and the variables stay
    flat (`TEMPOFTP_PORT`). A check that needs fields of one part is in that part; a check across parts is here.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", populate_by_name=True, frozen=True, env_ignore_empty=True
    )

    @model_validator(mode="after")
    def _check_links(self) -> Self:
        parts = urlsplit(self.public_url or "https:")
        if parts.scheme == "http" and not self.plain_http and not is_loopback(parts.hostname or ""):
            raise ValueError(
                "TEMPOFTP_PUBLIC_URL must begin with https://: who reads a link on its way can log in with it; or "
                "TEMPOFTP_PLAIN_HTTP=1 says that the network may read along"
            )
        return self

    @model_validator(mode="after")
    def _check_provider(self) -> Self:
        parts = {
            "TEMPOFTP_OIDC_ISSUER": self.oidc_issuer,
            "TEMPOFTP_OIDC_CLIENT_ID": self.oidc_client_id,
            "TEMPOFTP_OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "TEMPOFTP_OIDC_ROLES": self.oidc_roles or None,
        }
        missing = [name for name, value in parts.items() if value is None]
        if len(missing) == len(parts):
            return self
        if missing:
            raise ValueError(f"{', '.join(parts)} go together; {', '.join(missing)} missing")
        if self.public_url is None:
            raise ValueError(
                "TEMPOFTP_OIDC_ISSUER needs TEMPOFTP_PUBLIC_URL: the provider sends people back there"
            )
        if not is_safe_url(self.public_url):
            raise ValueError("TEMPOFTP_OIDC_ISSUER needs a TEMPOFTP_PUBLIC_URL that begins with https://")
        return self


def variable_of(field_name: str) -> str:
    """Return the environment variable of a field of `Settings`."""
    alias = Settings.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return PREFIX + field_name.upper()


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment, once per process.

    `overrides` (by field name) win over the environment; the command line uses them for its options.

    Raises SettingsError, whose message names every variable that is wrong or unknown.
    """
    known = {variable_of(name) for name in Settings.model_fields} | CLIENT_VARIABLES | INVENTORY_VARIABLES
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting(s) {', '.join(unknown)}: correct the name or remove it")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_explain(part) for part in error.errors(include_input=False))) from None


def _explain(part: Any) -> str:
    name = str(part["loc"][0]) if part["loc"] else ""
    message = str(part["msg"]).removeprefix("Value error, ")
    if part["type"] == "missing":
        message = "is required"
    by_variable = {variable_of(field): field for field in Settings.model_fields}
    field = by_variable.get(name, name)
    return f"{variable_of(field)} {message}" if field in Settings.model_fields else message
