"""Render a role's template with its defaults and variables, with Ansible's engine, for Debian and RHEL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = PROJECT / "collections/ansible_collections/lanot/tempoftp"
ROLES = COLLECTION / "roles"
PLAYBOOKS = COLLECTION / "playbooks"
FAMILIES = ("Debian", "RedHat")

SOURCES = [
    {
        "name": "source1",
        "address": "192.0.2.21",
        "aliases": ["datos.example.org"],
        "checksums": True,
        "host_keys": ["ssh-ed25519 AAAAC3Nzexample"],
        "roots": [
            {"name": "datos", "path": "/srv/datos"},
            {"name": "abierta", "path": "/srv/abierta", "restricted": False},
        ],
    },
    {
        "name": "aqui",
        "local": True,
        "method": "bind",
        "reuse": False,
        "roots": [{"name": "datos", "path": "/srv/local"}],
    },
]
HOST = {
    "inventory_hostname": "ftp1",
    "ansible_host": "192.0.2.11",
    "groups": {"ftp_hosts": ["ftp1"]},
    "tempoftp_sources": SOURCES,
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping; empty when there is no such file."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def read_variables(role: str, family: str) -> dict[str, Any]:
    """Return the variables of the role on a host of this family: its defaults, then its variables."""
    folder = ROLES / role
    variables = read_yaml(folder / "defaults/main.yml") | read_yaml(folder / "vars/main.yml")
    for path in sorted((folder / "vars/main").glob("*.yml")):
        variables |= read_yaml(path)
    return variables | read_yaml(folder / f"vars/{family}.yml")


def evaluate(role: str, family: str, expression: str, **variables: Any) -> Any:
    """Return the value of a Jinja expression inside the role."""
    return _build_templar(role, family, variables).template(_trust("{{ " + expression + " }}"))


def render(role: str, template: str, family: str, **variables: Any) -> str:
    """Return the text of a template of the role."""
    text = (ROLES / role / "templates" / template).read_text(encoding="utf-8")
    return str(_build_templar(role, family, variables).template(_trust(text)))


def _build_templar(role: str, family: str, variables: dict[str, Any]) -> Templar:
    everything = {**read_variables(role, family), **HOST, **variables}
    return Templar(loader=DataLoader(), variables={name: _trust(value) for name, value in everything.items()})


def _trust(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [_trust(item) for item in value]
    if isinstance(value, dict):
        return {key: _trust(item) for key, item in value.items()}
    return value
