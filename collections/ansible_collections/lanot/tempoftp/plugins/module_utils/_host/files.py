# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's own files below the root: JSON objects that are replaced in one step, and checks when they are read.

A reader never sees half a file. A durable write also survives a power loss.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any, Optional

from .._host.errors import TempoftpError

SCHEMA = 1


def check_schema(content: dict[str, Any], path: Path) -> None:
    """Raise TempoftpError for a file whose schema is another release's."""
    if content.get("schema") != SCHEMA:
        raise TempoftpError(
            f"{path} has schema {content.get('schema')!r}, this release knows {SCHEMA}: upgrade it"
        )


def build_damaged(path: Path) -> TempoftpError:
    """Return the error of a file that cannot be read."""
    return TempoftpError(f"{path} is damaged: look at it, then move it away")


def read_json(path: Path) -> Optional[dict[str, Any]]:
    """Return the object in a JSON file, or None when there is no file; raise TempoftpError when it is damaged."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        content = json.loads(text)
    except ValueError:
        raise build_damaged(path) from None
    if not isinstance(content, dict):
        raise build_damaged(path)
    return content


def write_json(path: Path, content: dict[str, Any], durable: bool = True) -> None:
    """Replace a file in one step, 0600. *durable*: it also survives a power loss (costs two fsyncs)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            json.dump(content, stream, sort_keys=True)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        # Most likely the disk is full: then the temporary file must not stay.
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_folder(folder: Path, limit: Optional[int] = None) -> list[str]:
    """Return the names in a folder, sorted, at most *limit* of them; none when the folder is missing."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in itertools.islice(entries, limit))
    except FileNotFoundError:
        return []


def list_names(directory: Path) -> list[str]:
    """Return the names of the JSON files in a directory, sorted; none when it is missing."""
    return [name for name in list_folder(directory) if name.endswith(".json") and name[0] != "."]


def delete_file(path: Path) -> None:
    """Remove a file durably; no error when it is missing."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_directory(path.parent)


def read_text(content: dict[str, Any], key: str) -> Optional[str]:
    """Return the text under a key; None when it is missing or not a text."""
    value = content.get(key)
    return value if isinstance(value, str) else None


def is_generation(value: Any) -> bool:
    """Whether a value is a generation: a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
