"""Both layouts of control groups, on a copy of their folders (the machine at hand has only one of them)."""

from pathlib import Path

import pytest
from lab.run import LabError

from lab import cgroups


def lay_out(root: Path, *trees: str) -> None:
    for tree in trees:
        (root / tree).mkdir(parents=True, exist_ok=True)
        (root / tree / "cgroup.procs").touch()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "CGROUP_ROOT", tmp_path)
    return tmp_path


def test_pure_v2_needs_no_other_tree(root: Path) -> None:
    lay_out(root, ".")
    (root / "cgroup.controllers").touch()
    assert cgroups.find_v2_root() == root
    assert cgroups.find_v1_roots() == []
    assert cgroups.HostGroup("demo-ftp1").top == root / "tempoftp-lab-demo-ftp1"


def test_hybrid_takes_the_v1_trees_that_are_there(root: Path) -> None:
    lay_out(root, "systemd", "unified", "memory")
    (root / "unified" / "cgroup.controllers").touch()
    assert cgroups.find_v2_root() == root / "unified"
    assert cgroups.find_v1_roots() == [root / "systemd", root / "memory"]


def test_pure_v1_is_refused(root: Path) -> None:
    lay_out(root, "systemd", "memory")
    with pytest.raises(LabError, match="no cgroup v2 tree"):
        cgroups.find_v2_root()


def test_machines_of_a_net_are_found_in_any_tree(root: Path) -> None:
    lay_out(root, "systemd", "unified")
    (root / "unified" / "cgroup.controllers").touch()
    for folder in (
        "systemd/tempoftp-lab-demo-ftp1",
        "unified/tempoftp-lab-demo-source1",
        "unified/tempoftp-lab-test-ftp1",
    ):
        (root / folder).mkdir()
    assert cgroups.list_machines("demo") == ["demo-ftp1", "demo-source1"]
