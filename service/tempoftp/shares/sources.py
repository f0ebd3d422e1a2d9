"""The allow-list of sources: hosts, folders, and the ssh user of each.

The `ruta` of a client is checked here before any process starts. The result is one canonical spelling, with an
absolute path below a folder that the operator's file allows.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from tempoftp.refusals import InvalidSource, SourceNotAllowed
from tempoftp.settings import Settings, SettingsError
from tempoftp.settings.yaml_files import DuplicateKeyError, read_yaml

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_RUTA = re.compile(rf"(?:(?P<user>[A-Za-z_][A-Za-z0-9_-]{{0,31}})@)?(?P<host>{_HOST}):(?P<path>/[^\n]*)")
_GLOB = re.compile(r"[*?\[\]{}\\]")
MAX_PATH_BYTES = 4095
MAX_COMPONENT_BYTES = 255

Method = Literal["auto", "rsync", "copy", "reflink", "bind"]
LOCAL_METHODS = ("auto", "copy", "reflink", "bind")
REMOTE_METHODS = ("auto", "rsync")
HostName = Annotated[str, StringConstraints(pattern=rf"^{_HOST}$")]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]


class SourceRoot(BaseModel):
    """A folder of a source below which shares may be asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    path: str
    restricted: bool = True
    ssh_key_file: str | None = None

    @field_validator("path")
    @classmethod
    def _check_path(cls, value: str) -> str:
        plain = value.rstrip("/")
        if not plain.startswith("/") or _normalise_path(plain) != plain:
            raise ValueError("must be a normalised absolute path that is not /")
        return plain


class Source(BaseModel):
    """One source host of the allow-list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aliases: list[HostName] = Field(default_factory=list)
    ssh_user: UserName | None = None
    local: bool = False
    size_probe: Literal["rsync", "du"] = "rsync"
    method: Method | None = None
    reuse: bool | None = None
    checksums: bool | None = None
    roots: Annotated[list[SourceRoot], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse combinations that the module on the FTP host would refuse for every share."""
        allowed = LOCAL_METHODS if self.local else REMOTE_METHODS
        wrong = []
        if self.method not in (None, *allowed):
            place = "on the FTP host itself (local)" if self.local else "read over ssh"
            wrong.append(f"method {self.method} is none for a source {place}: {', '.join(allowed)}")
        if self.local and self.size_probe != "rsync":
            wrong.append("size_probe of a local source is rsync")
        if self.method == "bind" and self.checksums:
            wrong.append("a bind is the source itself: checksums would change with it")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class SourcesFile(BaseModel):
    """The sources file (`TEMPOFTP_SOURCES_FILE`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[HostName, Source]


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """A `ruta` that was accepted. `canonical` (`user@name:/path`) is the only spelling that is stored."""

    canonical: str
    name: str
    path: str
    root: str
    ssh_user: str
    ssh_key_file: str | None
    size_probe: str
    restricted: bool
    local: bool
    method: str
    reuse: bool
    checksums: bool


@dataclass(frozen=True, slots=True)
class AllowedRoot:
    """A folder below which sources may be requested, for a person to choose from."""

    host: str
    path: str
    local: bool


@dataclass(frozen=True, slots=True)
class SourceDefaults:
    """The settings for sources that the file does not configure."""

    ssh_user: str
    local_method: str = "auto"
    reuse: bool = False
    checksums: bool = False


class SourceCatalogue:
    """The contents of the sources file, for look-ups."""

    def __init__(self, content: SourcesFile, defaults: SourceDefaults) -> None:
        self._defaults = defaults
        self._by_host: dict[str, tuple[str, Source]] = {
            host.lower(): (name, source)
            for name, source in content.sources.items()
            for host in (name, *source.aliases)
        }

    def list_roots(self) -> list[AllowedRoot]:
        """Return every folder below which shares may be asked for, in the order of the file."""
        entries = {name: source for name, source in self._by_host.values()}
        return [
            AllowedRoot(name, root.path, source.local)
            for name, source in entries.items()
            for root in source.roots
        ]

    def join_typed(self, origin: str, typed: str) -> str:
        """Return the `ruta` that a person means who chose `origin` (`host:/root`) and typed a path below it.

        Many paste the full path, or the whole `ruta`: what lies below a root of the chosen host, or names a host of the
        file, is taken as it is. Anything else is below `origin`, also with a slash before it.
        """
        found = _RUTA.fullmatch(typed.strip())
        if found is not None and found["host"].lower() in self._by_host:
            return typed.strip()
        host, _colon, _root = origin.partition(":")
        path = _normalise_path(typed) if typed.startswith("/") else ""
        _name, source = self._by_host.get(host.lower(), ("", None))
        if path and source is not None and _find_root(source, path) is not None:
            return f"{host}:{path}"
        below = typed.strip("/")
        return f"{origin}/{below}" if below else origin

    def resolve_source(self, ruta: str) -> ResolvedSource:
        """Return the canonical source of a `ruta`.

        Raises InvalidSource when it is malformed, SourceNotAllowed when it is off the allow-list.
        """
        user, host, path = parse_ruta(ruta)
        if host.lower() not in self._by_host:
            raise SourceNotAllowed("source_not_allowed", host=host)
        name, source = self._by_host[host.lower()]
        ssh_user = source.ssh_user or self._defaults.ssh_user
        if user is not None and user != ssh_user:
            raise SourceNotAllowed("source_user_not_allowed", host=name, user=ssh_user)
        root = _find_root(source, path)
        if root is None:
            roots = [entry.path for entry in source.roots]
            raise SourceNotAllowed("source_path_not_allowed", path=path, host=name, roots=roots)
        method = source.method or (self._defaults.local_method if source.local else "auto")
        checksums = self._defaults.checksums if source.checksums is None else source.checksums
        return ResolvedSource(
            canonical=f"{ssh_user}@{name}:{path}",
            name=name,
            path=path,
            root=root.path,
            ssh_user=ssh_user,
            ssh_key_file=None if source.local else root.ssh_key_file,
            size_probe=source.size_probe,
            restricted=root.restricted and not source.local,
            local=source.local,
            method=method,
            reuse=self._defaults.reuse if source.reuse is None else source.reuse,
            checksums=checksums and method != "bind",
        )


def parse_ruta(ruta: str) -> tuple[str | None, str, str]:
    """Split a `ruta` into user (or None), host and normalised path. Raises InvalidSource."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in ruta):
        raise InvalidSource("source_control_characters")
    found = _RUTA.fullmatch(ruta)
    if found is None or ".." in found["host"]:
        raise InvalidSource("source_malformed")
    path = found["path"]
    if _GLOB.search(path):
        raise InvalidSource("source_has_wildcards")
    if ".." in path.split("/"):
        raise InvalidSource("source_has_parent")
    parts = path.split("/")
    if len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_COMPONENT_BYTES for part in parts):
        raise InvalidSource("source_too_long")
    normal = _normalise_path(path)
    if not normal:
        raise InvalidSource("source_is_root")
    return found["user"], found["host"], normal


def read_sources(settings: Settings) -> SourceCatalogue:
    """Return the catalogue of the sources file, read again when the file has changed.

    Raises SettingsError when it cannot be read or is not valid.
    """
    path = settings.sources_file
    try:
        status = path.stat()
    except OSError as error:
        raise SettingsError(f"sources file {path}: {error.strerror}; set TEMPOFTP_SOURCES_FILE") from None
    defaults = SourceDefaults(
        settings.rsync_ssh_user, settings.local_method, settings.reuse_copies, settings.checksums
    )
    return _read_catalogue(path, status.st_mtime_ns, status.st_size, defaults)


@lru_cache(maxsize=4)
def _read_catalogue(path: Path, _mtime_ns: int, _size: int, defaults: SourceDefaults) -> SourceCatalogue:
    return SourceCatalogue(read_sources_file(path), defaults)


def read_sources_file(path: Path) -> SourcesFile:
    """Read and check a sources file. Raises SettingsError with every mistake, each with its place."""
    try:
        raw = read_yaml(path)
    except OSError as error:
        raise SettingsError(
            f"sources file {path}: {error.strerror or error}; set TEMPOFTP_SOURCES_FILE"
        ) from None
    except DuplicateKeyError as error:
        raise SettingsError(f"sources file {path}: {error}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"sources file {path} cannot be read: {reason}") from None
    mistakes = []
    try:
        content = SourcesFile.model_validate(raw)
    except ValidationError as error:
        for part in error.errors(include_input=False, include_url=False):
            place = ".".join(str(step) for step in part["loc"])
            mistakes.append(f"{place}: {str(part['msg']).removeprefix('Value error, ')}")
    mistakes += _find_twins(raw)
    if mistakes:
        raise SettingsError(*(f"sources file {path}: {mistake}" for mistake in mistakes))
    return content


def _find_twins(raw: object) -> list[str]:
    """Return the names that stand for two sources, also of a file that has other mistakes."""
    sources = raw.get("sources") if isinstance(raw, dict) else None
    found, taken = [], dict[str, str]()
    for name, source in sources.items() if isinstance(sources, dict) else ():
        aliases = source.get("aliases") if isinstance(source, dict) else None
        for host in (name, *(aliases if isinstance(aliases, list) else ())):
            first = taken.setdefault(str(host).lower(), str(name))
            if first != str(name):
                found.append(f"{host} names both {first} and {name}")
    return found


def _normalise_path(path: str) -> str:
    """Return the path without doubled or trailing slashes and `.`; empty for the root itself."""
    return "/" + posixpath.normpath(path).lstrip("/") if posixpath.normpath(path).strip("/") else ""


def _find_root(source: Source, path: str) -> SourceRoot | None:
    """Return the deepest root that is the path or contains it."""
    fitting = [root for root in source.roots if path == root.path or path.startswith(root.path + "/")]
    return max(fitting, key=lambda root: len(root.path), default=None)
