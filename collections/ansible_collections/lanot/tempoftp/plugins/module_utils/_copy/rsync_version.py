# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rsync this host has: older ones do not know every option."""

from __future__ import annotations

import re

from .._host.commands import run_command
from .rsync import ESCAPES_SINCE

_LIMIT = 20.0


def read_rsync_version() -> tuple[int, ...]:
    """Return the version of this host's rsync. Raises TempoftpError when there is none."""
    return parse_rsync_version(run_command(["rsync", "--version"], _LIMIT).stdout)


def parse_rsync_version(text: str) -> tuple[int, ...]:
    """Return the version in the output of ``rsync --version``, like ``(3, 2, 7)``.

    What is not known counts as new: then rsync itself says which option it does not take.
    """
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else ESCAPES_SINCE
