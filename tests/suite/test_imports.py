"""Shared test code is imported as a package: no test changes Python's path or runs a file to read from it."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests", "molecule", "collections/ansible_collections/lanot/tempoftp/tests")


def find_tricks(source: str) -> list[int]:
    """Return the lines that import `runpy` or use `sys.path`."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        if {"runpy", "sys.path"} & set(names):
            lines.append(node.lineno)
    return lines


def test_they_are_found() -> None:
    assert find_tricks("import runpy\nimport sys\nsys.path.append('x')\nfrom sys import path\n") == [1, 4, 3]


def test_nothing_changes_the_path() -> None:
    files = [file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py")]
    assert len(files) > 200
    found = {
        str(file.relative_to(PROJECT)): lines
        for file in files
        if (lines := find_tricks(file.read_text(encoding="utf-8")))
    }
    assert found == {}
