"""Read what the service knows of shares: `preview`, `status`, `credentials`, `list`, `events` and `log`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from tempoftp.cli.client import LogPiece, ServiceClient, connect
from tempoftp.cli.command import (
    OF_CLIENTS,
    Command,
    check_timeout,
    json_option,
    timeout_option,
    watch_option,
)
from tempoftp.cli.exits import UNDECRYPTABLE, PreviewFailed, ShareFailed, Undecryptable
from tempoftp.cli.output import (
    ENDING,
    UNDER_WAY,
    print_credentials,
    print_facts,
    print_json,
    print_rows,
    print_share,
    print_share_table,
    show_bytes,
)
from tempoftp.cli.watch import exit_for_state, finish_watch, wait_while_pending

PREVIEW_POLL_SECONDS = 1.0
PREVIEW_PATIENCE_SECONDS = 120.0
FITS = {True: "yes", False: "no", None: "not known"}


@click.command(
    cls=Command,
    examples=["tempoftp preview source1:/srv/datos/goes"],
    exits_1="it does not fit, or could not be measured",
)
@click.argument("ruta")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=PREVIEW_PATIENCE_SECONDS,
    show_default=True,
    help="Seconds to wait at most.",
)
@json_option
def preview(ruta: str, timeout: float, as_json: bool) -> None:
    """Show how much a source has, and whether it fits on the FTP host.

    RUTA is where the data is: host:/path. This neither asks for a share nor reserves space.
    """
    with connect() as client:
        answer = wait_for_preview(client, client.post_preview(ruta), patience_seconds=timeout)
    if as_json:
        print_json(answer)
    else:
        print_preview(answer)
    if answer.get("estado") == "error" or answer.get("cabe") is False:
        raise PreviewFailed(f"{answer.get('ruta')}: {answer.get('mensaje') or 'no message'}")


def wait_for_preview(
    client: ServiceClient,
    answer: dict[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    *,
    patience_seconds: float = PREVIEW_PATIENCE_SECONDS,
) -> dict[str, Any]:
    """Ask again until the source is measured. Raises ServiceFailed when that takes too long."""
    return wait_while_pending(
        lambda pending: client.get_preview(str(pending["id"])),
        answer,
        poll_seconds=PREVIEW_POLL_SECONDS,
        patience_seconds=patience_seconds,
        too_late="the source is still not measured: is the worker running, and is the FTP host paused?",
        sleep=sleep,
        clock=clock,
    )


def print_preview(answer: Mapping[str, Any]) -> None:
    """Print a preview, one line for each fact."""
    rows = [("ruta", str(answer.get("ruta")))]
    if answer.get("bytes") is not None:
        least = "at least " if answer.get("completa") is False else ""
        rows.append(("size", f"{least}{show_bytes(answer['bytes'])}, {answer.get('archivos')} files"))
    if answer.get("medida_at") and answer.get("edad_segundos") is not None:
        rows.append(("measured", f"{answer['medida_at']}, {answer['edad_segundos']:.0f} s ago"))
    rows += [("warning", str(warning.get("mensaje"))) for warning in answer.get("advertencias") or ()]
    room = answer.get("espacio") or {}
    if room:
        rows.append(
            (
                "space",
                f"{show_bytes(room.get('disponible'))} available of {show_bytes(room.get('total'))}",
            )
        )
        rows.append(("fits", FITS[answer.get("cabe")]))
    skipped = answer.get("omitidos") or {}
    rows += [("left out", str(name)) for name in skipped.get("lista") or ()]
    unnamed = (skipped.get("total") or 0) - len(skipped.get("lista") or ())
    if unnamed > 0:
        rows.append(("left out", f"and {unnamed} more"))
    rows.append(("mensaje", str(answer.get("mensaje"))))
    print_facts(rows)


@click.command(
    cls=Command,
    examples=["tempoftp status goes_2026_11", "tempoftp status goes_2026_11 --watch"],
    exits_1="the share is in error, blocked or expired, or not ready after --timeout",
)
@click.argument("id_", metavar="ID")
@watch_option
@timeout_option
@json_option
def status(id_: str, watch: bool, timeout: float | None, as_json: bool) -> None:
    """Show a share, or watch it until it is ready."""
    check_timeout(timeout, watch=watch)
    with connect() as client:
        if watch:
            finish_watch(client, id_, as_json=as_json, timeout=timeout)
            return
        share = client.get_share(id_)
    if as_json:
        print_json(share)
    else:
        print_share(share)
    exit_for_state(share)


@click.command(
    cls=Command, examples=["tempoftp credentials goes_2026_11"], exits=(*OF_CLIENTS, UNDECRYPTABLE)
)
@click.argument("id_", metavar="ID")
@json_option
def credentials(id_: str, as_json: bool) -> None:
    """Show how to log in to a share that is ready, with the password in clear.

    No key is needed: the service decrypts the password and writes to the share's history who asked. If it cannot show
    the password, it says why.
    """
    with connect() as client:
        answer = client.show_credentials(id_)
    if as_json:
        print_json(answer)
    else:
        print_credentials(answer)
    if not answer.get("password"):
        raise Undecryptable(f"{id_}: {answer.get('password_mensaje') or 'the password cannot be shown'}")
    if answer.get("password_mensaje"):
        click.echo(answer["password_mensaje"], err=True)


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
@click.option("--limite", type=click.IntRange(min=1), help="List at most so many shares.")
@click.option("--cursor", help="Continue after an earlier page, with the `siguiente` of its answer.")
@json_option
def list_shares(
    estado: str | None, usuario: str | None, limite: int | None, cursor: str | None, as_json: bool
) -> None:
    """List shares."""
    given = {"estado": estado, "usuario": usuario, "limite": limite, "cursor": cursor}
    with connect() as client:
        page = client.list_shares({name: str(value) for name, value in given.items() if value is not None})
    if as_json:
        print_json(page)
        return
    shares = page.get("solicitudes") or []
    print_share_table(shares)
    click.echo(f"{len(shares)} of {page.get('total')}", err=True)
    if page.get("siguiente"):
        click.echo(f"more: tempoftp list --cursor {page['siguiente']}", err=True)


@click.command(cls=Command, examples=["tempoftp events goes_2026_11"])
@click.argument("id_", metavar="ID")
@click.option("--cursor", help="Continue with the older events, from the command's last line.")
@json_option
def events(id_: str, cursor: str | None, as_json: bool) -> None:
    """Show a share's history: when, from which state to which, who and why. Also of a deleted share."""
    with connect() as client:
        answer = client.get_events(id_, cursor)
    if as_json:
        print_json(answer)
        return
    rows = []
    for event in answer.get("eventos") or []:
        origin = event.get("de") or "-"
        moved = origin if origin == event.get("a") else f"{origin} -> {event.get('a')}"
        rows.append((event.get("fecha"), moved, event.get("autor"), event.get("razon")))
    print_rows(("when", "what", "who", "why"), rows)
    if answer.get("siguiente"):
        click.echo(f"older: tempoftp events {id_} --cursor {answer['siguiente']}", err=True)


LOG_POLL_SECONDS = 1.0


@click.command(
    cls=Command,
    examples=["tempoftp log goes_2026_11 --follow"],
    exits_1="--follow, and the share has not settled after --timeout",
)
@click.argument("id_", metavar="ID")
@click.option("--follow", is_flag=True, help="Continue as the log grows, until the share has settled.")
@click.option(
    "--from", "since", type=click.IntRange(min=0), help="Byte to begin at. When not given: near the end."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    help="With --follow: stop after so many seconds. When not given: until the share has settled.",
)
@json_option
def log(id_: str, follow: bool, since: int | None, timeout: float | None, as_json: bool) -> None:
    """Show the log of a share: a line for each run that worked on it. For operators; also of a deleted share.

    Without --from, print its last 64 KiB. With --json, print an object with `lineas` and `siguiente`, which is the
    --from of the next part; with --follow, print one object each time the log has grown.
    """
    if timeout is not None and not follow:
        raise click.UsageError("--timeout needs --follow")
    with connect() as client:
        piece = client.get_log(id_, since)
        show_piece(id_, piece, as_json=as_json)
        # An answer to --from has a bounded length: ask for the next piece at once until there is none.
        while since is not None and piece.text:
            piece = client.get_log(id_, piece.following)
            if piece.text:
                show_piece(id_, piece, as_json=as_json)
        if follow:
            follow_log(client, id_, piece.following, as_json=as_json, timeout=timeout)


def follow_log(
    client: ServiceClient,
    share_id: str,
    following: int,
    *,
    as_json: bool,
    timeout: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Print what is added to the log until the share is neither under way nor ending, and then the rest.

    Raises ShareFailed after `timeout` seconds.
    """
    settled, deadline = False, math.inf if timeout is None else clock() + timeout
    while not settled:
        if clock() >= deadline:
            raise ShareFailed(f"{share_id} has not settled after {timeout:g} s; its log goes on")
        events = client.get_events(share_id).get("eventos") or [{}]
        settled = events[-1].get("a") not in UNDER_WAY | ENDING
        # A run changes the row first and writes the log afterwards.
        sleep(LOG_POLL_SECONDS)
        while (piece := client.get_log(share_id, following)).text:
            show_piece(share_id, piece, as_json=as_json)
            following = piece.following


def show_piece(share_id: str, piece: LogPiece, *, as_json: bool) -> None:
    """Print a piece of the log."""
    if as_json:
        print_json({"id": share_id, "lineas": piece.text.splitlines(), "siguiente": piece.following})
    else:
        click.echo(piece.text, nl=False)
