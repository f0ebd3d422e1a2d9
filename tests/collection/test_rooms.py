"""The rooms of `plugins/module_utils`: each imports only from rooms before it, and no import makes a circle."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

ROOMS = (
    "_host",
    "_record",
    "_copy",
    "_share",
    "_account",
    "_transfers",
    "_sweep",
    "_preflight",
    "_audit",
)
UTILS = (
    Path(__file__).resolve().parents[2]
    / "collections/ansible_collections/lanot/tempoftp/plugins/module_utils"
)


def list_modules() -> dict[str, Path]:
    """Return every module by its dotted name below `module_utils`."""
    return {
        f"{path.parent.name}.{path.stem}": path for path in UTILS.glob("*/*.py") if path.stem != "__init__"
    }


def find_imports(name: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of ours that a module imports, also inside functions."""
    room = name.split(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        target = node.module or ""
        full = f"{room}.{target}" if node.level == 1 and target else target or room
        if full in modules:
            yield full
        else:
            yield from (f"{full}.{alias.name}" for alias in node.names)


def test_every_module_stands_in_a_room() -> None:
    assert {path.name for path in UTILS.glob("*.py")} <= {"__init__.py"}
    assert {name.split(".")[0] for name in list_modules()} == set(ROOMS)


def test_each_room_imports_only_from_rooms_before_it() -> None:
    modules = list_modules()
    wrong = [
        f"{name} imports {target}"
        for name, path in modules.items()
        for target in find_imports(name, path, modules)
        if ROOMS.index(target.split(".")[0]) > ROOMS.index(name.split(".")[0])
    ]
    assert wrong == []


def test_no_module_imports_itself_by_a_circle() -> None:
    modules = list_modules()
    graph = {name: set(find_imports(name, path, modules)) for name, path in modules.items()}
    assert sum(map(len, graph.values())) > len(graph)
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(graph)
