# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lock for every look-plan-apply on an FTP host. It is never held while waiting for a copy."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .errors import LockTimeoutError

# Seconds. A look-plan-apply takes milliseconds: when the wait is longer, the holder hangs.
LOCK_TIMEOUT = 20.0
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


@contextlib.contextmanager
def hold_lock(path: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the exclusive flock on *path* (made when missing); raise LockTimeoutError after *timeout* seconds.

    The kernel drops the lock when the holder dies, so a killed run never blocks the next one.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _acquire_lock(descriptor, path, timeout)
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path, timeout: float) -> Optional[int]:
    """Take a lock until this process ends; None when another process still holds it after *timeout* seconds."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _acquire_lock(descriptor, path, timeout)
    except LockTimeoutError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock.

    This takes a shared lock for a moment, so a process that takes the lock must try for longer than that.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _acquire_lock(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    f"{path} is held by another run for {timeout:g} s: 'fuser -v {path}' shows which"
                ) from None
        else:
            return
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
