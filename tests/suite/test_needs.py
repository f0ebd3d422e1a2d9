"""A test that misses a program is skipped by hand and fails in CI, with the same words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.needs import FIXTURES, IMPLIED, PROGRAMS

PROJECT = Path(__file__).resolve().parents[2]
WORDS = "the program rsync is missing: install the Debian package rsync"
TESTS = """
import pytest

@pytest.mark.needs_rsync
def test_copy(): pass

def test_other(): pass
"""


def run_pytest(folder: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a file of tests with the plugin, where PATH has no program at all."""
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs_rsync: copies\n")
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and "PYTEST" not in name}
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "tests.support.needs", "-p", "no:cacheprovider"],
        cwd=folder,
        env=inherited | quick | {"PYTHONPATH": str(PROJECT), "PATH": "/nonexistent"} | environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("said", ["", "false"])
def test_by_hand_it_is_skipped(tmp_path: Path, said: str) -> None:
    done = run_pytest(tmp_path, TESTS, CI=said)
    assert done.returncode == 0
    assert WORDS in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_in_ci_it_is_an_error(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, TESTS, CI="true")
    assert done.returncode == 1
    assert WORDS in done.stdout
    assert "1 passed, 1 error" in done.stdout


def test_ci_skips_for_no_other_reason_either(tmp_path: Path) -> None:
    text = """
import pytest

@pytest.mark.skipif(True, reason="this kernel has no btrfs")
def test_a(): pass

def test_b():
    pytest.skip("nothing to do")

@pytest.mark.xfail(strict=True)
def test_c():
    raise AssertionError
"""
    done = run_pytest(tmp_path, text, CI="true")
    assert "this kernel has no btrfs" in done.stdout
    assert "nothing to do" in done.stdout
    assert "1 failed, 1 xfailed, 1 error" in done.stdout


def test_marks_and_needs_are_the_same() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    registered = {line.partition(":")[0] for line in settings["tool"]["pytest"]["ini_options"]["markers"]}
    needs = {*PROGRAMS, "needs_root", "needs_mounts"}
    assert {name for name in registered if name.startswith("needs_")} == needs
    assert set(IMPLIED) <= registered
    assert {mark for marks in (*IMPLIED.values(), *FIXTURES.values()) for mark in marks} <= needs


def test_the_makefile_brings_every_program() -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    packages = {
        word for words in re.findall(r"^\w*PACKAGES := (.*)$", text, re.MULTILINE) for word in words.split()
    }
    needed = {package for programs in PROGRAMS.values() for package in programs.values()}
    assert needed - packages == set()
