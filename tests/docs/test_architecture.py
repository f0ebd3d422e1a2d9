"""docs/architecture.md: the walks are short, and every file and name in them is there."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import COLLECTION, PROJECT

TEXT = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
MODULE_UTILS = COLLECTION / "plugins" / "module_utils"
SERVICE = PROJECT / "service" / "tempoftp"
STEPS = re.findall(
    r"^\d+\. (.+)$", TEXT.partition("## Three walks")[2].partition("## Four exercises")[0], re.MULTILINE
)
ROOTS = {"module_utils/": MODULE_UTILS.parent, "plugins/": COLLECTION}


def find_file(name: str):
    root = next((folder for prefix, folder in ROOTS.items() if name.startswith(prefix)), SERVICE)
    return root / name


def test_each_walk_has_at_most_twelve_stops() -> None:
    walks = re.findall(r"^\*\*.+\*\*\n\n((?:\d+\. .+\n)+)", TEXT, re.MULTILINE)
    assert len(walks) == 3
    assert all(3 <= walk.count("\n") <= 12 for walk in walks)


@pytest.mark.parametrize("step", STEPS)
def test_each_stop_names_what_is_there(step: str) -> None:
    names = re.findall(r"`([\w./]+)`", step)
    paths = [find_file(name) for name in names if "/" in name and "." in name.rsplit("/", 1)[-1]]
    assert paths, "a stop names its file"
    for path in paths:
        assert path.is_file(), path
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    for name in re.findall(r"`([a-zA-Z_]+)`", step.split(":")[0]):
        assert re.search(rf"(?:def|class) {name}\b", text), name
