"""Commands for the user's own machine: `decrypt`, `config` and `completion`."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from tempoftp.cli.command import OF_CLIENTS, Command, json_option
from tempoftp.cli.config import SECRETS, VARIABLES, ClientConfig, list_files
from tempoftp.cli.exits import UNDECRYPTABLE, USAGE, BadSetting, Undecryptable
from tempoftp.cli.output import print_json, print_rows

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

    Give the TOKEN (`password` in the service's answer), or --id ID to fetch it. `-` reads it from standard input, so
    that no process list shows it. The key is read from TEMPOFTP_ENCRYPTION_KEY, or `encryption_key` of the
    configuration file; the first of several keys that fits is used.
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
    """Read the token of a share that is ready. Raises Undecryptable when it has none."""
    # Only this way of `decrypt` calls the API: the other commands of this file start without httpx.
    from tempoftp.cli.client import connect

    with connect() as client:
        share = client.get_share(share_id)
    if share.get("password_tipo") == "hash":
        raise Undecryptable(
            f"{share_id}: the account existed before this share; the answer carries its password's hash, which cannot "
            "be turned back. The password given with the account's first share still works."
        )
    if share.get("status") == "listo" and not share.get("password"):
        raise Undecryptable(
            f"{share_id}: the service encrypts no password for this caller, because the token has no key of its own; "
            f"`tempoftp credentials {share_id}` shows the password"
        )
    if share.get("password_tipo") != "fernet" or not share.get("password"):
        raise Undecryptable(
            f"{share_id} has no password yet (it is {share.get('status')}). Wait until it is listo."
        )
    return str(share["password"])


def decrypt_token(token: str, keys: str) -> str:
    """Return the clear text. Raises BadSetting for a missing or malformed key, Undecryptable when no key fits."""
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


@click.command(cls=Command, examples=["tempoftp config"], exits=(USAGE,))
@json_option
def config(as_json: bool) -> None:
    """Show which service, token and key the other commands would use, and where each was found.

    Secrets are not shown. The environment wins over ~/.config/tempoftp/config.toml, and this file over
    /etc/tempoftp/config.toml.
    """
    found = ClientConfig()
    values = {name: found.find(name) for name in VARIABLES}
    if as_json:
        origins = {name: value.origin if value is not None else None for name, value in values.items()}
        url = values["url"]
        print_json({"url": url.text if url is not None else None, "origins": origins})
        return
    rows = []
    for name, value in values.items():
        shown = "-" if value is None else "(set)" if name in SECRETS else value.text
        places = " or ".join((VARIABLES[name], *map(str, list_files())))
        rows.append((name, shown, value.origin if value is not None else f"not set: {places}"))
    print_rows(("setting", "value", "from"), rows)


PROGRAM = "tempoftp"
VARIABLE = "_TEMPOFTP_COMPLETE"


@click.command(
    cls=Command,
    examples=[
        "tempoftp completion bash > ~/.local/share/bash-completion/completions/tempoftp",
        'tempoftp completion zsh > "${fpath[1]}/_tempoftp"',
        "tempoftp completion fish > ~/.config/fish/completions/tempoftp.fish",
    ],
    exits=(USAGE,),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, PROGRAM, VARIABLE).source())
