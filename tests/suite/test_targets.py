"""Every test is run by exactly one of the Makefile's targets, or the overlap is written down here.

`make test`, which CI runs, is `unit`, `processes` and `e2e`; only `faults`, which takes an hour, stands apart.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
# Together these run every test, and no two of them the same, except for what lies in both of OVERLAPS' pairs.
DISJOINT = ("unit", "processes", "e2e", "faults")
# `make e2e` says that it runs some of the faults: those cells have both marks.
OVERLAPS = {("e2e", "faults"): ("lab", "faults")}
# Targets that run a part of the tests of others, to be called alone.
PARTS = {"browser": ("e2e",), "platforms": ("e2e",), "simulation": ("unit", "processes")}

COLLECT = """
import json, sys
import pytest


class Recorder:
    def pytest_collection_finish(self, session):
        tests = {item.nodeid: sorted({mark.name for mark in item.iter_markers()}) for item in session.items}
        with open(sys.argv[1], "w") as stream:
            json.dump(tests, stream)


sys.exit(pytest.main(["--collect-only", "-q", "-n", "0", *sys.argv[2:]], plugins=[Recorder()]))
"""


@dataclass(frozen=True)
class Target:
    """One target of the Makefile that runs pytest: the folders that it names and its expression of marks."""

    name: str
    folders: tuple[str, ...]
    expression: str

    def runs(self, nodeid: str, marks: frozenset[str]) -> bool:
        """Whether the target runs this test."""
        path = nodeid.partition("::")[0]
        return any(path.startswith(f"{folder}/") for folder in self.folders) and (
            not self.expression or bool(eval(self.expression, {}, Marks(marks)))
        )


class Marks(Mapping[str, bool]):
    """The names in an expression of marks: those that a test has are true, all others false."""

    def __init__(self, marks: frozenset[str]) -> None:
        self._marks = marks

    def __getitem__(self, name: str) -> bool:
        return name in self._marks

    def __iter__(self):
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)


def read_targets() -> dict[str, Target]:
    """Return the targets of the Makefile that run pytest."""
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^(\w+) := (.*)$", text, re.MULTILINE))
    found = {}
    for name, recipe in re.findall(r"^([a-z][\w-]*):.*\n((?:\t.*\n)+)", text, re.MULTILINE):
        for line in recipe.splitlines():
            if "-m pytest" not in line:
                continue
            command = re.sub(r"\$\((\w+)\)", lambda match: variables.get(match[1], match[0]), line)
            words = shlex.split(command.partition("-m pytest")[2])
            expression = words[words.index("-m") + 1] if "-m" in words else ""
            folders = [word for word in words if (PROJECT / word).is_dir()]
            found[name] = Target(name, tuple(folders), expression)
    return found


def collect_tests(folder: Path) -> dict[str, frozenset[str]]:
    """Return every test with its marks, as pytest collects them in a process of its own."""
    path = folder / "tests.json"
    # Variables of ours change what the browser's tests are marked with; xdist's would make this a worker.
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TEMPOFTP_", "PYTEST_", "FTP_DB_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, str(path), "-p", "no:cacheprovider"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {nodeid: frozenset(marks) for nodeid, marks in json.loads(path.read_text()).items()}


@pytest.mark.processes
def test_every_test_is_run_by_one_target(tmp_path: Path) -> None:
    targets, tests = read_targets(), collect_tests(tmp_path)
    assert len(tests) > 4000
    ran = {
        nodeid: {name for name, target in targets.items() if target.runs(nodeid, marks)}
        for nodeid, marks in tests.items()
    }
    assert {nodeid for nodeid, names in ran.items() if not names & set(DISJOINT)} == set()
    for one, other in combinations(DISJOINT, 2):
        twice = {nodeid for nodeid, names in ran.items() if {one, other} <= names}
        allowed = OVERLAPS.get((one, other))
        assert {nodeid for nodeid in twice if not (allowed and tests[nodeid].issuperset(allowed))} == set()
    for part, whole in PARTS.items():
        own = {nodeid: names for nodeid, names in ran.items() if part in names}
        assert own, part
        assert {nodeid for nodeid, names in own.items() if not names & set(whole)} == set(), part


def test_every_target_of_pytest_is_known() -> None:
    targets = read_targets()
    assert set(targets) == {*DISJOINT, *PARTS}
    assert all(target.folders for target in targets.values())


def test_make_test_runs_all_but_the_faults() -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    needed = re.search(r"^test: ([^#]*)##", text, re.MULTILINE)
    beside = re.search(r"^\t\$\(MAKE\) .*-j2 .*target (.*)$", text, re.MULTILINE)
    assert needed is not None and beside is not None
    run = {*needed[1].split(), *beside[1].split()}
    assert run >= set(DISJOINT) - {"faults"} | {"check", "molecule"}
