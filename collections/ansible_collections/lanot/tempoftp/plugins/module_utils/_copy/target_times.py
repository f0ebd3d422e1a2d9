# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which times a filesystem can hold. Of a file dated 1601 or 2500, most keep the nearest time that they can."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path


def build_time_check(folder: Path) -> Callable[[int], bool]:
    """Return a function that says whether files in *folder* can have a time (seconds since the epoch).

    It tries this with a file that has no name. On a full disk every time counts as one that can be held.
    """

    @lru_cache(maxsize=4096)
    def holds_time(seconds: int) -> bool:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                os.utime(file.fileno(), (seconds, seconds))
                return int(os.fstat(file.fileno()).st_mtime_ns // 1_000_000_000) == seconds
        except OverflowError:
            return False
        except OSError:
            return True

    return holds_time
