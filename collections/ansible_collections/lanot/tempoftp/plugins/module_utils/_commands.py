# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running other programs: the one seam between this collection and the processes of a host."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ._errors import TempoftpError

# Enough of an error output to name what failed; a tree of a million unreadable files says no more.
_KEEP = 32768


class Ended(NamedTuple):
    """How a program ended; a negative *rc* is the signal that killed it."""

    rc: int
    stdout: str
    stderr: str


def build_environment() -> dict[str, str]:
    """Return a small environment in which programs print in English, and nothing of the caller's secrets."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C", "HOME": "/root"}


def run_command(argv: Sequence[str], timeout: float) -> Ended:
    """Run *argv* to its end; raise TempoftpError when it is missing or takes longer than *timeout* seconds."""
    try:
        ended = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=build_environment(),
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TempoftpError(
            f"{argv[0]} did not end within {timeout:g} s: look at the host", "run_timeout"
        ) from None
    except OSError as error:
        raise _explain_start(argv[0], error) from None
    return Ended(ended.returncode, _decode(ended.stdout), _decode(ended.stderr))


def stream_command(argv: Sequence[str], take_line: Callable[[str], Any], partial: bool = False) -> Ended:
    r"""Run *argv*, giving each line of its output (ended by ``\n`` or ``\r``) to *take_line* as it comes.

    With *partial* a line whose end has not come yet is given as well, and again with its end: rsync ends a line of
    its progress only when it writes the next one.

    When *take_line* returns something true the program is told to end (SIGTERM), and read to its end.

    There is no time limit here: a copy takes what it takes, and ssh's keepalives end one whose peer is silent.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=build_environment(),
        )
    except OSError as error:
        raise _explain_start(argv[0], error) from None
    errors = bytearray()
    with process, selectors.DefaultSelector() as selector:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        pending = b""
        while selector.get_map():
            for key, _events in selector.select():
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    errors += chunk[: max(0, _KEEP - len(errors))]
                else:
                    *lines, pending = (pending + chunk).replace(b"\r", b"\n").split(b"\n")
                    given = [*lines, pending] if partial and pending else lines
                    # Every line is told, also after one that says to stop.
                    wishes = [take_line(_decode(line)) for line in given]
                    if True in wishes:
                        process.terminate()
        if pending and not partial:
            take_line(_decode(pending))
    return Ended(process.returncode, "", _decode(bytes(errors)))


def _decode(output: bytes) -> str:
    return output.decode("utf-8", "backslashreplace")


def _explain_start(program: str, error: OSError) -> TempoftpError:
    return TempoftpError(f"{program} could not be started ({error.strerror}): is it installed on this host?")
