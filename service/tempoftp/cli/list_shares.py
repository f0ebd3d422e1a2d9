"""`tempoftp list`: the shares the service knows, newest first."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json, print_share_table


@click.command(
    "list",
    cls=Command,
    examples=[
        "tempoftp list --estado listo --usuario ana@dominio.example",
        "tempoftp list --json | jq -r '.solicitudes[].id'",
    ],
)
@click.option("--estado", help="Only shares in this state (recibido, traslado, listo, error, …).")
@click.option("--usuario", help="Only shares of this e-mail.")
@click.option("--limite", type=click.IntRange(min=1), help="At most so many.")
@click.option("--cursor", help="Continue after an earlier page: the `siguiente` of its answer.")
@json_option
def list_shares(
    estado: str | None, usuario: str | None, limite: int | None, cursor: str | None, as_json: bool
) -> None:
    """List shares."""
    from rich.console import Console

    given = {"estado": estado, "usuario": usuario, "limite": limite, "cursor": cursor}
    with connect() as client:
        page = client.list_shares({name: str(value) for name, value in given.items() if value is not None})
    if as_json:
        print_json(page)
        return
    shares = page.get("solicitudes") or []
    print_share_table(shares, Console())
    click.echo(f"{len(shares)} of {page.get('total')}", err=True)
    if page.get("siguiente"):
        click.echo(f"more: tempoftp list --cursor {page['siguiente']}", err=True)
