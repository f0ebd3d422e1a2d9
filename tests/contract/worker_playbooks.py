"""The playbooks that the worker starts, found by their names and read as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections/ansible_collections"


def locate_playbook(name: str) -> Path:
    """Return the file of a playbook of a collection, as Ansible finds it by its full name."""
    namespace, collection, playbook = name.split(".")
    return COLLECTIONS / namespace / collection / "playbooks" / f"{playbook}.yml"


def read_tasks(name: str) -> dict[str, dict[str, Any]]:
    """Return the tasks of a playbook that has one play, by their names; tasks of a rescue are left out."""
    (play,) = yaml.safe_load(locate_playbook(name).read_text(encoding="utf-8"))
    return {task["name"]: task for entry in play["tasks"] for task in entry.get("block", [entry])}
