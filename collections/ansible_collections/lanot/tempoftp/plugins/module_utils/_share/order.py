# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One share of a batch: what is wanted, what was seen of it, and how its turn ended."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from .._host.errors import TempoftpError
from .._host.space import explain_os_error
from .desired import DesiredShare
from .plan import Seen


class Order:
    """One share of a batch. It is settled when nothing is left to do for it in this execution.

    ``first`` is the look before the first step, ``seen`` the latest one. ``starts`` counts its units of this execution.
    """

    def __init__(self, desired: DesiredShare, root: Path) -> None:
        self.desired = desired
        self._root = root
        self.first: Optional[Seen] = None
        self.seen: Optional[Seen] = None
        self.changed = False
        self.settled = False
        self.error: Optional[TempoftpError] = None
        self.starts = 0

    def note_look(self, seen: Seen) -> None:
        """Keep what was seen of the share."""
        self.seen = seen
        if self.first is None:
            self.first = seen

    def settle(self, error: Optional[TempoftpError]) -> None:
        """End the share's part of this execution, with an error if there is one."""
        self.error = error
        self.settled = True

    def fail(self, error: Union[TempoftpError, OSError]) -> None:
        """End the share's part of this execution with an error, also one of the operating system."""
        if isinstance(error, OSError):
            error = explain_os_error(error, f"share {self.desired.id}", self._root)
        self.settle(error)
