"""Start a program that outlives its starter, find it again, and end it.

A pid file alone lies after a reboot or a pid's reuse; a process counts as ours only while its command line still holds
the marker it was started with.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def start_detached(
    argv: Sequence[str], *, pid_file: Path, log_file: Path, environment: Mapping[str, str], cwd: Path
) -> int:
    """Start `argv` in a session of its own and return its pid; output is appended to `log_file`."""
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    pid_file.write_text(f"{process.pid}\n")
    # It is meant to outlive us: Popen must neither wait for it nor warn that it still runs.
    process.returncode = 0
    return process.pid


def find_running(pid_file: Path, marker: str) -> int | None:
    """The pid in `pid_file` if a live process with `marker` in its command line has it, else None."""
    try:
        pid = int(pid_file.read_text())
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if marker.encode() in command_line and state != "Z" else None


def stop_process(pid_file: Path, marker: str, *, grace: float = 20.0) -> bool:
    """End the process of `pid_file` and its session: SIGTERM, then SIGKILL after `grace` seconds. True if it ran."""
    pid = find_running(pid_file, marker)
    if pid is None:
        pid_file.unlink(missing_ok=True)
        return False
    os.kill(pid, signal.SIGTERM)
    if not _wait_gone(pid_file, marker, grace):
        os.killpg(pid, signal.SIGKILL)
        _wait_gone(pid_file, marker, 5.0)
    pid_file.unlink(missing_ok=True)
    return True


def kill_process(pid_file: Path, marker: str, *, children: bool = False, seconds: float = 20.0) -> None:
    """`kill -9` of the process of `pid_file`, with `children` of its whole session; returns when it is gone.

    Raises ProcessLookupError when it does not run, TimeoutError when it does not end.
    """
    pid = find_running(pid_file, marker)
    if pid is None:
        raise ProcessLookupError(f"nothing of {pid_file} runs")
    (os.killpg if children else os.kill)(pid, signal.SIGKILL)
    if not _wait_gone(pid_file, marker, seconds):
        raise TimeoutError(f"process {pid} was killed and does not end")


def _wait_gone(pid_file: Path, marker: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while find_running(pid_file, marker) is not None:
        if time.monotonic() > deadline:
            return False
        _reap()
        time.sleep(0.05)
    return True


def _reap() -> None:
    """Collect children that ended, so that one we started ourselves does not stay a zombie."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
