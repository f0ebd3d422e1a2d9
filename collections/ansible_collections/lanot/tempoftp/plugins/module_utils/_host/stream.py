# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a program that talks while it works: its lines as they come, and a hand on it meanwhile."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Optional

from .commands import Ended, build_environment, decode_output, explain_start

# Enough of an error output to name what failed; a tree of a million unreadable files says no more.
_KEEP = 32768


class Stream:
    r"""One running program; each line of its output (ended by ``\n`` or ``\r``) goes to *take_line* as it comes.

    With *partial* a line whose end has not come yet is given as well, and again with its end: rsync ends a line of
    its progress only when it writes the next one.

    Without a *deadline* (of the monotonic clock) there is no time limit: a copy takes what it takes, and ssh's
    keepalives end one whose peer is silent. Whoever leaves the ``with`` block before the end kills the program and its
    children.
    *threads*: the caller has some, so that nothing of its own may run between fork and exec.
    """

    def __init__(
        self,
        argv: Sequence[str],
        take_line: Callable[[str], Any],
        partial: bool = False,
        deadline: Optional[float] = None,
        threads: bool = False,
    ) -> None:
        self.take_line = take_line
        self._partial = partial
        self._deadline = deadline
        self._pending = b""
        self._errors = bytearray()
        self._ended = False
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=build_environment(),
                # a group of its own, so that rsync's two processes and its ssh are held and ended together
                preexec_fn=None if threads else os.setpgrp,  # noqa: PLW1509 - process_group= came with 3.11
                start_new_session=threads,
            )
        except OSError as error:
            raise explain_start(argv[0], error) from None

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._ended:
            self._signal(signal.SIGKILL)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def read(self) -> Optional[Ended]:
        """Read to the program's end and say how it ended; None when *take_line* returned True or time was up before."""
        with selectors.DefaultSelector() as selector:
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                stop = False
                for key, _events in selector.select(left):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._errors += chunk[: max(0, _KEEP - len(self._errors))]
                    else:
                        stop = self._take(chunk) or stop
                if stop:
                    return None
        if self._pending and not self._partial:
            self.take_line(decode_output(self._pending))
        self._ended = True
        return Ended(self._process.wait(), "", decode_output(bytes(self._errors)))

    def _take(self, chunk: bytes) -> bool:
        *lines, self._pending = (self._pending + chunk).replace(b"\r", b"\n").split(b"\n")
        given = [*lines, self._pending] if self._partial and self._pending else lines
        # Every line is told, also after one that says to stop.
        return True in [self.take_line(decode_output(line)) for line in given]

    def hold(self) -> None:
        """Stop the program where it is, with all that it started."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a held program go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # Not reaped before `read` or `__exit__` says so: the group's number is still this one's.
        os.killpg(self._process.pid, number)


def stream_command(argv: Sequence[str], take_line: Callable[[str], Any], partial: bool = False) -> Ended:
    """Run *argv* to its end as a `Stream`; what *take_line* returns does not matter."""
    with Stream(argv, take_line, partial) as stream:
        while True:
            ended = stream.read()
            if ended is not None:
                return ended
