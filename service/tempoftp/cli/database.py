"""The service's database (`db upgrade|backup|import`).

The functions import the service themselves, so that help and completion need neither SQLAlchemy nor pydantic.
"""

from __future__ import annotations

from pathlib import Path

import click

from tempoftp.cli.command import Group, json_option
from tempoftp.cli.exits import SERVICE_FAILED, USAGE
from tempoftp.cli.output import print_json


@click.group(cls=Group)
def db() -> None:
    """Upgrade, back up or move the service's database."""


@db.command("upgrade", examples=["tempoftp db upgrade"], exits=(USAGE, SERVICE_FAILED))
@json_option
def upgrade_command(as_json: bool) -> None:
    """Create or migrate the tables.

    Current tables are left as they are. `serve` and `worker` do the same when they start.
    """
    from tempoftp.cli.service import read_host_settings, upgrade

    upgrade(read_host_settings())
    if as_json:
        print_json({"status": "current"})
    else:
        click.echo("the database is up to date")


@db.command(
    "backup", examples=["tempoftp db backup /var/backups/tempoftp.sqlite3"], exits=(USAGE, SERVICE_FAILED)
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def backup_command(file: Path, as_json: bool) -> None:
    """Copy the database, whole and consistent, into FILE while the service runs.

    FILE must not exist; only its owner can read it. This works for SQLite only; other databases have their own tools.
    The encryption key is not in FILE, and without the key no stored password can be read: back up both, in different
    places.
    """
    from tempoftp.cli.exits import DatabaseFailed
    from tempoftp.cli.service import read_host_settings
    from tempoftp.db.backup import BackupFailed, backup_database

    try:
        size = backup_database(read_host_settings(), file)
    except BackupFailed as error:
        raise DatabaseFailed(str(error)) from error
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"{file}: {size} bytes")


@db.command(
    "import", examples=["tempoftp db import /var/backups/tempoftp.sqlite3"], exits=(USAGE, SERVICE_FAILED)
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def import_command(file: Path, as_json: bool) -> None:
    """Fill the database of TEMPOFTP_DATABASE_URL with everything in FILE, to continue there.

    FILE is a SQLite database of this release, as `tempoftp db backup` makes it. The other database must be empty. It
    gets all of FILE or nothing. Stop API and worker first: what they write meanwhile would be lost.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from tempoftp.cli.exits import DatabaseFailed
    from tempoftp.cli.service import read_host_settings
    from tempoftp.db.import_rows import ImportFailed, import_database

    try:
        rows = import_database(read_host_settings(), file)
    except ImportFailed as error:
        raise DatabaseFailed(str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        # The URL may hold a password: say which setting, not its value.
        reason = getattr(error, "orig", None) or error
        raise DatabaseFailed(
            f"nothing was imported: the database cannot be used ({reason}). Check TEMPOFTP_DATABASE_URL."
        ) from error
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        click.echo(f"{sum(rows.values())} rows of {len(rows)} tables, {rows['shares']} shares among them")
