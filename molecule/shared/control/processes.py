"""Start a program that outlives its starter, find it again, and end it.

After a reboot a pid file can name the process of another program. A process therefore counts as ours only if its
command line contains the marker that it was started with.
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
    # It has to outlive this program, so Popen must neither wait for it nor warn that it still runs.
    process.returncode = 0
    return process.pid


def find_running(pid_file: Path, marker: str) -> int | None:
    """Return the pid in `pid_file` if a live process with `marker` in its command line has it, else None."""
    try:
        pid = int(pid_file.read_text())
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if marker.encode() in command_line and state != "Z" else None


def stop_process(pid_file: Path, marker: str, *, grace: float = 20.0) -> bool:
    """End the process of `pid_file`: SIGTERM, and after `grace` seconds SIGKILL to its session. True if it ran."""
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
    """`kill -9` the process of `pid_file`, with `children` its whole session; return when it is gone.

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
    """Collect children that ended, so that a process which this program started does not stay a zombie."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
