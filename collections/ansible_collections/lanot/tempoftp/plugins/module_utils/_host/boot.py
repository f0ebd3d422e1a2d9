# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's present boot: its id, since no transient unit outlives a boot, and how long ago it was."""

from __future__ import annotations

from pathlib import Path


def read_boot_id() -> str:
    """Return the kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_uptime(proc: Path = Path("/proc")) -> float:
    """Return the seconds since the boot, on the clock that the kernel uses for the start of a process."""
    return float((proc / "uptime").read_text(encoding="ascii").split()[0])
