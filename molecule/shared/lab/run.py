"""Functions that run programs: with argv lists, a time limit, and one error that says what, where and what to do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class LabError(Exception):
    """An error for the caller of the lab; the message says what, where and what to do next."""


def run_command(
    argv: Sequence[str | Path], *, timeout: float = 30, check: bool = True, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run argv (no shell) for at most `timeout` seconds; raise LabError on failure when `check` is set."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        raise LabError(f"`{words[0]}` is not installed on this machine; run `make system`") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(words)}` did not end within {timeout:g} s on this machine") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(words)}` failed with rc {done.returncode}: {said}")
    return done


def wait_until(is_done: Callable[[], bool], *, timeout: float, interval: float = 0.03) -> bool:
    """Call `is_done` every `interval` seconds until it is true (True) or `timeout` seconds are over (False)."""
    deadline = time.monotonic() + timeout
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def remove_tree(path: Path) -> None:
    """Remove a folder of the lab; raise LabError while anything is mounted below it."""
    if not path.exists() and not path.is_symlink():
        return
    prefix = str(path.resolve())
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        mounted = line.split()[4]
        if mounted == prefix or mounted.startswith(prefix + "/"):
            raise LabError(f"{mounted} is still mounted; unmount it, then run the command again")
    # rm and not shutil.rmtree, which overflows on the deep trees that tests make
    run_command(["rm", "-rf", "--one-file-system", "--", path], timeout=300)
