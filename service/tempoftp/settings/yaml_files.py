"""Reading an operator's YAML file: a key that stands twice in one mapping is an error, where YAML takes the last."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode


class DuplicateKeyError(yaml.YAMLError):
    """A key stands twice in one mapping. The message says which and where."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses a key that stands twice."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, MappingNode):  # else the parent says what is wrong
            seen: dict[object, int] = {}
            for key_node, _value in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                line = key_node.start_mark.line + 1
                if isinstance(key, Hashable) and key in seen:
                    raise DuplicateKeyError(
                        f"key {key!r} in line {line} stands in line {seen[key]} already: give it once"
                    )
                if isinstance(key, Hashable):
                    seen[key] = line
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file. Raises OSError, UnicodeDecodeError and yaml.YAMLError."""
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
