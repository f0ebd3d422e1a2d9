"""`tempoftp password ID`: a new password for a share's account."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_change


@click.command(cls=Command, examples=["tempoftp password goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def password(id_: str, as_json: bool) -> None:
    """Make a new password for the account of a share; sessions with the old one end.

    It opens every share of the account, which are listed. `tempoftp decrypt --id ID` shows it in clear.
    """
    with connect() as client:
        answer = client.rotate_password(id_)
    print_change(answer, as_json=as_json)
    if not as_json:
        click.echo(f"it opens: {', '.join(answer.get('abre') or [])}")
