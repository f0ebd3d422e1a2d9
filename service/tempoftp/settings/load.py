"""The whole configuration: all parts together, read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, ValidationError, create_model, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tempoftp.settings.access import AccessSettings
from tempoftp.settings.addresses import is_loopback, is_safe_url
from tempoftp.settings.core import CoreSettings, JournalSettings
from tempoftp.settings.cross_checks import cross_check, find_conflicts
from tempoftp.settings.delivery import DeliverySettings
from tempoftp.settings.http import HttpSettings
from tempoftp.settings.keys import KeySettings
from tempoftp.settings.limits import LimitSettings
from tempoftp.settings.notices import NoticeSettings
from tempoftp.settings.worker import WorkerSettings

PREFIX = "TEMPOFTP_"
CLIENT_VARIABLES = frozenset({"TEMPOFTP_URL", "TEMPOFTP_TOKEN", "TEMPOFTP_DEMO_SOURCE"})
"""Read by clients (the `tempoftp` command, the demo). The service accepts them and ignores them."""

INVENTORY_VARIABLES = frozenset({"TEMPOFTP_LAB_NET", "TEMPOFTP_LAB_DIR"})
"""Read by the lab's inventory; the worker passes them to its runs."""


_SEPARATOR = "\n"


class SettingsError(Exception):
    """The environment or a file does not make a valid configuration. `mistakes`: one text for each thing to correct."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__(*mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        """Return all mistakes on one line, for logs."""
        return "; ".join(self.mistakes)


class Settings(  # the fields of the last base come first: docs and env file list them in this order, keys first
    DeliverySettings,
    JournalSettings,
    NoticeSettings,
    LimitSettings,
    AccessSettings,
    HttpSettings,
    WorkerSettings,
    CoreSettings,
    KeySettings,
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
    def _check_together(self) -> Self:
        conflicts = find_conflicts(self)
        if conflicts:
            raise ValueError(_SEPARATOR.join(conflicts))
        return self

    @cross_check("public_url", "plain_http")
    def _check_links(self) -> None:
        parts = urlsplit(self.public_url or "https:")
        if parts.scheme == "http" and not self.plain_http and not is_loopback(parts.hostname or ""):
            raise ValueError(
                "TEMPOFTP_PUBLIC_URL must begin with https://: who reads a link on its way can log in with it; or "
                "TEMPOFTP_PLAIN_HTTP=1 says that the network may read along"
            )

    @cross_check("auth", "public_url")
    def _check_public(self) -> None:
        if self.auth == "none" and not is_loopback(urlsplit(self.public_url or "//localhost").hostname or ""):
            raise ValueError(
                "TEMPOFTP_AUTH=none and a TEMPOFTP_PUBLIC_URL beyond this machine exclude each other: everybody who "
                "reaches that address could do everything. Make tokens (`tempoftp token create`), remove TEMPOFTP_AUTH"
            )

    @cross_check("oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_roles", "public_url")
    def _check_provider(self) -> None:
        parts = {
            "TEMPOFTP_OIDC_ISSUER": self.oidc_issuer,
            "TEMPOFTP_OIDC_CLIENT_ID": self.oidc_client_id,
            "TEMPOFTP_OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "TEMPOFTP_OIDC_ROLES": self.oidc_roles or None,
        }
        missing = [name for name, value in parts.items() if value is None]
        if len(missing) == len(parts):
            return
        if missing:
            raise ValueError(f"{', '.join(parts)} go together; {', '.join(missing)} missing")
        if self.public_url is None:
            raise ValueError(
                "TEMPOFTP_OIDC_ISSUER needs TEMPOFTP_PUBLIC_URL: the provider sends people back there"
            )
        if not is_safe_url(self.public_url):
            raise ValueError("TEMPOFTP_OIDC_ISSUER needs a TEMPOFTP_PUBLIC_URL that begins with https://")


def variable_of(field_name: str) -> str:
    """Return the environment variable of a field of `Settings`."""
    alias = Settings.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return PREFIX + field_name.upper()


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment, once per process.

    `overrides` (by field name) win over the environment; the command line uses them for its options.

    Raises SettingsError, which names every variable that is wrong or unknown.
    """
    return parse_settings(os.environ, **overrides)


def parse_settings(variables: Mapping[str, str], **overrides: Any) -> Settings:
    """Read the settings from these variables; others than the service's are ignored. Raises SettingsError."""
    fields = {variable_of(name): name for name in Settings.model_fields}
    known = fields.keys() | CLIENT_VARIABLES | INVENTORY_VARIABLES
    unknown = sorted(name for name in variables if name.startswith(PREFIX) and name not in known)
    mistakes = [f"unknown setting(s) {', '.join(unknown)}: correct the name or remove it"] if unknown else []
    given = {fields[name]: value for name, value in variables.items() if name in fields and value} | overrides
    try:
        settings = _Given(**given)
    except ValidationError as error:
        raise SettingsError(*mistakes, *_explain_all(error, given)) from None
    if mistakes:
        raise SettingsError(*mistakes)
    return settings


class _Given(Settings):
    """Settings of the values that are passed, and of no environment: a file is checked as the service will read it."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # the others are not used
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_others: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class _Unchecked(_Given):
    """The same, without comparing the fields."""

    def _check_together(self) -> Self:  # type: ignore[override]  # it takes the place of the validator
        return self


def _explain_all(error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """Return every mistake: single values, then what does not fit together among the right values."""
    parts = error.errors(include_input=False)
    names = {str(part["loc"][0]): part for part in parts if part["loc"]}
    wrong = frozenset(field for field in Settings.model_fields if {field, variable_of(field)} & names.keys())
    mistakes = [text for part in parts for text in _explain(part)]
    if not wrong:
        return mistakes
    # A class in which the wrong fields may be anything, so that the others can be compared.
    anything = {name: (Any, Field(default=None, validate_default=False)) for name in wrong}
    rest: Any = create_model("_Rest", __base__=_Unchecked, **anything)  # type: ignore[call-overload]
    right = rest(**{name: value for name, value in given.items() if name not in wrong})
    return mistakes + find_conflicts(right, wrong)


def _explain(part: Any) -> list[str]:
    name = str(part["loc"][0]) if part["loc"] else ""
    message = str(part["msg"]).removeprefix("Value error, ")
    if part["type"] == "missing":
        message = "is required"
    by_variable = {variable_of(field): field for field in Settings.model_fields}
    field = by_variable.get(name, name)
    if field in Settings.model_fields:
        return [f"{variable_of(field)} {message}"]
    return message.split(_SEPARATOR)
