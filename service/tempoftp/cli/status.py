"""`tempoftp status ID`: one share's present state, or with `--watch` its progress until it settles."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import exit_for_state, finish_watch, json_option, watch_option
from tempoftp.cli.output import print_json, print_share


@click.command(
    cls=Command,
    examples=["tempoftp status goes_2026_11", "tempoftp status goes_2026_11 --watch"],
    exits_1="the share is in error, blocked or expired",
)
@click.argument("id_", metavar="ID")
@watch_option
@json_option
def status(id_: str, watch: bool, as_json: bool) -> None:
    """Show a share, or watch it until it is ready."""
    with connect() as client:
        if watch:
            finish_watch(client, id_, as_json=as_json)
            return
        share = client.get_share(id_)
    if as_json:
        print_json(share)
    else:
        print_share(share)
    exit_for_state(share)
