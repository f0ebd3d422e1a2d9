"""`tempoftp request USUARIO ID RUTA`: ask for a share, and with `--watch` follow it until it is ready."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import finish_watch, json_option, watch_option
from tempoftp.cli.output import print_json


@click.command(
    cls=Command,
    examples=[
        "tempoftp request ana@dominio.example goes_2026_11 source1:/srv/datos/goes --vigencia 5",
        "tempoftp request ana@dominio.example goes_2026_11 source1:/srv/datos/goes --watch --json",
    ],
    exits_1="the share is in error, blocked or expired",
)
@click.argument("usuario")
@click.argument("id_", metavar="ID")
@click.argument("ruta")
@click.option("--vigencia", type=int, help="Days the share lives, counted from when it is ready.")
@watch_option
@json_option
def request(usuario: str, id_: str, ruta: str, vigencia: int | None, watch: bool, as_json: bool) -> None:
    """Ask for a share.

    USUARIO is the e-mail of who asks, ID the name of the share, RUTA where the data is: host:/path.

    The same request again is no error: it answers the share's present state.
    """
    body: dict[str, object] = {"usuario": usuario, "id": id_, "ruta": ruta}
    if vigencia is not None:
        body["vigencia"] = vigencia
    with connect() as client:
        answer = client.post_share(body)
        if watch:
            finish_watch(client, id_, as_json=as_json)
        elif as_json:
            print_json(answer)
        else:
            click.echo(f"{answer.get('id')}: {answer.get('status')}")
