"""`tempoftp log ID`: what the runs saw and did for a share."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from tempoftp.cli.client import LogPiece, ServiceClient, connect
from tempoftp.cli.command import Command
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import ENDING, UNDER_WAY, print_json

POLL_SECONDS = 1.0


@click.command(cls=Command, examples=["tempoftp log goes_2026_11 --follow"])
@click.argument("id_", metavar="ID")
@click.option("--follow", is_flag=True, help="Go on as it grows, until the share has settled.")
@click.option("--from", "since", type=click.IntRange(min=0), help="Byte to begin at; left out: the end.")
@json_option
def log(id_: str, follow: bool, since: int | None, as_json: bool) -> None:
    """Show the log of a share: a line for each run that worked on it. For operators; also of a deleted share.

    Without --from its last 64 KiB. With --json an object with `lineas` and `siguiente`, the --from of what comes
    after; with --follow one each time it has grown.
    """
    with connect() as client:
        piece = client.get_log(id_, since)
        show_piece(id_, piece, as_json=as_json)
        # From an offset an answer is bounded: what follows at once is asked for at once.
        while since is not None and piece.text:
            piece = client.get_log(id_, piece.following)
            if piece.text:
                show_piece(id_, piece, as_json=as_json)
        if follow:
            follow_log(client, id_, piece.following, as_json=as_json)


def follow_log(
    client: ServiceClient,
    share_id: str,
    following: int,
    *,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show what is added, until the share is neither under way nor ending; what was written by then is shown."""
    settled = False
    while not settled:
        events = client.get_events(share_id).get("eventos") or [{}]
        settled = events[-1].get("a") not in UNDER_WAY | ENDING
        # A run writes the row first, then the log.
        sleep(POLL_SECONDS)
        while (piece := client.get_log(share_id, following)).text:
            show_piece(share_id, piece, as_json=as_json)
            following = piece.following


def show_piece(share_id: str, piece: LogPiece, *, as_json: bool) -> None:
    """Print a piece of the log."""
    if as_json:
        print_json({"id": share_id, "lineas": piece.text.splitlines(), "siguiente": piece.following})
    else:
        click.echo(piece.text, nl=False)
