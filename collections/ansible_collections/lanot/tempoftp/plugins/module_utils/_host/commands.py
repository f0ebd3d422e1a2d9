# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running other programs: the one seam between this collection and the processes of a host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .errors import TempoftpError


class Ended(NamedTuple):
    """How a program ended; a negative *rc* is the signal that killed it."""

    rc: int
    stdout: str
    stderr: str


def build_environment() -> dict[str, str]:
    """Return a small environment in which programs print in English, and nothing of the caller's secrets."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C", "HOME": "/root"}


def run_command(
    argv: Sequence[str], timeout: float, folder: Optional[Path] = None, output: Optional[Path] = None
) -> Ended:
    """Run *argv* in *folder* to its end; raise TempoftpError when it is missing or takes longer than *timeout* seconds.

    With *output* what it prints goes there, byte for byte, 0600.
    """
    stdout = subprocess.PIPE if output is None else open_output(output)
    try:
        ended = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=build_environment(),
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TempoftpError(
            f"{argv[0]} did not end within {timeout:g} s: look at the host", "run_timeout"
        ) from None
    except OSError as error:
        raise explain_start(argv[0], error) from None
    finally:
        if output is not None:
            os.close(stdout)
    return Ended(ended.returncode, decode_output(ended.stdout or b""), decode_output(ended.stderr))


def open_output(path: Path) -> int:
    """Return a descriptor of a new or emptied file of ours."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def decode_output(output: bytes) -> str:
    """Return what a program printed; bytes that are no UTF-8 stay visible."""
    return output.decode("utf-8", "backslashreplace")


def explain_start(program: str, error: OSError) -> TempoftpError:
    """Return the error of a program that could not be started."""
    return TempoftpError(f"{program} could not be started ({error.strerror}): is it installed on this host?")
