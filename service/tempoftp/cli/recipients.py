"""What recipients get and ask for: links (`link make|revoke`) and more days (`extensions list|grant|refuse`)."""

from __future__ import annotations

from typing import Any

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Group, json_option
from tempoftp.cli.output import print_change, print_json, print_rows


@click.group(cls=Group)
def link() -> None:
    """Make a link for a share's recipient, or revoke its links."""


@link.command(examples=["tempoftp link make goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def make(id_: str, as_json: bool) -> None:
    """Print a new link to the page of the share ID; earlier links stay valid.

    Everybody who has the link can see the share's password: give it only to the recipient.
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
    """Revoke every link of the share ID that was made so far, also those in mails."""
    with connect() as client:
        answer = client.revoke_links(id_)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('id')}: no link made so far opens anything")


COLUMNS = ("id", "email", "dias", "vigencia", "expira", "pedida", "motivo")
STATES = ("pendiente", "aceptada", "rechazada")


@click.group(cls=Group)
def extensions() -> None:
    """List, grant and refuse recipients' requests for more days."""


@extensions.command("list", examples=["tempoftp extensions list"])
@click.option(
    "--estado",
    type=click.Choice(STATES),
    default=STATES[0],
    show_default=True,
    help="Only requests in this state.",
)
@json_option
def list_command(estado: str, as_json: bool) -> None:
    """List the requests for more days, the oldest first."""
    with connect() as client:
        answer = client.list_extensions({"estado": estado})
    if as_json:
        print_json(answer)
        return
    rows = [[entry.get(column) for column in COLUMNS] for entry in answer.get("prorrogas") or []]
    print_rows(COLUMNS, rows, no_wrap=("expira", "pedida"))


@extensions.command(
    examples=["tempoftp extensions grant goes_2026_11", "tempoftp extensions grant goes_2026_11 --days 3"]
)
@click.argument("id_", metavar="ID")
@click.option("--days", type=click.IntRange(min=1), help="Days to add, when not those asked for.")
@json_option
def grant(id_: str, days: int | None, as_json: bool) -> None:
    """Give the share ID the days that its recipient asked for."""
    with connect() as client:
        answer = client.grant_extension(id_, {} if days is None else {"dias": days})
    print_change(answer, as_json=as_json)


@extensions.command(examples=["tempoftp extensions refuse goes_2026_11 --answer 'el disco está lleno'"])
@click.argument("id_", metavar="ID")
@click.option("--answer", help="The reason; the recipient reads it.")
@json_option
def refuse(id_: str, answer: str | None, as_json: bool) -> None:
    """Refuse more days for the share ID."""
    body: dict[str, Any] = {} if answer is None else {"respuesta": answer}
    with connect() as client:
        print_change(client.refuse_extension(id_, body), as_json=as_json)
