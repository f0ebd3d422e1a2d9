"""`tempoftp request`: ask for a share. Its options are the fields that a requester may say (`shares/fields.py`).

The file stands alone, so that only this command imports pydantic, which takes 0.1 s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command, check_timeout, json_option, timeout_option, watch_option
from tempoftp.cli.output import print_json, show_text
from tempoftp.cli.watch import finish_watch
from tempoftp.shares.fields import Requested


def requested_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each field of `Requested`, by its word on the wire."""
    for info in reversed(Requested.model_fields.values()):
        kind = next((part for part in get_args(info.annotation) if part is not type(None)), info.annotation)
        name = f"--{str(info.validation_alias).replace('_', '-')}"
        if kind is bool:
            command = click.option(name, is_flag=True, default=None, help=info.description)(command)
        else:
            command = click.option(name, type=kind, help=info.description)(command)
    return command


@click.command(
    cls=Command,
    examples=[
        "tempoftp request ana@dominio.example goes_2026_11 source1:/srv/datos/goes --vigencia 5",
        "tempoftp request ana@dominio.example goes_2026_11 source1:/srv/datos/goes --watch --timeout 600 --json",
    ],
    exits_1="the share is in error, blocked or expired, or not ready after --timeout",
)
@click.argument("usuario")
@click.argument("id_", metavar="ID")
@click.argument("ruta")
@requested_options
@watch_option
@timeout_option
@json_option
def request(
    usuario: str,
    id_: str,
    ruta: str,
    watch: bool,
    timeout: float | None,
    as_json: bool,
    **requested: object,
) -> None:
    """Ask for a share.

    USUARIO is the requester's e-mail, ID the name of the share, RUTA where the data is: host:/path.

    Repeating a request is not an error: the answer is then the share's present state.
    """
    check_timeout(timeout, watch=watch)
    said = {name: value for name, value in requested.items() if value is not None}
    body: dict[str, object] = {"usuario": usuario, "id": id_, "ruta": ruta, **said}
    with connect() as client:
        answer = client.post_share(body)
        for warning in answer.get("advertencias") or ():
            click.echo(f"warning: {show_text(warning.get('mensaje'))}", err=True)
        if watch:
            finish_watch(client, id_, as_json=as_json, timeout=timeout)
        elif as_json:
            print_json(answer)
        else:
            click.echo(f"{answer.get('id')}: {answer.get('status')}")
