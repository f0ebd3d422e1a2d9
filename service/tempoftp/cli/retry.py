"""`tempoftp retry ID`: try again what failed."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import finish_watch, json_option, watch_option
from tempoftp.cli.output import print_change


@click.command(
    cls=Command,
    examples=["tempoftp retry goes_2026_11 --watch"],
    exits_1="the share is in error, blocked or expired",
)
@click.argument("id_", metavar="ID")
@watch_option
@json_option
def retry(id_: str, watch: bool, as_json: bool) -> None:
    """Begin a failed share again, from what was copied; one that waits for its next try is tried now."""
    with connect() as client:
        answer = client.retry_share(id_)
        if watch:
            finish_watch(client, id_, as_json=as_json)
        else:
            print_change(answer, as_json=as_json)
