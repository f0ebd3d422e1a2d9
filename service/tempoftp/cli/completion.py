"""`tempoftp completion SHELL`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tempoftp.cli.command import Command
from tempoftp.cli.exits import USAGE

PROGRAM = "tempoftp"
VARIABLE = "_TEMPOFTP_COMPLETE"


@click.command(
    cls=Command,
    examples=[
        "tempoftp completion bash > ~/.local/share/bash-completion/completions/tempoftp",
        'tempoftp completion zsh > "${fpath[1]}/_tempoftp"',
        "tempoftp completion fish > ~/.config/fish/completions/tempoftp.fish",
    ],
    exits=(USAGE,),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, PROGRAM, VARIABLE).source())
