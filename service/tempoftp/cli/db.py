"""`tempoftp db upgrade`: bring the service's database up to date."""

from __future__ import annotations

import click


@click.group
def db() -> None:
    """Bring the service's database up to date."""


@db.command("upgrade")
def upgrade_command() -> None:
    """Create or migrate the tables.

    Nothing happens when they are current. `serve` and `worker` do the same when they start.
    """
    from tempoftp.cli.service import read_host_settings, upgrade

    upgrade(read_host_settings())
    click.echo("the database is up to date")
