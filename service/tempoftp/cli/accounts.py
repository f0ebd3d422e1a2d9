"""`tempoftp account map|unmap|list`: which person owns an account that existed before tempoftp.

The functions import the service themselves, so that help and completion need neither SQLAlchemy nor pydantic.
"""

from __future__ import annotations

import click

from tempoftp.cli.command import ON_THE_HOST, Group, json_option
from tempoftp.cli.output import print_json, print_rows


@click.group(cls=Group)
def account() -> None:
    """Map people to accounts that existed before tempoftp.

    These commands work on the service's database: run them on its host, as a user that may write there.
    """


@account.command("map", examples=["tempoftp account map juan@dominio.example juan"], exits=ON_THE_HOST)
@click.argument("email")
@click.argument("ftpuser")
@click.option(
    "--ftp-host", help="The FTP host that has the account; needed when it is not known which one has it."
)
@json_option
def map_command(email: str, ftpuser: str, ftp_host: str | None, as_json: bool) -> None:
    """Use the existing account FTPUSER for the shares of EMAIL.

    The account itself is never changed; it keeps its password.
    """
    from tempoftp.accounts.map import find_only_host, map_account
    from tempoftp.cli.exits import BadSetting
    from tempoftp.cli.service import read_host_settings, write_database

    names = read_host_settings().ftp_host_names
    with write_database() as session:
        if ftp_host is None:
            ftp_host = find_only_host(session, ftpuser, names)
        if ftp_host not in names:
            raise BadSetting(f"say with --ftp-host which one has it: {', '.join(names)}")
        mapped = map_account(session, email, ftpuser, ftp_host)
        row = {"email": mapped.email, "ftpuser": mapped.name, "ftp_host": mapped.ftp_host}
    if as_json:
        print_json(row)
    else:
        print_rows(tuple(row), [tuple(row.values())])


@account.command("unmap", examples=["tempoftp account unmap juan@dominio.example"], exits=ON_THE_HOST)
@click.argument("email")
@json_option
def unmap_command(email: str, as_json: bool) -> None:
    """Remove a mapping that no share has used yet."""
    from tempoftp.accounts.map import unmap_account
    from tempoftp.cli.service import write_database

    with write_database() as session:
        gone = unmap_account(session, email)
        row = {"email": gone.email, "ftpuser": gone.name, "ftp_host": gone.ftp_host}
    if as_json:
        print_json(row)
    else:
        click.echo(
            f"{row['email']} has no account any more; {row['ftpuser']} on {row['ftp_host']} was not touched"
        )


@account.command("list", examples=["tempoftp account list"], exits=ON_THE_HOST)
@json_option
def list_command(as_json: bool) -> None:
    """Show every account: e-mail, account, FTP host and origin (`created`, `adopted`, `mapped` or `not there yet`)."""
    from tempoftp.accounts.map import list_accounts
    from tempoftp.cli.service import write_database

    with write_database() as session:
        rows = [
            {
                "email": row.email,
                "ftpuser": row.name,
                "ftp_host": row.ftp_host,
                "origin": row.origin or ("mapped" if row.adopt else "not there yet"),
            }
            for row in list_accounts(session)
        ]
    if as_json:
        print_json(rows)
    else:
        print_rows(("email", "ftpuser", "ftp_host", "origin"), [tuple(row.values()) for row in rows])
