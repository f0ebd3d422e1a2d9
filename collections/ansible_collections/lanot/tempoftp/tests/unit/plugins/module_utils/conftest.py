# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions of pure-ftpd, as far as they are seen: real processes with its titles, and a scripted pure-ftpwho."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions


@pytest.fixture
def start_session(tmp_path):
    """Return a function that starts a process which looks like a session of pure-ftpd."""
    program = tmp_path / "pure-ftpd-mysql"
    shutil.copy2(shutil.which("sleep"), program)
    program.chmod(0o755)
    started = []

    def start(title="pure-ftpd (IDLE)", deaf=False, cwd=None):
        # What is ignored stays ignored in the program that is started.
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN) if deaf else None
        process = subprocess.Popen([title, "300"], executable=program, stdin=subprocess.DEVNULL, cwd=cwd)
        if deaf:
            signal.signal(signal.SIGTERM, before)
        started.append(process)
        # In the middle of its exec a process has no command line yet.
        deadline = time.monotonic() + 10
        while not Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(title.encode()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def script_who(tmp_path, monkeypatch):
    """Return a function that makes pure-ftpwho print something: lines, or a whole script."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setattr(_sessions, "_SERVICE_PATH", str(place))

    def script(*lines, body=None):
        text = "\n".join(f"print({line!r})" for line in lines) if body is None else body
        program = place / "pure-ftpwho"
        program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{text}\n")
        program.chmod(0o755)

    return script


@pytest.fixture
def print_living():
    """Return a function that gives a script, which prints the session of a process while it runs and is no zombie."""
    return build_living


def build_living(process, name):
    """Return a script that prints the session of *process* for as long as it runs and is no zombie."""
    return f"""
try:
    state = open("/proc/{process.pid}/stat").read().split()[2]
except OSError:
    state = "Z"
if state != "Z":
    print("{process.pid}|{name}|1|IDLE||||||||")
"""
