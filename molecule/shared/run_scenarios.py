"""Whole Molecule scenarios on real hosts: `python molecule/shared/run_scenarios.py default single_host`.

Three things fail here that `molecule test` alone accepts: a step without a playbook (`missing=1`), a scenario that
skips `create` because of files of an earlier run, and a run that never ends. The hosts are always removed at the end.
With KEEP=1 in the environment they stay, so that they can be inspected with `molecule login` or the lab's `ssh`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LAB_DOWN = [sys.executable, str(PROJECT / "molecule/shared"), "lab", "--net", "molecule", "down"]
MISSING = re.compile(r"missing=[1-9]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DESTROY_SECONDS = 180
TEST_SECONDS = 900


class ScenarioError(RuntimeError):
    """A scenario failed; the message says in which step."""


def run_molecule(words: Sequence[str], *, seconds: float) -> None:
    """Run one molecule command, its output streamed; raise ScenarioError when it fails, hangs or skips a step."""
    name = " ".join(("molecule", *words))
    late = threading.Event()
    missing = ""
    with subprocess.Popen(
        [str(BIN / "molecule"), *words],
        cwd=PROJECT,
        env=build_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be ended with it
    ) as process:

        def end() -> None:
            late.set()
            kill_group(process)

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if MISSING.search(COLOUR.sub("", line)):
                    missing = COLOUR.sub("", line).strip()
        finally:
            timer.cancel()
            kill_group(process)
    if late.is_set():
        raise ScenarioError(f"{name} was stopped: it took longer than {seconds:g} s")
    if process.returncode:
        raise ScenarioError(f"{name} ended with {process.returncode}; the failed task stands above")
    if missing:
        raise ScenarioError(
            f"{name} has a step without a playbook ({missing}): write it, or take the step out"
        )


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a molecule that still runs, with its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def build_environment() -> dict[str, str]:
    """Return the environment of molecule, which finds its programs by PATH and keeps its state under ANSIBLE_HOME."""
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_HOME": str(PROJECT / "var" / "ansible"),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "MOLECULE_COMMAND_BORDERS": "0",
        "PYTHONUNBUFFERED": "1",
    }


def run_scenario(name: str, *, keep: bool) -> None:
    """Run all steps of one scenario on hosts made for it."""
    run_molecule(["destroy", "--scenario-name", name], seconds=DESTROY_SECONDS)
    test = ["test", "--scenario-name", name, *(["--destroy", "never"] if keep else [])]
    run_molecule(test, seconds=TEST_SECONDS)


def main(names: Sequence[str]) -> int:
    known = sorted(path.parent.name for path in (PROJECT / "molecule").glob("*/molecule.yml"))
    if not names or set(names) - set(known):
        print(f"usage: run_scenarios.py SCENARIO…; there are {', '.join(known)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` below runs
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        for name in names:
            start = time.monotonic()
            run_scenario(name, keep=keep)
            print(f"\nscenario {name}: passed in {time.monotonic() - start:.0f} s\n", flush=True)
    except ScenarioError as error:
        print(f"\nscenario {name}: FAILED. {error}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            subprocess.run(LAB_DOWN, cwd=PROJECT, check=False, timeout=DESTROY_SECONDS)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
