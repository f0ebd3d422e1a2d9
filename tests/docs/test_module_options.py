"""The documented options of every module, documentation fragments included, are those that the module takes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import module_pages
import pytest

MODULES = (
    "tempoftp_audit",
    "tempoftp_expire",
    "tempoftp_ftpuser",
    "tempoftp_ftpuser_info",
    "tempoftp_preflight_info",
    "tempoftp_root",
    "tempoftp_share",
    "tempoftp_share_info",
    "tempoftp_source_host_info",
    "tempoftp_source_info",
    "tempoftp_transfers_info",
)


@pytest.fixture(scope="module")
def documentation() -> dict[str, Any]:
    """What ansible-doc reads, by the full name of the module."""
    return module_pages.read_documentation("module")


def test_every_module_with_options_of_its_own_is_compared(documentation: dict[str, Any]) -> None:
    # The other modules are action plugins, which check their options themselves.
    names = {
        name.rpartition(".")[2] for name, entry in documentation.items() if not entry["doc"]["has_action"]
    }
    assert names == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_documented_and_every_documented_one_exists(
    name: str, documentation: dict[str, Any]
) -> None:
    module = importlib.import_module(f"ansible_collections.lanot.tempoftp.plugins.modules.{name}")
    compare(documentation[f"lanot.tempoftp.{name}"]["doc"]["options"], module.build_argument_spec())


def compare(documented: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    assert set(documented) == set(spec)
    for name, option in spec.items():
        for key in ("type", "elements", "choices"):
            assert documented[name].get(key) == option.get(key), f"{name}: {key}"
        # ansible-doc leaves an empty default out.
        assert (documented[name].get("default") or None) == (option.get("default") or None), name
        assert bool(documented[name].get("required")) == bool(option.get("required")), name
        compare(documented[name].get("suboptions", {}), option.get("options", {}))
