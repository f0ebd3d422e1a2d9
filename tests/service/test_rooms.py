"""The modules of the service import each other without a circle, imports inside functions included.

Which room may import which is a contract of import-linter, in `pyproject.toml`.
"""

from __future__ import annotations

import graphlib

import grimp


def test_no_module_imports_itself_by_a_circle() -> None:
    graph = grimp.build_graph("tempoftp", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert sum(map(len, imports.values())) > len(imports)
    assert len(list(graphlib.TopologicalSorter(imports).static_order())) == len(imports)
