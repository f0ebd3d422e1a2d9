# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``status.json``: the copier's last word about one share. No status means not done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._host.errors import CLASSES, TempoftpError
from .._host.files import read_json, write_json
from .facts import fill_facts, parse_facts

RUNNING_PHASES = ("probing", "copying", "verifying")
PHASES = (*RUNNING_PHASES, "done", "failed")


class Status(NamedTuple):
    """How far a copy is. Sizes in bytes, ``rate`` in bytes/s, ``durations`` in seconds by phase.

    ``need_bytes`` and ``need_inodes`` are what this copy will still take from the filesystem. ``inode`` is that of
    the finished data directory: it stays the same through the rename into the home, and tells ours from others'.
    ``facts``: what the copier found out, by the names of ``facts.FACTS``; in the file each is a key of its own.
    ``reported``: a failure was told to a caller, so the next wish starts the copy again.
    """

    generation: int
    boot_id: str
    phase: str = "probing"
    bytes_total: Optional[int] = None
    bytes_done: int = 0
    files_total: Optional[int] = None
    files_done: int = 0
    need_bytes: int = 0
    need_inodes: int = 0
    rate: int = 0
    rc: Optional[int] = None
    error_class: Optional[str] = None
    message: Optional[str] = None
    skipped: tuple[str, ...] = ()
    skipped_total: int = 0
    durations: dict[str, float] = {}  # never changed in place
    passes: int = 0
    inode: Optional[int] = None
    reported: bool = False
    facts: dict[str, str] = {}  # never changed in place

    @property
    def final(self) -> bool:
        """Whether the copier has ended on its own."""
        return self.phase in ("done", "failed")


def read_status(path: Path) -> Optional[Status]:
    """Return the status, or None when there is none, or none that can be read (then the copy is simply redone)."""
    try:
        content = read_json(path)
    except TempoftpError:
        return None
    return None if content is None else parse_status(content)


def parse_status(content: dict[str, Any]) -> Optional[Status]:
    """Check what was read; None when it is not a status of this release."""
    values = {key: content[key] for key in Status._fields if key in content}
    values["facts"] = parse_facts(content)
    try:
        status = Status(**{**values, "skipped": tuple(values.get("skipped", ()))})
        numbers = (status.generation, status.bytes_done, status.files_done, status.rate, status.skipped_total)
        sound = all(isinstance(number, int) for number in numbers) and status.phase in PHASES
    except TypeError:
        return None
    if not sound or (status.phase == "failed" and status.error_class not in CLASSES):
        return None
    return status


def write_status(path: Path, status: Status) -> None:
    """Replace the status in one step. Not fsynced: what a power loss takes is only copied again."""
    content = status._asdict()
    write_json(path, {**content, **fill_facts(content.pop("facts"))}, durable=False)
