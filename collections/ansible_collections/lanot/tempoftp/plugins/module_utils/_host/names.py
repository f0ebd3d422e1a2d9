# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strict parsing of names that come from outside: ids, FTP accounts, sources.

A valid name becomes a file name, a unit name or an rsync operand. So only listed characters are allowed, and what
rsync, ssh, systemd or a shell could interpret is refused instead of quoted.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .errors import InvalidValueError

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
# Words that have the same position as an id in a path of the API.
RESERVED_IDS = frozenset({"auditoria", "expired", "user", "vista_previa"})
FTPUSER_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}"
_SSH_USER_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]{0,31}"
_HOST_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_SOURCE = re.compile(
    rf"(?:(?P<user>{_SSH_USER_PATTERN})@)?(?P<host>{_HOST_PATTERN}):(?P<path>/.*)", re.DOTALL
)
_LOOPBACK = re.compile(r"localhost(?:\..*)?|127\.[0-9.]*|0(?:\.0)*|.*\.localhost", re.IGNORECASE)
# rsync expands these on the source even with --secluded-args.
_GLOB_CHARACTERS = frozenset("*?[]\\")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PATH_LIMIT = 1024  # bytes; far below PATH_MAX, so that the staging prefix always fits in front


class Source(NamedTuple):
    """The parts of ``user@host:/path``; *user* is empty when the source has none."""

    user: str
    host: str
    path: str


def parse_id(value: str) -> str:
    """Return *value* when it is a share id; else raise InvalidValueError."""
    if not isinstance(value, str) or not re.fullmatch(ID_PATTERN, value):
        raise InvalidValueError(f"id {_show(value)} is refused: it must match ^{ID_PATTERN}$")
    if value in RESERVED_IDS:
        raise InvalidValueError(f"id {value!r} is a reserved word: choose another one")
    return value


def parse_ftpuser(value: str) -> str:
    """Return *value* when it is a valid name for an FTP account and its home; else raise InvalidValueError."""
    if not isinstance(value, str) or not re.fullmatch(FTPUSER_PATTERN, value):
        raise InvalidValueError(f"account name {_show(value)} is refused: it must match ^{FTPUSER_PATTERN}$")
    return value


def parse_ssh_user(value: str) -> str:
    """Return *value* when it is a login name; else raise InvalidValueError."""
    if not isinstance(value, str) or not re.fullmatch(_SSH_USER_PATTERN, value):
        raise InvalidValueError(f"ssh_user {_show(value)} is refused: it must match ^{_SSH_USER_PATTERN}$")
    return value


def parse_source(value: str) -> Source:
    """Parse ``host:/path`` or ``user@host:/path``; raise InvalidValueError for every other form."""
    match = _SOURCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError(f"source {_show(value)} is refused: write host:/path or user@host:/path")
    host = match["host"]
    if _LOOPBACK.fullmatch(host):
        raise InvalidValueError(
            f"source {_show(value)} is refused: {host} is the FTP host itself, name a source host"
        )
    return Source(match["user"] or "", host, parse_path(match["path"], "source"))


def parse_path(value: str, name: str) -> str:
    """Return an absolute, normalised path below ``/`` (a trailing slash is dropped)."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise InvalidValueError(f"{name} {_show(value)} is refused: its path must be absolute")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in value):
        raise InvalidValueError(f"{name} {_show(value)} is refused: its path has control characters")
    globs = sorted(_GLOB_CHARACTERS.intersection(value))
    if globs:
        raise InvalidValueError(f"{name} {_show(value)} is refused: rsync would expand {' '.join(globs)}")
    path = value[:-1] if value.endswith("/") else value
    parts = path.split("/")[1:]
    if not parts or any(part in ("", ".", "..") for part in parts):
        raise InvalidValueError(f"{name} {_show(value)} is refused: its path has //, . or ..")
    if len(value.encode()) > _PATH_LIMIT:
        raise InvalidValueError(
            f"{name} {_show(value)} is refused: its path is longer than {_PATH_LIMIT} bytes"
        )
    return path


def parse_source_root(value: str) -> str:
    """Return the directory to which a key is restricted; it may be ``/``."""
    return "/" if value == "/" else parse_path(value, "source_root")


def is_below(path: str, folder: str) -> bool:
    """Whether a normalised path is below a folder."""
    return path.startswith(folder if folder == "/" else folder + "/")


def relativize_path(path: str, source_root: str) -> str:
    """Return *path* relative to *source_root* (``.`` for the root itself); or raise InvalidValueError."""
    if path == source_root:
        return "."
    if not is_below(path, source_root):
        raise InvalidValueError(
            f"source path {_show(path)} is refused: not below source_root {_show(source_root)}"
        )
    return path[len(source_root.rstrip("/")) + 1 :]


def _show(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 200 else text[:200] + "…"


# Names that no recipient can fetch, as a pattern of rsync's filters and of find: pure-ftpd lists no name with a control
# character, and opens none with a backslash.
UNFETCHABLE = r"*[[:cntrl:]\\]*"
_UNFETCHABLE = re.compile(rb"[\x00-\x1f\x7f\\]")
# What `show_name` escapes: bytes that are not UTF-8, control characters, a backslash that would look like an escape.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]|\\(?=x[0-9a-f]{2})")


def is_fetchable(name: bytes) -> bool:
    """Whether a recipient can fetch a file of this name (or path) by FTP."""
    return _UNFETCHABLE.search(name) is None


def decode_name(name: bytes) -> str:
    """Return a file name as text that `encode_name` turns back into the same bytes. It may be no valid Unicode."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Return the bytes of a name on the disk."""
    return name.encode("utf-8", "surrogateescape")


def show_name(name: str) -> str:
    r"""Return a name as every result shows it: valid Unicode, with each byte that is not UTF-8 as ``\xHH``.

    Control characters are written in the same way, and so is a backslash that stands before ``xHH``: no two names are
    shown alike.
    """
    return _ESCAPED.sub(lambda found: f"\\x{encode_name(found[0])[0]:02x}", name)
