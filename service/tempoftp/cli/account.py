"""`tempoftp account map|unmap|list`: whose accounts are that were there before tempoftp."""

from __future__ import annotations

import click


@click.group
def account() -> None:
    """Say whose an account is that was there before tempoftp.

    Works on the service's database, so run it where the service runs, as a user that may write there.
    """


@account.command("map")
@click.argument("email")
@click.argument("ftpuser")
@click.option("--ftp-host", help="The FTP host that has it; needed when there are several.")
def map_command(email: str, ftpuser: str, ftp_host: str | None) -> None:
    """Use the account FTPUSER, which is there already, for the shares of EMAIL.

    Nothing of the account itself is ever changed; its password stays what it is.
    """
    from tempoftp.cli.exits import BadSetting
    from tempoftp.cli.service import read_host_settings, write_database
    from tempoftp.shares.account_map import map_account

    names = read_host_settings().ftp_host_names
    if ftp_host is None and len(names) == 1:
        ftp_host = names[0]
    if ftp_host not in names:
        raise BadSetting(f"say with --ftp-host which one has it: {', '.join(names)}")
    with write_database() as session:
        mapped = map_account(session, email, ftpuser, ftp_host)
        click.echo(f"{mapped.email}\t{mapped.name}\t{mapped.ftp_host}")


@account.command("unmap")
@click.argument("email")
def unmap_command(email: str) -> None:
    """Take back a mapping that no share has used yet."""
    from tempoftp.cli.service import write_database
    from tempoftp.shares.account_map import unmap_account

    with write_database() as session:
        gone = unmap_account(session, email)
        click.echo(f"{gone.email} has no account any more; {gone.name} on {gone.ftp_host} was not touched")


@account.command("list")
def list_command() -> None:
    """Show every account: e-mail, account, FTP host, and `created`, `adopted` or what is known, tab-separated."""
    from tempoftp.cli.service import write_database
    from tempoftp.shares.account_map import list_accounts

    with write_database() as session:
        for row in list_accounts(session):
            origin = row.origin or ("mapped" if row.adopt else "not there yet")
            click.echo(f"{row.email}\t{row.name}\t{row.ftp_host}\t{origin}")
