"""Change or end shares: `extend`, `block`, `unblock`, `retry`, `restore`, `password`, `delete` and `delete-account`."""

from __future__ import annotations

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import Command, check_timeout, json_option, timeout_option, watch_option
from tempoftp.cli.output import print_change, print_json
from tempoftp.cli.watch import finish_watch


@click.command(cls=Command, examples=["tempoftp extend goes_2026_11 30"])
@click.argument("id_", metavar="ID")
@click.argument("days", type=click.IntRange(min=1))
@json_option
def extend(id_: str, days: int, as_json: bool) -> None:
    """Let a share live DAYS days, counted from when it was ready; fewer than before shortens it.

    The earlier end stands until the FTP host has confirmed the new one.
    """
    with connect() as client:
        print_change(client.change_lifetime(id_, days), as_json=as_json)


account_option = click.option(
    "--account", is_flag=True, help="The whole account: its login and every share of it."
)


@click.command(
    cls=Command,
    examples=["tempoftp block goes_2026_11 --reason 'uso indebido'", "tempoftp block goes_2026_11 --account"],
)
@click.argument("id_", metavar="ID")
@click.option("--reason", help="The reason; the share's history shows it.")
@account_option
@json_option
def block(id_: str, reason: str | None, account: bool, as_json: bool) -> None:
    """Hide a share from its account, and end the account's sessions.

    The data stay, and the days go on counting. Blocking the last visible share of an account blocks its login too.
    """
    body: dict[str, object] = {"alcance": "cuenta" if account else "solicitud"}
    if reason is not None:
        body["razon"] = reason
    with connect() as client:
        print_change(client.block_share(id_, body), as_json=as_json)


@click.command(cls=Command, examples=["tempoftp unblock goes_2026_11"])
@click.argument("id_", metavar="ID")
@account_option
@json_option
def unblock(id_: str, account: bool, as_json: bool) -> None:
    """Show a share again.

    With --account, show every share of its account, except those that were blocked one by one.
    """
    with connect() as client:
        answer = client.unblock_share(id_, {"alcance": "cuenta" if account else "solicitud"})
    print_change(answer, as_json=as_json)


@click.command(
    cls=Command,
    examples=["tempoftp retry goes_2026_11 --watch"],
    exits_1="the share is in error, blocked or expired, or not ready after --timeout",
)
@click.argument("id_", metavar="ID")
@watch_option
@timeout_option
@json_option
def retry(id_: str, watch: bool, timeout: float | None, as_json: bool) -> None:
    """Try a failed share again, from what was copied; a share that waits for its next try is tried now."""
    check_timeout(timeout, watch=watch)
    with connect() as client:
        answer = client.retry_share(id_)
        if watch:
            finish_watch(client, id_, as_json=as_json, timeout=timeout)
        else:
            print_change(answer, as_json=as_json)


@click.command(
    cls=Command,
    examples=["tempoftp restore goes_2026_11 --watch"],
    exits_1="the share is in error, blocked or expired, or not ready after --timeout",
)
@click.argument("id_", metavar="ID")
@watch_option
@timeout_option
@json_option
def restore(id_: str, watch: bool, timeout: float | None, as_json: bool) -> None:
    """Bring back a share that was deleted or has expired, while its FTP host keeps the data.

    How long it does so is the operator's choice (`tempoftp_trash_hours`). Nothing is copied.
    """
    check_timeout(timeout, watch=watch)
    with connect() as client:
        answer = client.restore_share(id_)
        if watch:
            finish_watch(client, id_, as_json=as_json, timeout=timeout)
        else:
            print_change(answer, as_json=as_json)


@click.command(cls=Command, examples=["tempoftp password goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def password(id_: str, as_json: bool) -> None:
    """Make a new password for the account of a share; sessions with the old one end.

    The new password opens every share of the account; they are listed. `tempoftp credentials ID` shows it in clear.
    """
    with connect() as client:
        answer = client.rotate_password(id_)
    print_change(answer, as_json=as_json)
    if not as_json:
        click.echo(f"it opens: {', '.join(answer.get('abre') or [])}")


@click.command(cls=Command, examples=["tempoftp delete goes_2026_11"])
@click.argument("id_", metavar="ID")
@json_option
def delete(id_: str, as_json: bool) -> None:
    """End a share: access and data.

    The service answers `deleted` once both are out of reach, or `eliminando` when that takes longer. It then continues
    by itself. For a share that has ended already it answers `expirado` and changes nothing.
    """
    with connect() as client:
        answer = client.delete_share(id_)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.get('id')}: {answer.get('status')}")


@click.command(cls=Command, examples=["tempoftp delete-account ftp_ana_dominio"])
@click.argument("ftpuser")
@json_option
def delete_account(ftpuser: str, as_json: bool) -> None:
    """End every share of an account, and with the last one the account.

    An account that existed before tempoftp stays; only its shares end.
    """
    with connect() as client:
        answer = client.delete_account(ftpuser)
    if as_json:
        print_json(answer)
    else:
        click.echo(
            f"{answer.get('usuario')}: {answer.get('status')} ({', '.join(answer.get('solicitudes') or [])})"
        )
