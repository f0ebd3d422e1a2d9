"""Ansible can read the inventories and playbooks from which an operator starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.roles.programs import run_program
from tests.roles.rendering import PROJECT

pytestmark = pytest.mark.processes

PLAYBOOKS = sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("playbooks/*.yml"))
INVENTORIES = ("inventories/local", "inventories/production.example")


def _read_inventory(tmp_path: Path, inventory: str) -> dict[str, Any]:
    done = run_program(tmp_path, "ansible-inventory", "-i", inventory, "--list")
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_local_inventory_is_the_seeds_single_host(tmp_path: Path) -> None:
    read = _read_inventory(tmp_path, "inventories/local")
    assert read["ftp_hosts"]["hosts"] == read["service_hosts"]["hosts"] == ["localhost"]
    assert read["_meta"]["hostvars"]["localhost"]["ansible_connection"] == "local"


def test_production_example_has_every_group(tmp_path: Path) -> None:
    read = _read_inventory(tmp_path, "inventories/production.example")
    assert {"ftp_hosts", "source_hosts", "service_hosts"} <= set(read)
    names = [source["name"] for source in read["_meta"]["hostvars"]["source1"]["tempoftp_sources"]]
    assert names == read["source_hosts"]["hosts"]


@pytest.mark.parametrize("inventory", INVENTORIES)
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_have_valid_syntax(tmp_path: Path, playbook: str, inventory: str) -> None:
    done = run_program(tmp_path, "ansible-playbook", "-i", inventory, "--syntax-check", playbook)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
