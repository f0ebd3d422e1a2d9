"""`tempoftp preview RUTA`: how much a source has and whether it fits, before it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from tempoftp.cli.client import ServiceClient, connect
from tempoftp.cli.command import Command
from tempoftp.cli.exits import PreviewFailed, ServiceFailed
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import format_bytes, print_json, show_text

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
FITS = {True: "yes", False: "no", None: "not known"}


@click.command(
    cls=Command,
    examples=["tempoftp preview source1:/srv/datos/goes"],
    exits_1="it does not fit, or could not be measured",
)
@click.argument("ruta")
@json_option
def preview(ruta: str, as_json: bool) -> None:
    """Show how much a source has, and whether it fits on the FTP host.

    RUTA is where the data is: host:/path. Nothing is asked for or reserved by it.
    """
    with connect() as client:
        answer = follow(client, client.post_preview(ruta))
    if as_json:
        print_json(answer)
    else:
        print_preview(answer)
    if answer.get("estado") == "error" or answer.get("cabe") is False:
        raise PreviewFailed(f"{answer.get('ruta')}: {answer.get('mensaje') or 'no message'}")


def follow(
    client: ServiceClient,
    answer: dict[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Ask again until the source is measured."""
    begun = clock()
    while answer.get("estado") == "pendiente":
        if clock() - begun > PATIENCE_SECONDS:
            raise ServiceFailed(
                "the source is still not measured: is the worker running, and is the FTP host paused?"
            )
        sleep(POLL_SECONDS)
        answer = client.get_preview(str(answer["id"]))
    return answer


def print_preview(answer: Mapping[str, Any]) -> None:
    """One line a fact."""
    rows = [("ruta", str(answer.get("ruta")))]
    if answer.get("bytes") is not None:
        least = "at least " if answer.get("completa") is False else ""
        rows.append(("size", f"{least}{format_bytes(answer['bytes'])}, {answer.get('archivos')} files"))
    room = answer.get("espacio") or {}
    if room:
        rows.append(
            (
                "space",
                f"{format_bytes(room.get('disponible'))} available of {format_bytes(room.get('total'))}",
            )
        )
        rows.append(("fits", FITS[answer.get("cabe")]))
    skipped = answer.get("omitidos") or {}
    rows += [("left out", str(name)) for name in skipped.get("lista") or ()]
    unnamed = (skipped.get("total") or 0) - len(skipped.get("lista") or ())
    if unnamed > 0:
        rows.append(("left out", f"and {unnamed} more"))
    rows.append(("mensaje", str(answer.get("mensaje"))))
    width = max(len(label) for label, _value in rows)
    for label, value in rows:
        click.echo(f"{click.style(label.ljust(width), bold=True)}  {show_text(value)}")
