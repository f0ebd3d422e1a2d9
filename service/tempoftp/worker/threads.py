"""The parts of the worker's threads: a thread that can be woken, and the bound of runs at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class WakeableThread:
    """A thread that works when it is woken and, if `every` is given, every `every` seconds.

    If it is woken while it works, even many times, it makes one more round afterwards.
    """

    def __init__(self, name: str, work: Callable[[], object], every: float | None = None) -> None:
        self._work = work
        self._every = every
        self._changed = threading.Condition()
        self._is_asked = every is not None
        self._is_working = False
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread. With `every` it works at once; without, it waits until it is woken."""
        self._thread.start()

    def wake(self, *, again: bool = True) -> bool:
        """Ask for work; returns whether it is working already. `again` False: in that case ask for no other round."""
        with self._changed:
            if again or not self._is_working:
                self._is_asked = True
                self._changed.notify_all()
            return self._is_working

    def begin_round(self) -> None:
        """Forget what was asked for until now, because the round that begins does all of it."""
        with self._changed:
            self._is_asked = False

    def wait(self, seconds: float) -> bool:
        """Wait, inside of the work, until more is asked for or the time is over; returns False when it must stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_asked or self._is_stopping, seconds)
            return not self._is_stopping

    def stop(self) -> None:
        """Let it end after its present work."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for its end; returns whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due = time.monotonic()
        while self._wait_for_work(due):
            due = time.monotonic() + (self._every or 0)
            try:
                self._work()
            except Exception:  # the next round may succeed, and nothing else reports the error
                logger.exception("the work of thread %s broke", self._thread.name)
            with self._changed:
                self._is_working = False

    def _wait_for_work(self, due: float) -> bool:
        with self._changed:
            left = None if self._every is None else max(due - time.monotonic(), 0)
            self._changed.wait_for(lambda: self._is_asked or self._is_stopping, left)
            self._is_asked = False
            self._is_working = not self._is_stopping
            return self._is_working


class RunSlots:
    """The bound of runs at the same time. The run that has waited longest is next, so no host waits for ever."""

    def __init__(self, count: int | None) -> None:
        """`count` None: there is no bound."""
        self._count = count
        self._lock = threading.Lock()
        self._used = 0
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a slot, and keep it while the block runs."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> None:
        with self._lock:
            if self._count is None or self._used < self._count:
                self._used += 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def _give_back(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # the slot stays in use: the next run has it now
            else:
                self._used -= 1
