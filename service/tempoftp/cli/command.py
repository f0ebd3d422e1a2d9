"""What the commands share: help that ends with examples and exit codes, and the options `--json` and `--watch`.

`tempoftp --help` imports this file, so it must not import rich, httpx or anything of the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tempoftp.cli.exits import (
    INTERRUPTED,
    MEANINGS,
    OK,
    REFUSED,
    SERVICE_FAILED,
    SHARE_FAILED,
    UNREACHABLE,
    USAGE,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
watch_option = click.option("--watch", is_flag=True, help="Follow the share until it is ready or has failed.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help="With --watch: stop after so many seconds. When not given: wait until it settles.",
)


def check_timeout(timeout: float | None, *, watch: bool) -> None:
    """Refuse --timeout where nothing is waited for. Raises UsageError."""
    if timeout is not None and not watch:
        raise click.UsageError("--timeout needs --watch")


OF_CLIENTS = (USAGE, UNREACHABLE, REFUSED, SERVICE_FAILED)
"""The exit codes of a command that calls the API, besides those that every command has."""

ON_THE_HOST = (USAGE, REFUSED, SERVICE_FAILED)
"""The same for a command that works on the service's own database."""

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}
"""Every command gets these itself, so that its help is the same below `tempoftp` and alone (man pages)."""


class Command(click.Command):
    """A command whose help ends with examples and exit codes."""

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str],
        exits: Sequence[int] = OF_CLIENTS,
        exits_1: str | None = None,
        **kwargs: Any,
    ) -> None:
        """`exits` are the codes besides 0 and 130, which every command has; `exits_1` says when it exits with 1."""
        super().__init__(*args, **{"context_settings": CONTEXT_SETTINGS} | kwargs)
        self.examples = tuple(examples)
        own = {} if exits_1 is None else {SHARE_FAILED: exits_1}
        codes = {OK, INTERRUPTED, *exits, *own}
        self.exits = {code: own.get(code, MEANINGS[code]) for code in sorted(codes)}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections "Examples" and "Exit codes"."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in self.exits.items()])


class Group(click.Group):
    """A group whose commands are of the class `Command`."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what `click.Group` takes."""
        super().__init__(*args, **{"context_settings": CONTEXT_SETTINGS} | kwargs)
