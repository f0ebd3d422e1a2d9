"""What every command says at the end of its help: examples, and how it may exit."""

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

OF_CLIENTS = (USAGE, UNREACHABLE, REFUSED, SERVICE_FAILED)
"""How a command may fail that asks the API."""

ON_THE_HOST = (USAGE, REFUSED, SERVICE_FAILED)
"""How one may fail that works on the service's own database."""


CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}
"""Each command has them for itself, so that it has the same help whether it was called below `tempoftp` or alone."""


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
        """`exits` are the codes other than those that every command has; `exits_1` says when it exits with 1."""
        super().__init__(*args, **{"context_settings": CONTEXT_SETTINGS} | kwargs)
        self.examples = tuple(examples)
        own = {} if exits_1 is None else {SHARE_FAILED: exits_1}
        codes = {OK, INTERRUPTED, *exits, *own}
        self.exits = {code: own.get(code, MEANINGS[code]) for code in sorted(codes)}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both sections."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in self.exits.items()])


class Group(click.Group):
    """A group whose commands are such ones."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As of `click.Group`."""
        super().__init__(*args, **{"context_settings": CONTEXT_SETTINGS} | kwargs)
