"""`tempoftp health`: how the system is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command
from tempoftp.cli.exits import NotWell
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import format_bytes, print_json, print_rows

COLUMNS = ("host", "free", "ftpd", "database", "runs", "seen", "paused")


@click.command(
    cls=Command,
    examples=["tempoftp health", "tempoftp health --json | jq .hosts"],
    exits_1="something does not work",
)
@json_option
def health(as_json: bool) -> None:
    """Show whether the system works, and each FTP host.

    Only operators are told what and where.
    """
    with connect() as client:
        answer = client.get_health()
    if as_json:
        print_json(answer)
    else:
        print_rows(COLUMNS, [_describe(name, host) for name, host in (answer.get("hosts") or {}).items()])
        queue = answer.get("cola") or {}
        click.echo(
            f"{answer.get('status')}: {queue.get('pendientes')} shares wait, "
            f"the oldest for {queue.get('edad_segundos')} s",
            err=True,
        )
    if answer.get("status") != "ok":
        raise NotWell("; ".join(answer.get("problemas") or ["something does not work"]))


def _describe(name: str, host: Mapping[str, Any]) -> tuple[object, ...]:
    paused = f"{host.get('razon') or 'yes'}" if host.get("pausado") else "no"
    seen = host.get("visto") or "never"
    free = format_bytes(host.get("space_free"))
    return name, free, host.get("ftpd"), host.get("database"), host.get("corridas"), seen, paused
