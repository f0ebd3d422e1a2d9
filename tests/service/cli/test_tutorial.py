"""The commands of the tutorial, run unchanged in a shell, on a service with a simulated FTP host.

The blocks "client settings" and "fetch" are on the API's page too; tests/end_to_end runs them on real hosts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import Document

PROJECT = Path(__file__).resolve().parents[3]
BLOCKS = Document(PROJECT / "docs" / "tutorial.md").blocks


@pytest.fixture
def paste(service: Any, tmp_path: Path) -> Any:
    """Run blocks of the tutorial one after the other in one shell; return their output."""
    (tmp_path / "var").mkdir()

    def run(*names: str) -> str:
        environ = service.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        script = "\n".join(BLOCKS[name] for name in names)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{names} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_the_tutorial_from_the_request_to_the_end(paste: Any, tempoftp: Any, tmp_path: Path) -> None:
    paste("ask")
    share = json.loads((tmp_path / "var" / "proyecto_real_2.json").read_text())
    # The values that the block "fetch" reads; a simulated host has no certificate.
    assert share["usuario"]
    assert share["servidor"]["host"]
    assert "huella" in share["servidor"]
    shown = paste("change")
    assert "listo" in shown
    assert json.loads(tempoftp("status", "proyecto_real_2", "--json").out)["vigencia"] == 5
    paste("end")
    assert tempoftp("status", "proyecto_real_2").code == 4
