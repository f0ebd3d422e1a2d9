# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program and reads its lines as they come; it can be paused, resumed and killed meanwhile."""

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

# Bytes of the error output that are kept: enough to name what failed.
_KEEP = 32768
# Bytes of the longest line: a path has 4096 bytes, rsync prints four for each that is not plain, and a link has two.
LINE_LIMIT = 65536


class Stream:
    r"""One running program; each line of its output (ended by ``\n`` or ``\r``) goes to *take_line* as it comes.

    A line of more than ``LINE_LIMIT`` bytes is left out, so that a hostile source cannot fill the memory.
    *partial*: a line whose end has not come yet is passed on too, and again with its end. rsync ends a progress line
    only when it writes the next one.
    *deadline*: a time of the monotonic clock. Without one there is no limit: a copy may take days, and ssh's keepalives
    end one whose peer is silent.
    *threads*: the caller has threads, so no Python code may run between fork and exec.
    Leaving the ``with`` block before the program's end kills it and its children.
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
        self._overlong = False
        self._errors = bytearray()
        self._ended = False
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=build_environment(),
                # Its own process group: rsync's two processes and its ssh are paused and killed together.
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
        """Read to the program's end and return its result; None when *take_line* returned True or time was up."""
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
        if self._overlong and lines:
            del lines[0]
            self._overlong = False
        if self._overlong or len(self._pending) > LINE_LIMIT:
            self._overlong, self._pending = True, b""
        lines = [line for line in lines if len(line) <= LINE_LIMIT]
        given = [*lines, self._pending] if self._partial and self._pending else lines
        # All lines are passed on, also those after a line that stops the reading.
        return True in [self.take_line(decode_output(line)) for line in given]

    def pause(self) -> None:
        """Pause the program and its children."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # The process is reaped only in `read` and `__exit__`: until then no other group can have its number.
        os.killpg(self._process.pid, number)


def stream_command(argv: Sequence[str], take_line: Callable[[str], Any], partial: bool = False) -> Ended:
    """Run *argv* to its end as a `Stream`; the return value of *take_line* is ignored."""
    with Stream(argv, take_line, partial) as stream:
        while True:
            ended = stream.read()
            if ended is not None:
                return ended
