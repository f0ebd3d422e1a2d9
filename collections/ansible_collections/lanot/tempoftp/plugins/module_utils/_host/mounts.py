# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts below a directory: a deletion must never cross one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of ``/proc/self/mountinfo``."""

    point: str
    read_only: bool


def parse_mounts(content: bytes) -> list[Mount]:
    """Return the mounts of ``/proc/self/mountinfo``; the kernel writes spaces and backslashes as octal numbers."""
    mounts = []
    for line in content.splitlines():
        fields = line.split(b" ")
        if len(fields) > 5:
            point = os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4]))
            mounts.append(Mount(point, b"ro" in fields[5].split(b",")))
    return mounts


def parse_mountinfo(content: bytes) -> list[str]:
    """Return the mount points of ``/proc/self/mountinfo``."""
    return [mount.point for mount in parse_mounts(content)]


def read_mounts() -> list[Mount]:
    """Return the mounts of this process' namespace; when a point has several, the last one is on top."""
    return parse_mounts(Path("/proc/self/mountinfo").read_bytes())


def list_mounts_below(path: Path) -> list[str]:
    """Return the mount points at or below *path*, deepest first."""
    own = str(path.resolve())
    prefix = own.rstrip("/") + "/"
    points = [mount.point for mount in read_mounts()]
    return sorted(
        (point for point in points if point == own or point.startswith(prefix)), key=len, reverse=True
    )
