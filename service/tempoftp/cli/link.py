"""`tempoftp link make|revoke ID`: the recipient's link of a share."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Group
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json


@click.group(cls=Group)
def link() -> None:
    """Make a link for a share's recipient, or end those there are."""


@link.command(examples=["tempoftp link make goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def make(id_: str, as_json: bool) -> None:
    """Print a new link to the page of the share ID; earlier ones go on.

    Whoever has it can see the share's password: hand it to its recipient and to nobody else.
    """
    with connect() as client:
        answer = client.make_link(id_)
    if as_json:
        print_json(answer)
    else:
        click.echo(answer.get("enlace"))


@link.command(examples=["tempoftp link revoke goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def revoke(id_: str, as_json: bool) -> None:
    """End every link of the share ID that was made so far, those in mails too."""
    with connect() as client:
        answer = client.revoke_links(id_)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('id')}: no link made so far opens anything")
