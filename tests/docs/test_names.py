"""Everything that the pages name exists, and everything that exists is named on its page, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from cryptography.fernet import Fernet

from tempoftp.app import create_app
from tempoftp.cli.main import COMMANDS, main
from tempoftp.db.schema import upgrade_database
from tempoftp.errors import ERROR_CLASSES
from tempoftp.settings import (
    CLIENT_VARIABLES,
    INVENTORY_VARIABLES,
    Settings,
    load_settings,
    variable_of,
)
from tempoftp.states import TRANSITIONS, State
from tests.support.documents import COLLECTION, DOCUMENTS, PROJECT, Document, read_pair

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def in_both_languages(name: str) -> pytest.MarkDecorator:
    """Run a test on the page `docs/NAME.md` and on its Spanish twin."""
    return pytest.mark.parametrize("document", read_pair(f"docs/{name}"), ids=lambda document: document.name)


SETTINGS = {variable_of(name) for name in Settings.model_fields}
TOP_FOLDERS = (
    "service",
    "tests",
    "docs",
    "playbooks",
    "collections",
    "molecule",
    "inventories",
    "deploy",
    ".ci",
)
_PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(map(re.escape, TOP_FOLDERS))})/[\w./*-]*[\w*]")
_ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w./{}]*)")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]+)")
_COMMAND = re.compile(r"(?:^|[;&|(] *|=\S* |bin/)tempoftp ([a-z][a-z-]*(?: [a-z]+)?)")
_SETTING = re.compile(r"\bTEMPOFTP_[A-Z_]*[A-Z]")
_ROLE_VARIABLE = re.compile(r"\b(?:ftp_server|ftp_database|source_host|service)_[a-z_]*[a-z]\b")
_SITE_VARIABLE = re.compile(r"\b(?:tempoftp|ftp_db)_[a-z_]+[a-z]\b(?!\.)")
GROUPS = {"ftp_hosts", "source_hosts", "service_hosts"}
# tests/service/http/test_get_metrics.py compares this table with the metrics.
METRICS = set(
    re.findall(r"^\| `(tempoftp_\w+)` \|", (PROJECT / "docs" / "monitoring.md").read_text(), re.MULTILINE)
)
MODULES = {path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py")}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Every (method, path) of the API, with `{id}` for a parameter."""
    folder = tmp_path_factory.mktemp("routes")
    settings = load_settings(
        encryption_key=Fernet.generate_key().decode(),
        secret_key=Fernet.generate_key().decode(),
        simulacro=True,
        state_dir=folder,
    )
    upgrade_database(settings)
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_app(settings).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """The targets of the Makefile that `make help` lists."""
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def _walk_commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _walk_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _iterate_commands(document: Document) -> Iterator[str]:
    """Yield the subcommands that a page names, such as `key new` or `status`."""
    known = dict(_walk_commands(main))
    for code in document.code:
        for match in _COMMAND.finditer(code):
            words = match[1].split()
            yield words[0] if words[0] in known else " ".join(words)


@each_document
def test_paths_exist(document: Document) -> None:
    for code in document.code:
        for path in _PATH.findall(code):
            assert any(PROJECT.glob(path)), f"{document.name} names {path}, which is not there"


@each_document
def test_named_routes_exist(document: Document, routes: set[tuple[str, str]]) -> None:
    for code in document.code:
        for method, path in _ROUTE.findall(code):
            assert (method, path) in routes, (
                f"{document.name} names {method} {path}, which the API does not have"
            )


@in_both_languages("api")
def test_every_route_is_named(document: Document, routes: set[tuple[str, str]]) -> None:
    named = {match for span in document.spans for match in _ROUTE.findall(span)}
    # The pages of the portal have their own table in docs/portal.md.
    assert {route for route in routes if not route[1].startswith("/portal/")} - named == set()


def test_every_page_of_the_portal_is_in_its_table(routes: set[tuple[str, str]]) -> None:
    page = Document(PROJECT / "docs" / "portal.md")
    named = {match for span in page.spans for match in _ROUTE.findall(span)}
    assert {route for route in routes if route[1].startswith("/portal/")} - named == set()


@each_document
def test_named_settings_exist(document: Document) -> None:
    known = SETTINGS | CLIENT_VARIABLES | INVENTORY_VARIABLES
    named = set(_SETTING.findall("\n".join(document.code)))
    assert named - known == set()


@in_both_languages("settings")
def test_every_variable_is_named(document: Document) -> None:
    named = set(document.spans)
    assert (SETTINGS | CLIENT_VARIABLES | INVENTORY_VARIABLES) - named == set()


@each_document
def test_named_make_targets_exist(document: Document, targets: set[str]) -> None:
    named = {target for code in document.code for target in _MAKE.findall(code)}
    assert named - targets == set()


@in_both_languages("testing")
def test_every_make_target_is_named(document: Document, targets: set[str]) -> None:
    named = {target for code in document.code for target in _MAKE.findall(code)}
    assert targets - named == set()


@each_document
def test_named_commands_exist(document: Document) -> None:
    known = set(dict(_walk_commands(main)))
    assert set(_iterate_commands(document)) - known == set()


@in_both_languages("cli")
def test_every_command_is_named(document: Document) -> None:
    assert {name.split()[0] for name, _ in _walk_commands(main)} == set(COMMANDS)
    assert {name for name, _ in _walk_commands(main)} - set(_iterate_commands(document)) == set()


@in_both_languages("cli")
def test_named_options_exist(document: Document) -> None:
    options = {
        option
        for _, command in _walk_commands(main)
        for parameter in command.params
        for option in parameter.opts
    }
    rows = [line for line in document.prose.splitlines() if line.startswith("| `tempoftp ")]
    assert len(rows) >= len(COMMANDS) - 1
    named = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    assert named
    assert named - options == set()


@in_both_languages("api")
def test_every_state_is_named(document: Document) -> None:
    words = set(re.findall(r"\w+", " ".join(document.spans)))
    assert {state.value for state in State} - words == set()


@in_both_languages("troubleshooting")
def test_every_error_class_has_a_row(document: Document) -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| (\w+) \| .+ \|$", document.prose, re.MULTILINE)
    told = {
        name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names) if name in ERROR_CLASSES
    }
    assert set(told) == set(ERROR_CLASSES)
    for name, kind in told.items():
        assert kind.startswith("transi" if ERROR_CLASSES[name].transient else "perman"), name


def test_states_page_has_every_state_and_transition() -> None:
    page = Document(PROJECT / "docs" / "states.md")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page.text, re.MULTILINE)) == sorted(s.value for s in State)
    drawn = re.findall(r"^    (\w+) --> (\w+)$", page.text, re.MULTILINE)
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(origin.value, to.value) for origin, ends in TRANSITIONS.items() for to in ends}


@in_both_languages("install")
def test_every_playbook_and_role_is_named(document: Document) -> None:
    playbooks = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("playbooks/*.yml")}
    code = "\n".join(document.code)
    assert {name for name in playbooks if name not in code} == set()
    assert {path.name for path in (COLLECTION / "roles").iterdir()} - document.spans == set()


def _read_role_variables() -> set[str]:
    found: set[str] = set()
    for path in (COLLECTION / "roles").glob("*/meta/argument_specs.yml"):
        found |= set(yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    return found


def _read_ansible_text() -> str:
    folders = [COLLECTION / "roles", COLLECTION / "playbooks"]
    files: list[Path] = [path for folder in folders for path in folder.rglob("*.yml")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@each_document
def test_named_ansible_variables_exist(document: Document) -> None:
    code = "\n".join(document.code)
    roles = {path.name for path in (COLLECTION / "roles").iterdir()}
    named = set(_ROLE_VARIABLE.findall(code)) - GROUPS - roles
    assert named - _read_role_variables() == set()
    used = set(re.findall(r"\w+", _read_ansible_text()))
    assert set(_SITE_VARIABLE.findall(code)) - MODULES - METRICS - used == set()


@in_both_languages("ftp-host")
def test_every_option_of_pure_ftpd_is_named(document: Document) -> None:
    path = COLLECTION / "roles" / "ftp_server" / "vars" / "main.yml"
    options = yaml.safe_load(path.read_text(encoding="utf-8"))["ftp_server_options"]
    assert set(options) - document.spans == set()


@in_both_languages("install")
def test_every_file_of_deploy_is_named(document: Document) -> None:
    code = "\n".join(document.code)
    shipped = [
        path.name for path in (PROJECT / "deploy").iterdir() if path.suffix in (".service", ".example")
    ]
    assert [name for name in shipped if name not in code] == []
