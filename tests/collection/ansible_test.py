#!/usr/bin/env python3
"""The collection's own checks, as its users' CI would run them: build, documentation, changelog, ansible-test.

Run by `make check`. Works on a copy in a temporary ``ansible_collections`` tree, since ansible-test wants the
collection to be found there and writes its output into it. Needs a package index for pip, and nothing else of the
network: see write_pip_bootstrap.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections/lanot/tempoftp")
BIN = Path(sys.executable).parent
# The controller's Python that the collection is checked with.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# Seconds; the first run installs ansible-test's own requirements.
TIME_LIMIT = 900
_IGNORED = shutil.ignore_patterns("__pycache__", "output", ".*", "*.pyc", "*.tar.gz")

PIP_BOOTSTRAP = '''\
"""Stands in for get-pip.py, which ansible-test would download: ensurepip has a pip already."""

import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
'''


def stage_collection(work: Path) -> Path:
    """Copy the collection into *work* and return its place there."""
    staged = work / COLLECTION
    shutil.copytree(REPOSITORY / "collections" / COLLECTION, staged, ignore=_IGNORED)
    return staged


def write_pip_bootstrap() -> None:
    """Put the file that ansible-test would download where it looks for it; one that is there is left alone."""
    cached = Path.home() / ".ansible/test/cache" / f"get_pip_{read_pip_version().replace('.', '_')}.py"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(PIP_BOOTSTRAP, encoding="ascii")


def read_pip_version() -> str:
    """Return the pip that this ansible-test pins: ``pip='…'`` in its python_requirements.py."""
    # By its distribution, since this script has the name of its package.
    package = distribution("ansible-core").locate_file("ansible_test")
    source = Path(str(package)) / "_internal/python_requirements.py"
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "pip" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    raise SystemExit(f"ansible_test.py: {source} pins no pip: look how this ansible-core bootstraps it")


def run(argv: list[str], where: Path, environment: dict[str, str]) -> bool:
    """Run *argv* in *where*, its output shown; return whether it succeeded."""
    print(f"\n== {Path(argv[0]).name} {' '.join(argv[1:])}", flush=True)
    try:
        return (
            subprocess.run(argv, cwd=where, env=environment, check=False, timeout=TIME_LIMIT).returncode == 0
        )
    except subprocess.TimeoutExpired:
        print(f"ansible_test.py: not done in {TIME_LIMIT} s", flush=True)
        return False


def build_environment(work: Path) -> dict[str, str]:
    """Return the environment of the checks: this venv first, the staged tree, no settings of the repository."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    return {
        **kept,
        "PATH": f"{BIN}:{kept.get('PATH', os.defpath)}",
        "ANSIBLE_COLLECTIONS_PATH": str(work),
        "ANSIBLE_HOME": str(work / "home"),
        "LC_ALL": "C.UTF-8",
    }


def check_build(staged: Path, environment: dict[str, str]) -> bool:
    """Build the tarball that would be published."""
    target = str(staged.parents[2])
    return run(
        [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", target], staged, environment
    )


def check_docs(staged: Path, environment: dict[str, str]) -> bool:
    """Lint the documentation of the collection and of its plugins, links between them included."""
    argv = [str(BIN / "antsibull-docs"), "lint-collection-docs", "--plugin-docs", "."]
    return run(argv, staged, environment)


def check_changelog(staged: Path, environment: dict[str, str]) -> bool:
    """Lint the changelog fragments."""
    return run([str(BIN / "antsibull-changelog"), "lint"], staged, environment)


def check_sanity(staged: Path, environment: dict[str, str]) -> bool:
    """Run ansible-test's sanity tests."""
    return run_ansible_test("sanity", staged, environment)


def check_units(staged: Path, environment: dict[str, str]) -> bool:
    """Run the collection's unit tests as ansible-test does: through its own collection loader."""
    return run_ansible_test("units", staged, environment)


def run_ansible_test(command: str, staged: Path, environment: dict[str, str]) -> bool:
    """Run one command of ansible-test in its own virtual environment."""
    write_pip_bootstrap()
    argv = [
        str(BIN / "ansible-test"),
        command,
        "--venv",
        "--python",
        PYTHON,
        "--requirements",
        "--color",
        "no",
    ]
    return run(argv, staged, environment)


CHECKS: dict[str, Callable[[Path, dict[str, str]], bool]] = {
    "build": check_build,
    "docs": check_docs,
    "changelog": check_changelog,
    "sanity": check_sanity,
    "units": check_units,
}
# `make unit` runs the same tests in a fraction of the time; `units` shows that ansible-test's loader finds them too.
DEFAULT_CHECKS = ["build", "docs", "changelog", "sanity"]


def main() -> int:
    """Run the checks that were named, or the default ones; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checks", nargs="*", metavar="check", help=f"one of {', '.join(CHECKS)}; all but units when none"
    )
    names = parser.parse_args().checks or DEFAULT_CHECKS
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        parser.error(f"unknown check {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="tempoftp-collection-") as directory:
        work = Path(directory)
        environment = build_environment(work)
        staged = stage_collection(work)
        failed = [name for name in names if not CHECKS[name](staged, environment)]
    print(f"\ncollection: {len(names) - len(failed)} of {len(names)} checks passed", end="")
    print(f", failed: {', '.join(failed)}" if failed else "")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
