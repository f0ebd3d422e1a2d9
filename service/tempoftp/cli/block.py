"""`tempoftp block ID` and `tempoftp unblock ID`: hide a share or block its account, and take that back."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_change

account_option = click.option(
    "--account", is_flag=True, help="The whole account: its login and every share of it."
)


@click.command(
    cls=Command,
    examples=["tempoftp block goes_2026_11 --reason 'uso indebido'", "tempoftp block goes_2026_11 --account"],
)
@click.argument("id_", metavar="ID")
@click.option("--reason", help="Why; it stands in the share's history.")
@account_option
@json_option
def block(id_: str, reason: str | None, account: bool, as_json: bool) -> None:
    """Hide a share from its account, and end the account's sessions.

    The data stay, and the days go on counting. Blocking the last visible share of an account blocks its login too.
    """
    body: dict[str, object] = {"alcance": "cuenta" if account else "solicitud"}
    if reason is not None:
        body["razon"] = reason
    with connect() as client:
        print_change(client.block_share(id_, body), as_json=as_json)


@click.command(cls=Command, examples=["tempoftp unblock goes_2026_11"])
@click.argument("id_", metavar="ID")
@account_option
@json_option
def unblock(id_: str, account: bool, as_json: bool) -> None:
    """Show a share again.

    With --account every share of its account that is not blocked for itself.
    """
    with connect() as client:
        answer = client.unblock_share(id_, {"alcance": "cuenta" if account else "solicitud"})
    print_change(answer, as_json=as_json)
