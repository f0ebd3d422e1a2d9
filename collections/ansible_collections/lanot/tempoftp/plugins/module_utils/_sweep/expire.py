# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program of ``tempoftp-expire.timer``: sweeps every minute, and once more at the second when a share ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .._host.errors import InvalidValueError, TempoftpError
from .._host.grace import SETTINGS_FILE
from .._host.sessions import end_strangers
from .._host.tree import Tree, open_tree
from .run import SweepResult, run_sweep
from .settings import ExpireSettings, read_settings

# Seconds. The timer starts the program every minute, but not while it still runs.
_LIMIT = 58.0
# Seconds. The sweep begins shortly after the end of a share, never before it.
_MARGIN = 0.05


def expire_shares(root: Path, arguments: Sequence[str]) -> int:
    """Sweep the host of *root* for a minute; return 1 when a problem is left. The journal lists what was done."""
    problems = []
    settings = ExpireSettings()
    try:
        settings = read_settings(Path(arguments[0]) if arguments else SETTINGS_FILE)
    except InvalidValueError as error:
        # Shares whose time is up are ended all the same, with the default settings.
        problems.append(error.message)
    # First, because this must not wait for a disk or a database.
    try:
        ended = end_strangers(settings.login_seconds)
        if ended:
            sys.stdout.write(f"sessions without a login for {settings.login_seconds:g} s: {ended} ended\n")
    except (TempoftpError, OSError) as error:
        problems.append(f"sessions without a login: {error}")
    try:
        problems += _sweep_for_a_minute(open_tree(str(root)), settings)
    except TempoftpError as error:
        problems.append(error.message)
    for problem in dict.fromkeys(problems):
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _sweep_for_a_minute(tree: Tree, settings: ExpireSettings) -> list[str]:
    deadline = time.monotonic() + _LIMIT
    while True:
        result = run_sweep(tree, settings)
        for line in describe_result(result):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        if result.wake_at is None:
            return result.problems
        pause = max(_MARGIN, result.wake_at - time.time() + _MARGIN)
        if time.monotonic() + pause > deadline:
            return result.problems
        time.sleep(pause)


def describe_result(result: SweepResult) -> list[str]:
    """Return what a sweep did, one line for each share, account, folder and program."""
    lines = [
        f"share {share['id']} of {share['ftpuser']}, generation {share['generation']}, "
        f"{share['reason'] or 'by the clock'}: {share['state']}"
        for share in result.shares
        if share["error"] is None
    ]
    lines += [
        f"account {account['name']}: {account['state']}"
        for account in result.accounts
        if account["error"] is None
    ]
    if result.sessions_ended or result.sessions_left:
        lines.append(f"sessions: {result.sessions_ended} ended, {result.sessions_left} have their grace")
    lines += [f"staging of {name}: kept for its time, removed" for name in result.staging]
    lines += [f"program {name}: of an earlier release, removed" for name in result.libraries]
    if result.clock_ahead > 60:
        lines.append(
            f"the clock of this host is {result.clock_ahead} s behind what it was once: shares whose time was up stay "
            "ended until the clock is synchronised"
        )
    return lines
