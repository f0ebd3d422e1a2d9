"""`--help` of every command: what it does, every option, examples that the command line accepts, exit codes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from tempoftp.cli import exits
from tempoftp.cli.command import Command
from tempoftp.cli.main import main


def walk(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from walk(command, *path, name)


EVERY = dict(walk(main))
COMMANDS = {path: command for path, command in EVERY.items() if not isinstance(command, click.Group)}


def read_help(*arguments: str) -> str:
    ended = CliRunner().invoke(main, [*arguments, "--help"], terminal_width=100, prog_name="tempoftp")
    assert ended.exit_code == 0, ended.output
    assert "Traceback" not in ended.output
    assert ended.exception is None
    return ended.stdout


@pytest.mark.parametrize("path", EVERY)
def test_help_says_what_a_command_does_and_every_option(path: str) -> None:
    shown = read_help(*path.split())
    assert f"Usage: tempoftp {path}" in shown
    command = EVERY[path]
    assert command.help
    assert command.help.split("\n\n")[0].split()[0] in shown
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"
            assert all(option in shown for option in parameter.opts)
        else:
            assert parameter.make_metavar(click.Context(command)).strip("[]") in shown


@pytest.mark.parametrize("path", COMMANDS)
def test_help_ends_with_examples_and_exit_codes(path: str) -> None:
    command = COMMANDS[path]
    assert isinstance(command, Command)
    shown = read_help(*path.split())
    _before, _title, rest = shown.partition("\nExamples:\n")
    examples, _title, codes = rest.partition("\n\nExit codes:\n")
    assert examples.splitlines() == [f"  {line}" for line in command.examples]
    assert command.examples
    assert [line.split()[0] for line in codes.splitlines() if not line.startswith("     ")] == [
        str(code) for code in command.exits
    ]
    assert {exits.OK, exits.INTERRUPTED} <= set(command.exits) <= set(exits.MEANINGS)


@pytest.mark.parametrize("path", COMMANDS)
def test_examples_can_be_parsed(path: str) -> None:
    """Each example calls the command whose help has it, with arguments and options that the command accepts."""
    for example in COMMANDS[path].examples:
        calls = [part.split() for part in example.split("|") if "tempoftp" in part.split()]
        assert any(f"tempoftp {path}" in " ".join(call) for call in calls), example
        for call in example.split("|"):
            words = shlex.split(call.partition(">")[0])
            while words and "=" in words[0]:
                words.pop(0)
            if words[:1] == ["tempoftp"]:
                parse(main, words[1:])


def parse(group: click.Group, words: list[str]) -> None:
    """Parse the words of a command line without running it. Raises `click.UsageError` for wrong ones."""
    command = group.get_command(click.Context(group), words[0])
    assert command is not None, words
    if isinstance(command, click.Group):
        parse(command, words[1:])
    else:
        command.make_context(words[0], words[1:])


def test_meanings_of_exit_codes_match_the_table() -> None:
    table = exits.__doc__ or ""
    for code, meaning in exits.MEANINGS.items():
        row = next(line for line in table.splitlines() if line.startswith(f"| {code} |"))
        assert meaning in row
