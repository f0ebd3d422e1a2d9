"""`tempoftp key new|rotate`: keys for TEMPOFTP_ENCRYPTION_KEY, and what is stored with them."""

from __future__ import annotations

import click

from tempoftp.cli.command import Group
from tempoftp.cli.exits import SERVICE_FAILED, UNDECRYPTABLE, USAGE
from tempoftp.cli.finish import json_option
from tempoftp.cli.output import print_json


@click.group(cls=Group)
def key() -> None:
    """Make keys for the passwords at rest, and change them."""


@key.command(examples=["tempoftp key new"], exits=(USAGE,))
@json_option
def new(as_json: bool) -> None:
    """Print a new Fernet key.

    To change keys, put it before the old one, separated by a comma (the first encrypts, all decrypt), restart the
    service, and run `tempoftp key rotate`.
    """
    from cryptography.fernet import Fernet

    made = Fernet.generate_key().decode()
    if as_json:
        print_json({"key": made})
    else:
        click.echo(made)


@key.command(examples=["tempoftp key rotate"], exits=(USAGE, SERVICE_FAILED, UNDECRYPTABLE))
@json_option
def rotate(as_json: bool) -> None:
    """Encrypt every stored password anew with the first key.

    Run it on the service's host, as root or as the service's user, once API and worker have the new key. It may be
    repeated. When no key opens some of them, the old one is missing: they are named.
    """
    from tempoftp.accounts.keys import describe_unreadable, rotate_passwords
    from tempoftp.cli.exits import Undecryptable
    from tempoftp.cli.service import read_host_settings, upgrade
    from tempoftp.db.engine import open_database

    settings = read_host_settings()
    upgrade(settings)
    database = open_database(settings)
    try:
        done = rotate_passwords(database, settings.build_fernets())
    finally:
        database.close()
    if as_json:
        print_json({"rotated": done.rotated, "current": done.current, "unreadable": list(done.unreadable)})
    else:
        click.echo(f"{done.rotated} encrypted anew, {done.current} had the first key already")
    if done.unreadable:
        raise Undecryptable(describe_unreadable(done.unreadable))
