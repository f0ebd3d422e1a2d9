# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts below a directory: deletion must never reach through one."""

from __future__ import annotations

import os
import re
from pathlib import Path

_OCTAL = re.compile(rb"\\([0-7]{3})")


def parse_mountinfo(content: bytes) -> list[str]:
    """Return the mount points of ``/proc/self/mountinfo``; the kernel writes blanks and backslashes as octal."""
    points = []
    for line in content.splitlines():
        fields = line.split(b" ")
        if len(fields) > 4:
            points.append(os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4])))
    return points


def list_mounts_below(path: Path) -> list[str]:
    """Return the mount points at or below *path*, deepest first."""
    own = str(path.resolve())
    prefix = own.rstrip("/") + "/"
    points = parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())
    return sorted(
        (point for point in points if point == own or point.startswith(prefix)), key=len, reverse=True
    )
