"""Moves the clock of the API or the worker: Python imports this module by its name when PYTHONPATH has its folder.

The file that CLOCK_FILE names says by how many seconds, also later while the process runs. The monotonic clock stays as
it is, as when a time daemon sets the time. (libfaketime is no use here: with it, `time.sleep` fails in Python 3.11.)
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

FILE = Path(os.environ["CLOCK_FILE"])
INTERVAL = 0.1


def read_offset() -> float:
    """Return the seconds by which the clock is ahead now."""
    return float(FILE.read_text())


class Clock:
    """The clock of this process."""

    def __init__(self) -> None:
        self.offset = read_offset()
        moved = datetime.now(UTC) + timedelta(seconds=self.offset)
        self.traveller = time_machine.travel(moved, tick=True).start()
        self.follow()
        os.register_at_fork(after_in_child=self.follow)  # a child has no threads

    def follow(self) -> None:
        """Follow the file in a thread."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            time.sleep(INTERVAL)
            offset = read_offset()
            if offset != self.offset:
                self.traveller.shift(offset - self.offset)
                self.offset = offset


Clock()
