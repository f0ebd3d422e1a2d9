"""`tempoftp delete-account FTPUSER`: end an account with all of its shares."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json


@click.command(cls=Command, examples=["tempoftp delete-account ftp_ana_dominio"])
@click.argument("ftpuser")
@json_option
def delete_account(ftpuser: str, as_json: bool) -> None:
    """End every share of an account, and with the last one the account.

    An account that was there before tempoftp stays; only the shares in it go.
    """
    with connect() as client:
        answer = client.delete_account(ftpuser)
    if as_json:
        print_json(answer)
    else:
        click.echo(
            f"{answer.get('usuario')}: {answer.get('status')} ({', '.join(answer.get('solicitudes') or [])})"
        )
