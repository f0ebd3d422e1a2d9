"""The service's database (`db upgrade|backup|import`) and the keys of the passwords in it (`key new|rotate`).

The functions import the service themselves, so that help and completion need neither SQLAlchemy nor pydantic.
"""

from __future__ import annotations

from pathlib import Path

import click

from tempoftp.cli.command import Group, json_option
from tempoftp.cli.exits import SERVICE_FAILED, UNDECRYPTABLE, USAGE
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


@click.group(cls=Group)
def key() -> None:
    """Make keys that encrypt the stored passwords, and change them."""


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
    """Encrypt every stored password again, with the first key.

    Run it on the service's host, as root or as the service's user, once API and worker have the new key. It may be
    repeated. Passwords that no key decrypts are listed: the old key is then missing.
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
