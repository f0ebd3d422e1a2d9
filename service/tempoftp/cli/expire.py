"""`tempoftp expire`: sweep now what has lived its days."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json


@click.command(cls=Command, examples=["tempoftp expire"])
@json_option
def expire(as_json: bool) -> None:
    """Have every expired share taken away. The service does so by itself about every second."""
    with connect() as client:
        answer = client.expire_shares()
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('expiradas')} expired")
