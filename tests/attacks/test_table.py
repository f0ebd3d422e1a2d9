"""docs/security.md names tests for every attack: each of them exists, and no attack has been forgotten."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "security.md"
HEADING = "## Attacks and the tests that hold them off"
ATTACKS = {
    *(
        "`ruta` as options",
        "`ruta` as shell",
        "`ruta` as globs",
        "`ruta` elsewhere",
        "`ruta` as unit argument",
    ),
    *("templates", "late run", "poisoned neighbour", "deletion through a mount", "somebody else's e-mail"),
    *("account that was there", "`id`", "`usuario`", "source tree", "share tree", "account row"),
    *(
        "HTTP",
        "secrets",
        "the key that clients hold",
        "recipient's link",
        "a shell as the API's user",
        "sign-in through a provider",
        "after access ends",
    ),
    *(
        "slow clients",
        "a page of another site",
        "hostile source",
        "an id that was somebody's",
        "a flood of requests",
    ),
    *("`/data` away", "clock ahead"),
}
FOLDERS = (PROJECT / "tests", PROJECT / "collections/ansible_collections/lanot/tempoftp/tests/unit")
_TEST = re.compile(r"`(test_\w+)::(test_\w+)`")


def _read_rows() -> dict[str, tuple[str, str]]:
    section = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {attack: (api, modules) for attack, api, modules in rows[1:]}


def _list_tests() -> dict[str, set[str]]:
    """The tests of every file, by the file's name; files of one name are taken together."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for path in folder.rglob("test_*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[path.stem] |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return found


ROWS = _read_rows()
TESTS = _list_tests()


def test_every_attack_has_a_row() -> None:
    assert set(ROWS) == ATTACKS


@pytest.mark.parametrize("attack", ROWS)
def test_every_named_test_exists(attack: str) -> None:
    named = _TEST.findall(" ".join(ROWS[attack]))
    assert named, f"{attack}: no test at all"
    assert [f"{file}::{test}" for file, test in named if test not in TESTS[file]] == []


def test_every_test_that_the_page_names_elsewhere_exists() -> None:
    named = _TEST.findall(PAGE.read_text(encoding="utf-8").partition(HEADING)[0])
    assert len(named) > 10
    assert [f"{file}::{test}" for file, test in named if test not in TESTS[file]] == []


def test_every_test_that_the_page_names_exists() -> None:
    named = _TEST.findall(PAGE.read_text(encoding="utf-8"))
    assert [f"{file}::{test}" for file, test in named if test not in TESTS[file]] == []


@pytest.mark.parametrize("attack", ROWS)
def test_a_side_without_a_test_says_why(attack: str) -> None:
    for side in ROWS[attack]:
        assert _TEST.search(side) or len(side) > 20, f"{attack}: {side!r}"
