"""`tempoftp decrypt`: the clear password behind the Fernet token that the API answers."""

from __future__ import annotations

import sys

import click

from tempoftp.cli.client import connect
from tempoftp.cli.command import OF_CLIENTS, Command
from tempoftp.cli.config import ClientConfig
from tempoftp.cli.exits import UNDECRYPTABLE, BadSetting, Undecryptable
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json

KEY_VARIABLE = "TEMPOFTP_ENCRYPTION_KEY"


@click.command(
    cls=Command,
    examples=[
        "tempoftp decrypt --id goes_2026_11",
        "tempoftp status goes_2026_11 --json | jq -r .password | tempoftp decrypt -",
    ],
    exits=(*OF_CLIENTS, UNDECRYPTABLE),
)
@click.argument("token", required=False)
@click.option("--id", "id_", help="Take the token from this share.")
@json_option
def decrypt(token: str | None, id_: str | None, as_json: bool) -> None:
    """Show the clear password of a share.

    Give the TOKEN (`password` in the service's answer; `-` reads it from standard input, where no process list shows
    it), or --id ID to fetch it. The key is read from TEMPOFTP_ENCRYPTION_KEY, or `encryption_key` of the configuration
    file; the first of several keys that fits is used.
    """
    if (token is None) == (id_ is None):
        raise click.UsageError("give either a TOKEN or --id ID")
    if token == "-":  # noqa: S105 - a place, not a token
        token = sys.stdin.read().strip()
    if id_ is not None:
        token = fetch_token(id_)
    key = ClientConfig().find("encryption_key")
    clear = decrypt_token(token or "", key.text if key is not None else "")
    if as_json:
        print_json({"password": clear})
    else:
        click.echo(clear)


def fetch_token(share_id: str) -> str:
    """Read the token of a share that is ready; `Undecryptable` if it has none."""
    with connect() as client:
        share = client.get_share(share_id)
    if share.get("password_tipo") == "hash":
        raise Undecryptable(
            f"{share_id}: the account existed before this share; the answer carries its password's hash, which cannot "
            "be turned back. The password given with the account's first share still works."
        )
    if share.get("password_tipo") != "fernet" or not share.get("password"):
        raise Undecryptable(
            f"{share_id} has no password yet (it is {share.get('status')}). Wait until it is listo."
        )
    return str(share["password"])


def decrypt_token(token: str, keys: str) -> str:
    """Return the clear text; `BadSetting` for a missing or malformed key, `Undecryptable` if none fits."""
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    given = [key.strip() for key in keys.split(",") if key.strip()]
    if not given:
        raise BadSetting(f"{KEY_VARIABLE} is not set; it must hold the key that the service encrypts with.")
    try:
        fernet = MultiFernet([Fernet(key) for key in given])
    except ValueError as error:
        raise BadSetting(f"{KEY_VARIABLE} is not a Fernet key; `tempoftp key new` makes one.") from error
    try:
        return fernet.decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeDecodeError) as error:
        raise Undecryptable(
            f"the token does not fit the key in {KEY_VARIABLE}: another key, or a token cut short."
        ) from error
