# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs other programs: all modules start short-lived processes of the host here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .errors import TempoftpError

LOCALE = "C.UTF-8"


class Ended(NamedTuple):
    """The result of a program; a negative *rc* is the signal that killed it."""

    rc: int
    stdout: str
    stderr: str


def build_environment() -> dict[str, str]:
    """Return a small environment: programs print in English and UTC, and the caller's secrets are not passed on."""
    path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "LANG": LOCALE, "LC_ALL": LOCALE, "TZ": "UTC0", "HOME": "/root"}


def run_command(
    argv: Sequence[str], timeout: float, folder: Optional[Path] = None, output: Optional[Path] = None
) -> Ended:
    """Run *argv* in *folder* to its end; raise TempoftpError when it is missing or takes longer than *timeout* seconds.

    With *output*, its standard output is written into that file, mode 0600.
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
    """Return a descriptor of a new or emptied file, mode 0600."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def decode_output(output: bytes) -> str:
    """Return a program's output as text; bytes that are not UTF-8 are shown as escapes."""
    return output.decode("utf-8", "backslashreplace")


def explain_start(program: str, error: OSError) -> TempoftpError:
    """Return the error of a program that could not be started."""
    return TempoftpError(f"{program} could not be started ({error.strerror}): is it installed on this host?")
