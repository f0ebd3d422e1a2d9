"""The address, token and key of the client commands: from the environment, the user's file or the machine's file.

A file is TOML with `url`, `token` and `encryption_key`; each may be missing. A file with a secret that everybody may
read is refused, as ssh refuses such a key.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tempoftp.cli.exits import BadSetting

DEFAULT_URL = "http://127.0.0.1:9043"
SYSTEM_FILE = Path("/etc/tempoftp/config.toml")
VARIABLES = {"url": "TEMPOFTP_URL", "token": "TEMPOFTP_TOKEN", "encryption_key": "TEMPOFTP_ENCRYPTION_KEY"}
SECRETS = frozenset({"token", "encryption_key"})


@dataclass(frozen=True, slots=True)
class Value:
    """A value and where it was found, in words that a person can follow."""

    text: str
    origin: str


class ClientConfig:
    """The configuration of one command. Files are read only for a value that the environment does not have."""

    def find(self, name: str) -> Value | None:
        """Return `url`, `token` or `encryption_key`; None when it is nowhere. Raises BadSetting for a bad file."""
        given = os.environ.get(VARIABLES[name])
        if given:
            return Value(given, VARIABLES[name])
        for path, values in self._files:
            if name in values:
                return Value(values[name], str(path))
        return Value(DEFAULT_URL, "default") if name == "url" else None

    @cached_property
    def _files(self) -> list[tuple[Path, dict[str, str]]]:
        return [(path, values) for path in list_files() if (values := read_file(path)) is not None]


def list_files() -> tuple[Path, Path]:
    """Return the user's file and the machine's file. The first one that has a value wins."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "tempoftp" / "config.toml", SYSTEM_FILE


def read_file(path: Path) -> dict[str, str] | None:
    """Return a file's values; None when there is none. Raises BadSetting when it cannot be used."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            values = tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        # The machine's file may be meant for others. The user's own file has a mistake that must not be passed over.
        if path == SYSTEM_FILE:
            return None
        raise BadSetting(f"{path} cannot be read: permission denied") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise BadSetting(f"{path} is not TOML: {error}") from error
    unknown = sorted(set(values) - set(VARIABLES))
    if unknown:
        raise BadSetting(f"{path}: {', '.join(unknown)} is unknown; there are {', '.join(VARIABLES)}")
    if not all(isinstance(value, str) for value in values.values()):
        raise BadSetting(f'{path}: values are texts in quotes, as in token = "…"')
    if SECRETS & set(values) and mode & stat.S_IROTH:
        raise BadSetting(f"{path} holds a secret and everybody may read it: chmod 600 {path}")
    return values
