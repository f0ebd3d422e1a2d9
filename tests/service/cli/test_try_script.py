"""try.py: its messages when something is missing, and a real installation in a fresh copy of the repository."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = PROJECT / "try.py"
INSTALL_SECONDS = 400


@pytest.fixture
def script() -> ModuleType:
    spec = spec_from_file_location("try_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_gets_a_message_about_its_version(script: ModuleType) -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))
    assert "import annotations" not in SCRIPT.read_text()  # Python 3.6 does not know this import
    with pytest.raises(script.TryError, match=r"needs Python 3\.11 or newer, and .* is 3\.9\. .*PYTHON="):
        script.check_version((3, 9, 2, "final", 0))
    script.check_version((3, 11, 0, "final", 0))
    script.check_version((3, 14, 1, "final", 0))


def test_the_oldest_python_matches_the_package(script: ModuleType) -> None:
    wanted = re.findall(
        r'^requires-python = ">=(\d+)\.(\d+)"$', (PROJECT / "pyproject.toml").read_text(), re.M
    )
    assert [tuple(map(int, version)) for version in wanted] == [script.OLDEST]


def test_without_ensurepip_the_systems_pip_installs(script: ModuleType) -> None:
    there = {"ensurepip": object(), "pip": object()}
    assert script.find_pip(there.get) == (True, [str(PROJECT / ".venv-try/bin/python"), "-m", "pip"])
    del there["ensurepip"]
    alone, command = script.find_pip(there.get)
    assert not alone
    assert command[1:4] == ["-m", "pip", "--python"]
    del there["pip"]
    with pytest.raises(script.TryError, match=r"neither ensurepip nor pip(.|\n)*apt install python3-venv"):
        script.find_pip(there.get)


def test_make_passes_python_and_port() -> None:
    command = ["make", "--no-print-directory", "-n", "try", "PYTHON=python3.12", "PORT=9100"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "exec python3.12 try.py --port 9100\n"


# What is made in a checkout and is not part of a clone.
LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", "var", "build", "dist", "output", "__pycache__", "*.egg-info"),
    *(".*_cache", ".cache", ".hypothesis", ".ansible"),
)


def copy_project(folder: Path) -> None:
    """Copy the files that a clone has, with uncommitted changes."""
    shutil.copytree(PROJECT, folder, symlinks=True, ignore=LEFT_OUT, dirs_exist_ok=True)


@pytest.mark.processes
def test_refuses_a_checkout_without_write_permission(plain_home: Path, as_plain_user: list[str]) -> None:
    copy = plain_home / "tempoftp"
    copy.mkdir()
    (copy / "try.py").write_text(SCRIPT.read_text())
    copy.chmod(0o555)
    done = subprocess.run(
        [*as_plain_user, sys.executable, str(copy / "try.py")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"try.py: {copy} cannot be written by this user: clone the repository into a folder of your own"
    )


@pytest.mark.processes
@pytest.mark.timeout(2 * INSTALL_SECONDS + 60)
def test_installs_once_in_a_fresh_copy_and_runs(
    tmp_path: Path, plain_home: Path, as_plain_user: list[str], free_port: int
) -> None:
    copy_project(plain_home)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"--reference={plain_home}", plain_home], check=True, timeout=60)
    out = tmp_path / "out"
    command = [*as_plain_user, sys.executable, str(plain_home / "try.py"), "--port", str(free_port)]
    for installs in (True, False):
        with out.open("w") as file:
            process = subprocess.Popen(
                command, env=os.environ | {"HOME": str(plain_home)}, stdout=file, stderr=file
            )
        try:
            deadline = time.monotonic() + INSTALL_SECONDS
            while "To begin anew" not in out.read_text():
                assert process.poll() is None, out.read_text()
                assert time.monotonic() < deadline, out.read_text()
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
        assert code == 0, out.read_text()
        assert ("Installing into .venv-try" in out.read_text()) is installs
        assert "  .venv-try/bin/tempoftp credentials prueba_" in out.read_text()
