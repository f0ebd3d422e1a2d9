# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a source what its login shell prints. rsync fails when anything comes before its own first bytes."""

from __future__ import annotations

import time
from typing import Optional

from .._host.commands import Ended
from .._host.errors import TempoftpError
from .._host.stream import Stream
from .confined import Confine, leave_free
from .ssh import Access, build_ssh_argv
from .verdicts import Verdict

# Seconds between two tries, and for the question.
SHELL_PAUSE = 1.0
_LIMIT = 20.0
_SSH_FAILED = 255
_SHOWN = 200
_SHOWN_LINES = 20


def check_login_shell(
    verdict: Verdict,
    access: Access,
    socket: Optional[str],
    restricted: bool,
    confine: Confine = leave_free,
) -> Verdict:
    """Return the verdict on a copy that failed, with what the login shell prints if that was the reason.

    *restricted*: the key allows rsync only, so that any other command fails. *confine*: how the ssh that asks is run.
    """
    suspected = verdict.error_class == "source_shell" or (verdict.kind, verdict.error_class) == (
        "again",
        "copy_failed",
    )
    if access.local or not suspected:
        return verdict
    told = _describe(_ask(access, socket, confine), restricted)
    if verdict.error_class != "source_shell" and not told:
        return verdict
    what = (
        f"cannot be read, since the login shell of {access.source.user} on {access.source.host} prints something "
        "before rsync starts"
    )
    return Verdict("failed", "source_shell", told or verdict.reason, what)


def _ask(access: Access, socket: Optional[str], confine: Confine) -> Optional[Ended]:
    """Return how `true` ended, with the first line that was printed. Of endless output nothing more is read."""
    lines: list[str] = []

    def take_line(line: str) -> bool:
        if line.strip() or not lines:
            lines.append(line)
        return len(lines) > _SHOWN_LINES

    argv = [*build_ssh_argv(access, socket), "-l", access.source.user, "--", access.source.host, "true"]
    try:
        with Stream(confine(argv), take_line, deadline=time.monotonic() + _LIMIT, threads=True) as stream:
            ended = stream.read()
    except TempoftpError:
        return None
    if ended is None and not lines:
        return None
    return Ended(0 if ended is None else ended.rc, "\n".join(lines) + "\n" * bool(lines), "")


def _describe(ended: Optional[Ended], restricted: bool) -> str:
    if ended is None or ended.rc == _SSH_FAILED:
        return ""
    lines = [line.strip() for line in ended.stdout.splitlines() if line.strip()]
    printed = f'it prints "{_clean(lines[0][:_SHOWN])}"' if lines else ""
    if ended.rc != 0 and not restricted:
        return f"{printed or 'it runs no command'} and ends with code {ended.rc}"
    return printed or ("it prints an empty line" if ended.stdout else "")


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
