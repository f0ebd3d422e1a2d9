"""Man pages of `tempoftp` and each of its commands, from Click's own objects: `python docs/man_pages.py FOLDER`.

click-man does not fit: it sees only commands that a group has loaded already (here they are loaded when they are used),
leaves out examples and exit codes, and does not escape a line that begins with a dot, which roff takes for a request.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import click

from tempoftp.cli.command import Command
from tempoftp.cli.exits import MEANINGS
from tempoftp.cli.main import COMMANDS, main

SETTINGS_PAGE = "docs/cli.md"


def walk_contexts(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[click.Context]:
    """Yield a context of this command and of each below it."""
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from walk_contexts(found, inner, context)


def build_pages() -> dict[str, str]:
    """Return file name → page, for `tempoftp` and every command."""
    return {f"{_name(context)}.1": build_page(context) for context in walk_contexts(main, "tempoftp")}


def build_page(context: click.Context) -> str:
    """Return one page in roff."""
    command = context.command
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    summary = " ".join(paragraphs[0].split()).rstrip(".")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{_name(context).upper()}" "1" "" "tempoftp {version("tempoftp")}" "tempoftp"',
        ".SH NAME",
        rf"{_escape(_name(context))} \- {_escape(summary)}",
        ".SH SYNOPSIS",
        rf"\fB{_escape(context.command_path)}\fR {_escape(usage)}",
        ".SH DESCRIPTION",
        *_join_paragraphs(paragraphs),
        *_section("OPTIONS", _list_options(context)),
    ]
    if isinstance(command, click.Group):
        lines += _section("COMMANDS", _list_commands(context, command))
    if isinstance(command, Command):
        lines += [".SH EXAMPLES", ".nf", *map(_escape, command.examples), ".fi"]
    exits = command.exits if isinstance(command, Command) else MEANINGS
    lines += _section("EXIT STATUS", ((str(code), meaning) for code, meaning in exits.items()))
    lines += _section("ENVIRONMENT", read_settings())
    others = [context.parent.command_path.replace(" ", "-")] if context.parent else []
    lines += [
        ".SH SEE ALSO",
        ", ".join([*(rf"\fB{_escape(name)}\fR(1)" for name in others), _escape(SETTINGS_PAGE)]),
    ]
    return "\n".join(lines) + "\n"


def read_settings() -> list[tuple[str, str]]:
    """Return the settings of the client commands from the help of `tempoftp`."""
    found = re.findall(r"^  (TEMPOFTP_\w+) +(.+)$", main.epilog or "", re.MULTILINE)
    return [*found, ("NO_COLOR", "1 leaves colours out")]


def _list_options(context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield record


def _list_commands(context: click.Context, group: click.Group) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        summary = COMMANDS[name][2] if group is main else None
        command = group.get_command(context, name)
        if command is not None:
            yield f"{_name(context)}-{name}(1)", summary or command.get_short_help_str(limit=200)


def _section(title: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    listed = [line for term, text in entries for line in (".TP", rf"\fB{_escape(term)}\fR", _escape(text))]
    return [f".SH {title}", *listed] if listed else []


def _join_paragraphs(paragraphs: Iterable[str]) -> list[str]:
    return [
        line for text in paragraphs for line in (".PP", _escape(" ".join(text.replace("\b", "").split())))
    ]


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _escape(text: str) -> str:
    r"""Escape text for roff: `\`, `-`, and lines that begin like a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def write_pages(folder: Path) -> None:
    """Write every page into `folder`, and remove pages of commands that do not exist any more."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("tempoftp*.1"):
        stale.unlink()
    for name, page in build_pages().items():
        (folder / name).write_text(page, encoding="utf-8")
        (folder / name).chmod(0o644)  # everybody reads them, also when root's umask is narrow


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
