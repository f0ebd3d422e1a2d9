"""`tempoftp delete ID`: end a share."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json


@click.command(cls=Command, examples=["tempoftp delete goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def delete(id_: str, as_json: bool) -> None:
    """End a share: access and data.

    The service answers `deleted` once both are out of reach, or `eliminando` when that takes longer;
    it goes on by itself.
    """
    with connect() as client:
        answer = client.delete_share(id_)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('id')}: {answer.get('status')}")
