"""Nothing that is read back can hold code: no module of the service unpickles anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import PickleType

import tempoftp
from tempoftp.db.models import Base

PACKAGE = Path(tempoftp.__file__).parent
REFUSED = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "dbm"}


def find_refused(tree: ast.Module) -> set[str]:
    """Return what a module uses that makes objects, and so runs code, from bytes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in REFUSED}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} if (node.module or "").split(".")[0] in REFUSED else set()
            found |= {alias.name for alias in node.names if alias.name == "PickleType"}
        elif isinstance(node, ast.Attribute):
            is_yaml = isinstance(node.value, ast.Name) and node.value.id == "yaml"
            found |= (
                {f"yaml.{node.attr}"}
                if is_yaml and node.attr in ("load", "unsafe_load", "full_load")
                else set()
            )
            found |= {node.attr} if node.attr == "PickleType" else set()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import marshal as m",
        "from dbm import open",
        "import yaml\nyaml.load(x, yaml.Loader)",
        "from sqlalchemy import PickleType",
        "import sqlalchemy as sa\ncolumn = sa.PickleType()",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert find_refused(ast.parse(text))


def test_no_module_unpickles() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): refused
        for path in sorted(PACKAGE.rglob("*.py"))
        if (refused := find_refused(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_no_column_is_a_pickle() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    assert columns
    assert [str(column) for column in columns if isinstance(column.type, PickleType)] == []
