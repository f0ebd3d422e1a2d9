# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the delivery root is the disk that tempoftp was set up on, and not the empty folder below its mount point.

The role ftp_server writes a random id twice: into a marker below the root, and into ``server.json`` on the system disk.
Only while both are there and equal is anything below the root believed or changed. The marker is a file and not the
UUID of the filesystem: it follows the data when a disk is replaced, and every filesystem can hold it.
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path
from typing import NamedTuple, Optional

from .errors import RootMissingError, TempoftpError
from .files import SCHEMA, read_json, write_json

STATE_DIRECTORY = ".tempoftp"
_ID = re.compile(r"[0-9a-f]{32}")


class Record(NamedTuple):
    """Which root this host delivers from, and the id in its marker."""

    path: str
    id: str


class Established(NamedTuple):
    """The id of a root, and whether its marker was, or would be, written."""

    id: str
    written: bool


def find_server_file() -> Path:
    """Return the file in which the role ftp_server describes this host."""
    return Path(os.environ.get("TEMPOFTP_CONFIGURATION_DIRECTORY", "/etc/tempoftp")) / "server.json"


def find_marker(root: Path) -> Path:
    """Return the path of the marker below a root."""
    return root / STATE_DIRECTORY / "root.json"


def check_root(root: Path) -> None:
    """Raise RootMissingError unless the marker below *root* has the id that this host has recorded."""
    record, marker = read_record(), read_marker(root)
    if record is None or record.path != os.path.normpath(root):
        where = f"{find_server_file()} names {record.path if record else 'no delivery root'}"
        raise RootMissingError(f"{root} is not used: {where}: run the role ftp_server")
    if marker is None:
        raise _explain(root, f"{find_marker(root)} is missing")
    if marker != record.id:
        raise _explain(root, f"{find_marker(root)} is of another disk")


def read_record() -> Optional[Record]:
    """Return what this host has recorded of its root, or None; raise RootMissingError when it cannot be read."""
    path = find_server_file()
    try:
        content = (read_json(path) or {}).get("root")
    except (OSError, TempoftpError) as error:
        raise RootMissingError(f"{path} cannot be read ({error}): run the role ftp_server") from None
    if not isinstance(content, dict):
        return None
    recorded, identity = content.get("path"), content.get("id")
    if not isinstance(recorded, str) or not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None
    return Record(os.path.normpath(recorded), identity)


def read_marker(root: Path) -> Optional[str]:
    """Return the id in the marker of *root*, or None without one; raise RootMissingError when it cannot be read."""
    path = find_marker(root)
    try:
        content = read_json(path) or {}
    except NotADirectoryError:
        return None
    except (OSError, TempoftpError) as error:
        raise _explain(root, f"{path} cannot be read ({error})") from None
    identity = content.get("id")
    return identity if isinstance(identity, str) and _ID.fullmatch(identity) else None


def establish_root(root: Path, new: bool = False, check_mode: bool = False) -> Established:
    """Return the id of *root*, with a marker for a root that has none.

    A root that this host has recorded must still be there: raise RootMissingError when its marker is missing or
    another one, unless the disk is *new* on purpose.
    """
    record, marker = read_record(), read_marker(root)
    if record is not None and record.path == os.path.normpath(root) and marker != record.id and not new:
        found = "is missing" if marker is None else "is of another disk"
        raise RootMissingError(
            f"{find_marker(root)} {found}: mount the disk of {root}. If the disk was replaced on purpose and what was "
            "on the old one is gone, set tempoftp_root_is_new"
        )
    if marker is not None:
        return Established(marker, False)
    identity = uuid.uuid4().hex
    if not check_mode:
        state = root / STATE_DIRECTORY
        state.mkdir(mode=0o700, exist_ok=True)
        write_json(find_marker(root), {"schema": SCHEMA, "id": identity})
    return Established(identity, True)


def _explain(root: Path, why: str) -> RootMissingError:
    return RootMissingError(
        f"the disk of {root} is not there ({why}): mount it (findmnt {root}); nothing was changed on this host, and "
        "everything goes on by itself when it is back"
    )
