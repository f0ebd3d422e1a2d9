"""The argument_specs and the defaults of every role agree, and the defaults pass the role's validation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.roles.rendering import FAMILIES, ROLES, evaluate, read_yaml

NAMES = ("ftp_database", "ftp_server", "service", "source_host")


def _read_options(role: str) -> dict[str, Any]:
    specs = read_yaml(ROLES / role / "meta/argument_specs.yml")
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


def test_every_role_is_tested() -> None:
    assert sorted(path.name for path in ROLES.iterdir() if path.is_dir()) == list(NAMES)


@pytest.mark.parametrize("role", NAMES)
def test_every_default_is_an_option_and_every_option_has_a_default(role: str) -> None:
    assert sorted(_read_options(role)) == sorted(read_yaml(ROLES / role / "defaults/main.yml"))


@pytest.mark.parametrize("role", NAMES)
def test_documented_defaults_are_the_real_ones(role: str) -> None:
    for name, option in _read_options(role).items():
        if "default" in option:
            value = evaluate(role, "Debian", name, role_path=str(ROLES / role), tempoftp_sources=[])
            assert value == option["default"], name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("role", NAMES)
def test_defaults_pass_validation(role: str, family: str) -> None:
    options = _read_options(role)
    given = {name: evaluate(role, family, name, role_path=str(ROLES / role)) for name in options}
    result = ArgumentSpecValidator(options).validate(given)
    assert result.error_messages == []


def test_a_source_without_roots_is_refused() -> None:
    given = {"tempoftp_sources": [{"name": "source1"}]}
    result = ArgumentSpecValidator(_read_options("ftp_server")).validate(given)
    assert any("roots" in message for message in result.error_messages)
