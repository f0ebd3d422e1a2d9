"""What the commands that run on the service's machine share: settings, and the database's schema."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempoftp.cli.exits import BadSetting, DatabaseFailed, ServiceRefused
from tempoftp.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

ENV_FILES = (Path("/etc/default/tempoftp"), Path("/etc/sysconfig/tempoftp"))
"""Where systemd reads the service's settings: Debian family, RHEL family."""


def read_settings(**overrides: Any) -> Settings:
    """Read the settings; the command line's options win over the environment. `BadSetting` if they do not fit."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise BadSetting(str(error)) from error


def read_host_settings() -> Settings:
    """Read the settings for a command that an administrator types on the service's host.

    What systemd gives the service stands in a file there; a shell that has no settings of its own gets them from it.
    """
    if "TEMPOFTP_ENCRYPTION_KEY" not in os.environ:
        for name, value in read_env_file().items():
            os.environ.setdefault(name, value)
    return read_settings()


def read_env_file() -> dict[str, str]:
    """Return the variables of the service's settings file, as systemd reads it; nothing when there is none to read."""
    for path in ENV_FILES:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise BadSetting(f"{path} cannot be read: run this as root or as the service's user") from error
        pairs = (line.strip().split("=", 1) for line in lines if "=" in line and line.strip()[0] not in "#;")
        return {name.strip(): value.strip().strip("'\"") for name, value in pairs}
    return {}


def upgrade(settings: Settings) -> None:
    """Bring the database's schema up to date; `DatabaseFailed` if it cannot be reached or written."""
    from sqlalchemy.exc import SQLAlchemyError

    from tempoftp.db.schema import upgrade_database

    try:
        upgrade_database(settings)
    except (SQLAlchemyError, OSError) as error:
        # The URL may hold a password: say which setting, not its value.
        reason = getattr(error, "orig", None) or error
        raise DatabaseFailed(
            f"the service's database cannot be opened or migrated ({reason}). "
            "Check TEMPOFTP_STATE_DIR or TEMPOFTP_DATABASE_URL, and who may write there."
        ) from error


def report_missing_keys(settings: Settings) -> None:
    """Say in the log when a stored password fits no key; what fits goes on."""
    from tempoftp.accounts.keys import describe_unreadable, find_unreadable
    from tempoftp.db.engine import open_database

    database = open_database(settings)
    try:
        with database.read() as session:
            unreadable = find_unreadable(session, settings.build_fernet())
    finally:
        database.close()
    if unreadable:
        logger.error("%s", describe_unreadable(unreadable))


@contextmanager
def write_database() -> Iterator[Session]:
    """Open a write transaction on the service's database, brought up to date first, for a command on its host.

    Refusals become exit codes; what the block had written is then rolled back.
    """
    from tempoftp.db.engine import open_database
    from tempoftp.refusals import ShareRefused

    settings = read_host_settings()
    upgrade(settings)
    database = open_database(settings)
    try:
        with database.write() as session:
            yield session
    except ShareRefused as error:
        raise ServiceRefused(f"{error.title}: {error.detail}") from error
    finally:
        database.close()
