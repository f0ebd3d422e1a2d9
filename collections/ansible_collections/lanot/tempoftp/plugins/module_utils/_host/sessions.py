# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ending the open FTP sessions of an account.

pure-ftpd lets a session go on when its account is blocked or removed. ``pure-ftpwho`` says which process serves which
account. (The titles of the processes say only what they are doing.) A process is ended by its pidfd, so never another
process that got the same number later.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from .commands import LOCALE
from .errors import TempoftpError

# Seconds.
_WHO_TIMEOUT = 10.0
_TERM_PATIENCE = 3.0
_KILL_PATIENCE = 2.0
# A login that is in progress at the first look is found at a later one.
_LOOKS = 3
# (Tests of whole programs set another path.)
_SERVICE_PATH = os.environ.get(
    "TEMPOFTP_SERVICE_PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)
_PROCESS_NAME = "pure-ftpd"
_BUSY_TITLES = ("pure-ftpd (DOWNLOAD)", "pure-ftpd (UPLOAD)")
# The account that pure-ftpwho shows for a session before its login.
_STRANGER = "?"
_SESSION_TITLES = ("pure-ftpd (IDLE)", "pure-ftpd (DOWNLOAD)", "pure-ftpd (UPLOAD)")


def find_service_program(name: str) -> Optional[str]:
    """Return the path of a program of the FTP server's packages; None when it is not installed."""
    return shutil.which(name, path=_SERVICE_PATH)


def parse_who(text: str, names: Optional[Collection[str]] = None) -> dict[int, str]:
    """Return process id → account from the lines ``pid|account|…`` of ``pure-ftpwho -s``, for *names* or for all."""
    sessions = {}
    for line in text.splitlines():
        fields = line.split("|")
        wanted = len(fields) > 2 and (fields[1] in names if names is not None else fields[1] != "")
        if wanted and fields[0].isascii() and fields[0].isdecimal():
            sessions[int(fields[0])] = fields[1]
    return sessions


def list_sessions(proc: Path = Path("/proc")) -> dict[int, str]:
    """Return process id → account of all open sessions; TempoftpError when pure-ftpwho cannot be used."""
    return parse_who(_run_who()) if _has_sessions(proc) else {}


class Session(NamedTuple):
    """One session. ``started``: seconds after the boot. ``busy``: a transfer is running. ``places``: its current folder
    and its open files."""

    pid: int
    account: str
    started: float
    busy: bool
    places: tuple[str, ...]


def read_session(pid: int, account: str, proc: Path) -> Optional[Session]:
    """Return what the kernel knows of a session; None when the process has ended or is no session."""
    entry = proc / str(pid)
    try:
        # The name before it may contain anything, also a parenthesis.
        fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None
    if not _is_session(pid, proc):
        return None
    return Session(pid, account, started, _read_title(entry).startswith(_BUSY_TITLES), _read_places(entry))


def end_chosen_sessions(
    names: Collection[str], choose: Callable[[Session], Optional[bool]], proc: Path = Path("/proc")
) -> tuple[int, int]:
    """End the sessions of *names* for which *choose* returns True; return how many were ended and how many must wait.

    *choose* returns False for a session that must end later, and None for one that is left alone. TempoftpError when a
    session does not end, or when pure-ftpwho cannot be used.
    """
    ended, left = 0, 0
    for _look in range(_LOOKS):
        if not _has_sessions(proc):
            break
        verdicts = []
        for pid, name in parse_who(_run_who(), names).items():
            session = read_session(pid, name, proc)
            verdicts.append((pid, name, None if session is None else choose(session)))
        left = sum(verdict is False for _pid, _name, verdict in verdicts)
        ending = [(pid, name) for pid, name, verdict in verdicts if verdict]
        if not ending:
            break
        ended += sum(_end_session(pid, name, proc) for pid, name in ending)
    return ended, left


def end_strangers(seconds: float, proc: Path = Path("/proc")) -> int:
    """End the sessions that have not logged in for *seconds*; return how many. TempoftpError as `end_chosen_sessions`.

    pure-ftpd has one idle time for all sessions, and commands such as NOOP prolong it: strangers would keep its places.
    """
    if seconds <= 0:
        return 0
    uptime = float((proc / "uptime").read_text(encoding="ascii").split()[0])
    return end_chosen_sessions(
        (_STRANGER,), lambda session: True if uptime - session.started > seconds else None, proc
    )[0]


def end_sessions(
    names: Collection[str], proc: Path = Path("/proc")
) -> tuple[dict[str, int], dict[str, TempoftpError]]:
    """End every session of *names*; return how many were ended per account, and what went wrong per account.

    ``run_timeout``: a session does not end by SIGKILL; ``run_failed``: pure-ftpwho cannot be used.
    """
    ended = dict.fromkeys(names, 0)
    errors: dict[str, TempoftpError] = {}
    for _look in range(_LOOKS):
        if not names or not _has_sessions(proc):
            break
        try:
            sessions = parse_who(_run_who(), names)
        except TempoftpError as error:
            return ended, dict.fromkeys(names, error)
        if not sessions:
            break
        for pid, name in sessions.items():
            try:
                ended[name] += _end_session(pid, name, proc)
            except TempoftpError as error:
                errors[name] = error
    return ended, errors


def _run_who() -> str:
    program = find_service_program("pure-ftpwho")
    if program is None:
        raise TempoftpError(
            "pure-ftpwho is missing on the FTP host, so open sessions cannot be found: install it (part of pure-ftpd)"
        )
    try:
        answer = subprocess.run(
            [program, "-s", "-n"],
            capture_output=True,
            check=False,
            timeout=_WHO_TIMEOUT,
            env={"LC_ALL": LOCALE, "PATH": _SERVICE_PATH},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise TempoftpError(
            f"{program} did not answer in {_WHO_TIMEOUT:g} s: look at pure-ftpd on the FTP host",
            "run_timeout",
        ) from None
    except OSError as error:
        raise TempoftpError(f"{program} could not be started: {error.strerror}") from None
    # Its exit code is ignored: it fails when nobody has logged in since pure-ftpd started.
    return answer.stdout.decode("utf-8", "replace")


def _has_sessions(proc: Path) -> bool:
    return any(
        _read_title(entry).startswith(_SESSION_TITLES) for entry in proc.iterdir() if entry.name.isdecimal()
    )


def _read_places(entry: Path) -> tuple[str, ...]:
    links = [entry / "cwd"]
    with contextlib.suppress(OSError):
        links += (entry / "fd").iterdir()
    places = []
    for link in links:
        with contextlib.suppress(OSError):
            places.append(str(link.readlink()))
    return tuple(places)


def _is_session(pid: int, proc: Path) -> bool:
    entry = proc / str(pid)
    try:
        name = (entry / "comm").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return name.startswith(_PROCESS_NAME) and _read_title(entry).startswith(_SESSION_TITLES)


def _read_title(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes()[:64].decode("utf-8", "replace")
    except OSError:
        return ""


def _end_session(pid: int, name: str, proc: Path) -> int:
    with _open_process(pid) as process:
        # Checked while the pidfd is open: from here on no other process can get the number.
        if process is None or not _is_session(pid, proc):
            return 0
        for number, patience in ((signal.SIGTERM, _TERM_PATIENCE), (signal.SIGKILL, _KILL_PATIENCE)):
            _signal_process(process, number, f"the FTP session {pid} of {name}")
            if _wait_process(process, patience):
                return 1
    raise TempoftpError(
        f"the FTP session {pid} of {name} did not end in {_TERM_PATIENCE + _KILL_PATIENCE:g} s: "
        "it hangs in the kernel; look at the disk of the FTP host",
        "run_timeout",
    )


def _signal_process(descriptor: int, number: signal.Signals, what: str) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
    except OSError as error:
        raise TempoftpError(f"{what} could not be ended: {error.strerror}; run this as root") from None


@contextlib.contextmanager
def _open_process(pid: int) -> Iterator[Optional[int]]:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_process(descriptor: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + patience
    while True:
        left = deadline - time.monotonic()
        if poll.poll(max(0, int(left * 1000))):
            return True
        if left <= 0:
            return False
