"""The programs of Ansible, called as an operator calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.roles.rendering import PROJECT

BIN = Path(sys.executable).parent


def run_program(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Ansible in the project, with its configuration; files that it leaves are in `tmp_path`."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_HOME": str(tmp_path),
    }
    return subprocess.run(
        [str(BIN / argv[0]), *argv[1:]],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
