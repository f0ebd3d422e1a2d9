"""`tempoftp events ID`: what became of a share."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json, print_rows


@click.command(cls=Command, examples=["tempoftp events goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def events(id_: str, as_json: bool) -> None:
    """Show a share's history: when, from which state to which, who and why. Also of a deleted share."""
    with connect() as client:
        answer = client.get_events(id_)
    if as_json:
        print_json(answer)
        return
    rows = []
    for event in answer.get("eventos") or []:
        origin = event.get("de") or "-"
        moved = origin if origin == event.get("a") else f"{origin} -> {event.get('a')}"
        rows.append((event.get("fecha"), moved, event.get("autor"), event.get("razon")))
    print_rows(("when", "what", "who", "why"), rows)
