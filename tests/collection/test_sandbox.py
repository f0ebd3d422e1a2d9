"""How much each unit of an FTP host is exposed, as `systemd-analyze security` counts it (0: nothing, 10: all)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.sandboxes import (
    sandbox_connection,
    sandbox_copy,
    sandbox_measure,
    sandbox_purge,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._copy.ssh import read_access
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.sandbox import View, build_sandbox
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest

from tests.roles.rendering import render

pytestmark = [pytest.mark.processes, pytest.mark.needs_systemd]

TREE = Tree(Path("/data"))
REMOTE = Manifest("a1", 1, "ana", "source1:/srv/goes16", ssh_key_file="/etc/tempoftp/ssh/source1")
LOCAL = Manifest("a1", 1, "ana", "aqui:/srv/goes16", local=True, ssh_user="root")
VERSION = 252


def measure(tmp_path: Path, unit: str) -> float:
    program = shutil.which("systemd-analyze")
    assert program is not None
    path = tmp_path / "measured.service"
    path.write_text(unit, encoding="utf-8")
    done = subprocess.run(
        [program, "security", "--offline=yes", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"Overall exposure level for measured.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def write_unit(properties: Sequence[str]) -> str:
    return "\n".join(["[Service]", "ExecStart=/usr/bin/python3 -IS /x", "UMask=0077", *properties, ""])


@pytest.mark.parametrize(
    "manifest", [REMOTE, LOCAL, REMOTE._replace(reuse=True)], ids=["ssh", "local", "reuse"]
)
def test_a_copy_is_exposed_little(tmp_path: Path, manifest: Manifest) -> None:
    assert measure(tmp_path, write_unit(sandbox_copy(VERSION, TREE, manifest, read_access(manifest)))) <= 3.0


def test_the_connection_to_a_source_is_exposed_little(tmp_path: Path) -> None:
    assert measure(tmp_path, write_unit(sandbox_connection(VERSION, TREE, read_access(REMOTE)))) <= 3.0


@pytest.mark.parametrize("manifest", [REMOTE, LOCAL], ids=["ssh", "local"])
def test_a_measurement_is_exposed_little(tmp_path: Path, manifest: Manifest) -> None:
    assert measure(tmp_path, write_unit(sandbox_measure(VERSION, TREE, read_access(manifest)))) <= 3.0


def test_a_removal_is_exposed_little(tmp_path: Path) -> None:
    assert measure(tmp_path, write_unit(sandbox_purge(VERSION, TREE))) <= 2.0


def test_the_sweep_is_exposed_little(tmp_path: Path) -> None:
    assert measure(tmp_path, render("ftp_server", "tempoftp-expire.service.j2", "Debian")) <= 4.0


def test_the_unit_of_the_sweep_has_the_base_of_all_sandboxes() -> None:
    lines = set(render("ftp_server", "tempoftp-expire.service.j2", "Debian").splitlines())
    base = build_sandbox(VERSION, writable=(), capabilities=(), network=True, view=View(hidden=()))
    # It must see the processes of pure-ftpd, and reads no list of a source. It is short, so it does not step back for
    # downloads as copies do.
    other = (
        "ProtectProc=",
        "CapabilityBoundingSet=",
        "LimitNOFILE=",
        "LimitAS=",
        "Nice=",
        "CPUWeight=",
        "IOWeight=",
    )
    assert {text for text in base if not text.startswith(other)} <= lines
