from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tempoftp.cli import exits
from tempoftp.cli.main import COMMANDS, main

HEAVY = (
    "flask",
    "sqlalchemy",
    "ansible",
    "ansible_runner",
    "redis",
    "gunicorn",
    "pydantic",
    "alembic",
    "tempoftp.settings",
)


def test_help_lists_every_command(tempoftp_alone) -> None:
    ended = tempoftp_alone("--help")
    assert ended.code == 0
    for name, (_module, _attribute, summary) in COMMANDS.items():
        assert name in ended.out
        assert summary in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_name_and_help(tempoftp_alone, name: str) -> None:
    ended = tempoftp_alone(name, "--help")
    assert ended.code == 0
    assert f"tempoftp {name}" in ended.out
    command = main.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name
    assert command.help


def test_help_names_every_exit_code(tempoftp_alone) -> None:
    shown = tempoftp_alone("--help").out
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert codes == {0, 1, 2, 3, 4, 5, 6, 130}
    for code in codes:
        assert f"{code} " in shown


def walk_commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from walk_commands(command, *path, name)
        else:
            yield (*path, name), command


def test_every_command_with_an_answer_has_json() -> None:
    without = {
        path
        for path, command in walk_commands(main)
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == {("serve",), ("worker",), ("completion",), ("try",)}


def test_the_page_has_every_command_option_and_exit_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    for path, command in walk_commands(main):
        assert f"`tempoftp {' '.join(path)}" in page, path
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in page, (path, option)
    table = [line for line in (exits.__doc__ or "").splitlines() if line.startswith("| ")]
    assert len(table) > 8
    for row in table:
        assert row in page


def test_an_unknown_command_exits_2(tempoftp_alone) -> None:
    assert tempoftp_alone("volar").code == 2


@pytest.mark.parametrize(
    "name",
    [
        "request",
        "status",
        "list",
        "delete",
        "decrypt",
        "key",
        "log",
        "health",
        "config",
        "link",
        "extensions",
    ],
)
def test_client_commands_import_nothing_of_the_service(name: str) -> None:
    check = (
        "import sys\n"
        "from tempoftp.cli.main import main\n"
        f"main.get_command(None, {name!r})\n"
        f"print([module for module in {HEAVY!r} if module in sys.modules])\n"
    )
    # Its options are made from the declared fields of a request.
    needed = ["pydantic"] if name == "request" else []
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{needed!r}\n", done.stderr
