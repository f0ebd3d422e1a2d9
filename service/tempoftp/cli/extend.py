"""`tempoftp extend ID DAYS`: another lifetime."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_change


@click.command(cls=Command, examples=["tempoftp extend goes_2026_11 30"])
@click.argument("id_", metavar="ID")
@click.argument("days", type=click.IntRange(min=1))
@json_option
def extend(id_: str, days: int, as_json: bool) -> None:
    """Let a share live DAYS days, counted from when it was ready; fewer than before shortens it.

    The earlier end stands until the FTP host has confirmed the new one.
    """
    with connect() as client:
        print_change(client.change_lifetime(id_, days), as_json=as_json)
