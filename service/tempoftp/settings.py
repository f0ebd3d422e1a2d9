"""Every setting of the service, read once from the environment into one typed object.

The descriptions below are the documentation: the table in docs/settings.md and `deploy/tempoftp.env.example` are made
from them. A variable that starts with `TEMPOFTP_` and is not known here is refused, so that a typo never
silently leaves a default in force.
"""

from __future__ import annotations

import ipaddress
import os
import re
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, MultiFernet
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TEMPOFTP_"
CLIENT_VARIABLES = frozenset({"TEMPOFTP_URL", "TEMPOFTP_TOKEN", "TEMPOFTP_DEMO_SOURCE"})
"""Read by clients (the `tempoftp` command, the demo), not by the service; the service lets them stand."""

INVENTORY_VARIABLES = frozenset({"TEMPOFTP_LAB_NET", "TEMPOFTP_LAB_DIR"})
"""Read by the lab's inventory; the worker hands them on to its runs."""

SIMULATED_FTP_HOST = "simulado"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressRole(NamedTuple):
    """What callers of one network may do without a token."""

    network: Network
    role: Literal["cliente", "operador"]


class RoleRule(NamedTuple):
    """Whom a value of the provider's claim makes what."""

    value: str
    role: Literal["cliente", "operador"]


class SettingsError(Exception):
    """The environment does not make a valid configuration; the message names every variable to correct."""


class Settings(BaseSettings):
    """The configuration of API, worker and command line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", populate_by_name=True, frozen=True, env_ignore_empty=True
    )

    encryption_key: SecretStr = Field(
        description="Fernet key that protects generated passwords (make one with `tempoftp key new`); "
        "several, separated by commas, for rotation: the first encrypts, all decrypt. Required."
    )
    simulacro: bool = Field(
        default=False,
        description="1: simulate the FTP hosts instead of running Ansible, for work without hosts.",
    )
    state_dir: Path = Field(
        default=Path("/var/lib/tempoftp"),
        description="Folder for the database, the workers' sockets, run directories and per-share logs.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the database. Default: SQLite, in the state folder.",
    )
    inventory: Path | None = Field(
        default=None, description="Ansible inventory (file or folder) that has the group `ftp_hosts`."
    )
    ftp_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Inventory names of the FTP hosts, separated by commas. Required unless simulated.",
    )
    project_dir: Path = Field(
        default=Path("/opt/tempoftp"),
        description="Folder with `playbooks/`, `collections/` and `ansible.cfg`.",
    )
    sources_file: Path = Field(
        default=Path("/etc/tempoftp/sources.yml"),
        description="YAML file with the sources that may be asked for; anything else is refused.",
    )
    lifetime_default: int = Field(
        default=10, ge=1, description="Days a share lives when the request does not say (`vigencia`)."
    )
    lifetime_min: int = Field(default=1, ge=1, description="Least days a request may ask for.")
    lifetime_max: int = Field(default=90, ge=1, description="Most days a request may ask for.")
    reuse_password: bool = Field(
        default=False,
        description="1: a later share of the same account also answers with the token, not the hash.",
    )
    batch_size: int = Field(default=50, ge=1, le=500, description="Most shares that one run carries.")
    worker_threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Most runs at the same time in one worker, each for another FTP host; the others wait in the order "
        "in which they came. Default: no bound, so that no FTP host waits for another.",
    )
    hash_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that hash passwords before a run, about one per core."
    )
    lease_seconds: float = Field(
        default=30,
        gt=0,
        description="Seconds after which another worker may take over a share of a dead one.",
    )
    heartbeat_seconds: float = Field(
        default=10, gt=0, description="Seconds between two extensions of the lease of a running run."
    )
    reconcile_seconds: float = Field(
        default=1, gt=0, description="Seconds between two looks for shares that are due but were not woken."
    )
    facts_max_age_seconds: float = Field(
        default=60,
        gt=0,
        description="Age in seconds after which the facts about an FTP host are asked for again.",
    )
    transfers_seconds: float = Field(
        default=120,
        ge=0,
        description="Seconds between two countings of downloads on an FTP host with a share to be fetched; 0: they "
        "are not counted.",
    )
    expire_after_download_hours: float = Field(
        default=0,
        ge=0,
        description="Hours after the last download at which a share ends early once every file of it was fetched "
        "completely; 0: it lives its days.",
    )
    retry_until_hours: float = Field(
        default=24,
        gt=0,
        description="Hours for which a transient error is retried before the share is in `error`.",
    )
    audit_hours: float = Field(
        default=24,
        ge=0,
        description="Hours between two audits that nobody asked for, of each FTP host; 0: none. A worker that starts "
        "always makes one.",
    )
    audit_wait_seconds: float = Field(
        default=20, ge=0, description="Seconds that the API waits for an audit before it answers 202."
    )
    preview_wait_seconds: float = Field(
        default=10, ge=0, description="Seconds that the API waits for a preview before it answers 202."
    )
    preview_limit_seconds: int = Field(
        default=20,
        ge=1,
        le=200,
        description="Seconds that an FTP host may take to measure sources for a preview; what it has counted then is "
        "the answer.",
    )
    run_wait_seconds: float = Field(
        default=3, ge=0, description="Seconds that one run waits on the FTP host for copies to finish."
    )
    standby: bool = Field(
        default=True,
        description="0: do not keep an Ansible process standing by for each FTP host; a run then takes about a "
        "second longer and an idle worker less memory.",
    )
    run_timeout_seconds: float = Field(
        default=300, gt=0, description="Seconds after which a run is stopped and classified as `run_timeout`."
    )
    stop_seconds: float = Field(
        default=20, gt=0, description="Seconds that a stopping worker gives its runs to finish."
    )
    deletion_wait_seconds: float = Field(
        default=10,
        ge=0,
        description="Seconds that DELETE waits for access and data to be gone before it answers 202.",
    )
    bind: str = Field(
        default="127.0.0.1",
        description="Address the API listens on. Any other than loopback needs tokens, and TLS, a proxy "
        "(`TEMPOFTP_TRUSTED_PROXIES`) or `TEMPOFTP_PLAIN_HTTP`.",
    )
    port: int = Field(default=9043, ge=1, le=65535, description="Port the API listens on.")
    auth: Literal["token", "none"] = Field(
        default="token",
        description="`token`: every caller needs a token (`tempoftp token create`) or a mapped address. `none`: "
        "whoever reaches the port may do everything; only on loopback.",
    )
    address_roles: Annotated[tuple[AddressRole, ...], NoDecode] = Field(
        default=(),
        description="Hosts that cannot send a token, and what they may do for everybody: "
        "`10.1.2.3=cliente,192.168.0.0/16=operador`. The narrowest network that fits decides.",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=9,
        description="Proxies in front of the API, one behind the other: so many entries at the end of "
        "`X-Forwarded-For` are believed. 0: the header is ignored, since any caller may write it.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate (and its chain): the API then speaks HTTPS only.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its key.")
    plain_http: bool = Field(
        default=False,
        description="1: listen on other addresses than loopback without TLS and without a proxy. Tokens and "
        "passwords then cross that network in clear.",
    )
    portal_session_hours: float = Field(
        default=12,
        gt=0,
        le=720,
        description="Hours after which who signed in at the portal has to do so again.",
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
        description="What the provider is asked for, separated by spaces; with `openid`.",
    )
    oidc_role_claim: str = Field(
        default="groups",
        min_length=1,
        description="Claim that says who may do what: a text or a list of texts. `a.b` is `b` inside of `a`, unless a "
        "claim has that very name.",
    )
    oidc_roles: Annotated[tuple[RoleRule, ...], NoDecode] = Field(
        default=(),
        description="What a value of that claim gives: `datos-operacion=operador,datos-usuarios=cliente`. The higher "
        "role wins; who has none of the values is not let in.",
    )
    oidc_trust_email: bool = Field(
        default=False,
        description="1: the provider's `email` counts without `email_verified`. Only where nobody can choose the "
        "address there: who has it sees the shares of it.",
    )
    oidc_name: str | None = Field(
        default=None,
        max_length=60,
        description="What the portal's button calls the provider. Default: the account of your institution, in words.",
    )
    oidc_ca: Path | None = Field(
        default=None,
        description="PEM file of the authority that signed the provider's certificate. Default: those that the system "
        "trusts.",
    )
    oidc_timeout_seconds: float = Field(
        default=5, gt=0, le=30, description="Most seconds that one call to the provider may take."
    )
    api_threads: int = Field(default=8, ge=1, le=256, description="Threads that answer HTTP requests.")
    max_body_bytes: int = Field(
        default=16384, ge=256, description="Most bytes of a request body; more is 413."
    )
    rate_writes: str = Field(
        default="300/10second,1200/minute",
        description="How much one token or mapped address may POST, PATCH and DELETE; more is 429.",
    )
    rate_reads: str = Field(
        default="12000/minute",
        description="How much it may GET; enough for hundreds of shares that are polled.",
    )
    rate_strangers: str = Field(
        default="120/minute", description="How much an address may ask that sends no valid token, all in all."
    )
    rate_links: str = Field(
        default="10/minute,60/hour",
        description="How much may be asked for (POST) through one recipient's link, whoever follows it.",
    )
    rate_storage: SecretStr | None = Field(
        default=None,
        description="Redis (`redis://…`) in which all API processes count this together. Default: each process counts "
        "for itself, in memory, which is right for the one process of an ordinary installation.",
    )
    queue_url: SecretStr | None = Field(
        default=None,
        description="Redis (`redis://…`) through which the API wakes workers on other machines. Default: a socket in "
        "`TEMPOFTP_STATE_DIR`; a worker elsewhere then finds what is due within `TEMPOFTP_RECONCILE_SECONDS`.",
    )
    public_url: str | None = Field(
        default=None,
        description="Address of the service as recipients reach it (`https://datos.example.org`): what links in mails "
        "begin with, and where a provider of identities sends people back to; `http://` only with "
        "`TEMPOFTP_PLAIN_HTTP`. Default: mails have no link.",
    )
    link_days: int = Field(
        default=90,
        ge=1,
        description="Days for which a recipient's link is valid, if its share lives so long.",
    )
    notice_language: Literal["es", "en"] = Field(
        default="es", description="Language of the mails: `es` or `en`."
    )
    notice_before_hours: float = Field(
        default=24,
        ge=0,
        description="Hours before its end at which the requester of a share that was not fetched completely is "
        "reminded, but not in the first half of its life; 0: nobody is.",
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
    smtp_user: str | None = Field(default=None, description="Login there, if it wants one.")
    smtp_password: SecretStr | None = Field(default=None, description="The password of that login.")
    smtp_from: str | None = Field(
        default=None,
        description="Address that the mails come from: `tempoftp@example.org` or `Name <tempoftp@example.org>`. "
        "Required with a mail server.",
    )
    operator_email: str | None = Field(
        default=None,
        description="Address that is told by mail when a recipient asks for more days; for several people the "
        "address of a list. Default: nobody is.",
    )
    webhooks_file: Path | None = Field(
        default=None,
        description="YAML file with the addresses that are told of notices over HTTP, each with its secret. "
        "Default: nobody is.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level of what goes to the journal: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="`json`: one JSON object a line, for whatever collects logs; `text`: the same for people.",
    )
    rsync_ssh_user: str = Field(
        default="lanotadm",
        validation_alias=AliasChoices("RSYNC_SSH_USER"),
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="ssh user for sources of the sources file that name none.",
    )
    local_method: Literal["auto", "copy", "reflink", "bind"] = Field(
        default="auto",
        description="How sources on the FTP host itself are delivered unless the sources file says it: `auto` "
        "(`reflink` where the filesystem can, else `copy`), `copy`, `reflink`, or `bind` (mounted read-only: it "
        "changes with its source).",
    )
    reuse_copies: bool = Field(
        default=False,
        description="1: a share takes by hard links what another one of the same source has already and has not "
        "changed. The sources file may say it for each source.",
    )
    checksums: bool = Field(
        default=False,
        description="1: shares get a file `SHA256SUMS`. The sources file may say it for each source.",
    )
    ftp_db_host: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_HOST"),
        description="MariaDB/MySQL of pure-ftpd as seen from the FTP host. Default: "
        "`/etc/tempoftp/mysql.cnf` there; that file keeps the password off the wire and is the better place.",
    )
    ftp_db_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("FTP_DB_PORT"),
        description="Its port.",
    )
    ftp_db_user: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_USER"),
        description="Its login for tempoftp's modules.",
    )
    ftp_db_pass: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("FTP_DB_PASS"), description="The password of that login."
    )
    ftp_db_name: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_NAME"),
        description="The database with the users table.",
    )

    @field_validator("ftp_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("encryption_key")
    @classmethod
    def _check_keys(cls, value: SecretStr) -> SecretStr:
        keys = [key.strip() for key in value.get_secret_value().split(",") if key.strip()]
        if not keys:
            raise ValueError("is empty; make a key with `tempoftp key new`")
        for key in keys:
            try:
                Fernet(key)
            except ValueError:
                raise ValueError("is not a Fernet key; make one with `tempoftp key new`") from None
        return value

    @field_validator("address_roles", mode="before")
    @classmethod
    def _split_address_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        entries = tuple(_parse_address_role(entry) for entry in value.split(",") if entry.strip())
        if len({entry.network for entry in entries}) < len(entries):
            raise ValueError("names an address or network twice")
        return entries

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

    @field_validator("rate_writes", "rate_reads", "rate_strangers", "rate_links")
    @classmethod
    def _check_rate(cls, value: str) -> str:
        from limits import parse_many

        try:
            parse_many(value)
        except ValueError:
            raise ValueError(f"must look like 300/10second,1200/minute, not {value!r}") from None
        return value

    @field_validator("rate_storage", "queue_url")
    @classmethod
    def _check_redis(cls, value: SecretStr | None) -> SecretStr | None:
        schemes = ("redis://", "rediss://", "redis+unix://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError("must begin with redis://, rediss:// or redis+unix://")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://datos.example.org, without query or fragment")
        return value.rstrip("/")

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

    @field_validator("bind")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if value != "localhost":
            ipaddress.ip_address(value)
        return value

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if not self.lifetime_min <= self.lifetime_default <= self.lifetime_max:
            raise ValueError("TEMPOFTP_LIFETIME_MIN <= LIFETIME_DEFAULT <= LIFETIME_MAX does not hold")
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("TEMPOFTP_HEARTBEAT_SECONDS must be less than TEMPOFTP_LEASE_SECONDS")
        if not self.simulacro and not self.ftp_hosts:
            raise ValueError("TEMPOFTP_FTP_HOSTS is required (or TEMPOFTP_SIMULACRO=1)")
        return self

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("TEMPOFTP_TLS_CERTIFICATE and TEMPOFTP_TLS_KEY go together")
        if self.is_loopback_only:
            return self
        if self.auth == "none":
            raise ValueError("TEMPOFTP_AUTH=none needs a loopback TEMPOFTP_BIND: others could do everything")
        if self.tls_certificate is None and not self.trusted_proxies and not self.plain_http:
            raise ValueError(
                f"TEMPOFTP_BIND={self.bind} is no loopback address: give TEMPOFTP_TLS_CERTIFICATE and "
                "TEMPOFTP_TLS_KEY; or TEMPOFTP_TRUSTED_PROXIES=1 for a proxy that speaks TLS; or TEMPOFTP_PLAIN_HTTP=1"
            )
        return self

    @model_validator(mode="after")
    def _check_links(self) -> Self:
        parts = urlsplit(self.public_url or "https:")
        if parts.scheme == "http" and not self.plain_http and not _is_loopback(parts.hostname or ""):
            raise ValueError(
                "TEMPOFTP_PUBLIC_URL must begin with https://: who reads a link on its way can log in with it; or "
                "TEMPOFTP_PLAIN_HTTP=1 says that the network may read along"
            )
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("TEMPOFTP_SMTP_HOST needs TEMPOFTP_SMTP_FROM")
        if self.operator_email is not None and self.smtp_host is None:
            raise ValueError("TEMPOFTP_OPERATOR_EMAIL needs TEMPOFTP_SMTP_HOST")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("TEMPOFTP_SMTP_USER and TEMPOFTP_SMTP_PASSWORD go together")
        if self.smtp_user is not None and self.smtp_tls == "none" and not _is_loopback(self.smtp_host or ""):
            raise ValueError("TEMPOFTP_SMTP_TLS=none would send the password in clear: use starttls or tls")
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

    @property
    def is_loopback_only(self) -> bool:
        """Whether only this machine reaches the API's port."""
        return _is_loopback(self.bind)

    @property
    def ftp_host_names(self) -> tuple[str, ...]:
        """The FTP hosts to deliver to; in a simulation without names, one simulated host."""
        return self.ftp_hosts or (SIMULATED_FTP_HOST,)

    @property
    def sqlalchemy_url(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.state_dir / 'tempoftp.sqlite3'}"

    def list_keys(self) -> list[str]:
        """Return the keys in their order: the first encrypts and signs, all decrypt and verify."""
        keys = self.encryption_key.get_secret_value().split(",")
        return [key.strip() for key in keys if key.strip()]

    def build_fernets(self) -> list[Fernet]:
        """Return what encrypts and decrypts with each of the keys, in their order."""
        return [Fernet(key) for key in self.list_keys()]

    def build_fernet(self) -> MultiFernet:
        """Return what encrypts with the first key and decrypts with all of them."""
        return MultiFernet(self.build_fernets())


def parse_sender(value: str) -> tuple[str, str]:
    """Return name and address of `Name <local@domain>` or `local@domain`. Raises ValueError."""
    name, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or not value.isprintable() or not address.isascii():
        raise ValueError("must look like tempoftp@example.org or Name <tempoftp@example.org>")
    return name, address


def is_safe_url(value: str) -> bool:
    """Whether what goes there cannot be read on the way: https, or http that stays on this machine."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or not value.isascii() or not value.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse_address_role(entry: str) -> AddressRole:
    network, _, role = (part.strip() for part in entry.partition("="))
    if role not in ("cliente", "operador"):
        raise ValueError(
            f"must be ADDRESS=cliente or ADDRESS=operador, separated by commas, not {entry.strip()!r}"
        )
    return AddressRole(ipaddress.ip_network(network), role)  # type: ignore[arg-type]  # one of the two


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
