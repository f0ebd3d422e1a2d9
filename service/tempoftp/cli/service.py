"""What the commands on the service's host share: its settings, and its database brought up to date."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempoftp.cli.exits import BadSetting, DatabaseFailed, ServiceRefused
from tempoftp.cli.wording import word_refusal
from tempoftp.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

ENV_FILES = (Path("/etc/default/tempoftp"), Path("/etc/sysconfig/tempoftp"))
"""The files from which systemd reads the service's settings: on Debian and on RHEL hosts."""


def read_settings(**overrides: Any) -> Settings:
    """Read the settings; options of the command line win over the environment. Raises BadSetting for wrong ones."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise BadSetting(str(error)) from error


def read_host_settings() -> Settings:
    """Read the settings for a command that an administrator types on the service's host.

    A shell there has none of the settings that systemd gives the service. They are then read from systemd's file.
    """
    if "TEMPOFTP_ENCRYPTION_KEY" not in os.environ:
        for name, value in read_env_file().items():
            os.environ.setdefault(name, value)
    return read_settings()


def read_env_file() -> dict[str, str]:
    """Return the variables of the service's settings file; nothing when this host has no such file."""
    for path in ENV_FILES:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise BadSetting(f"{path} cannot be read: run this as root or as the service's user") from error
        return parse_env_text(text)
    return {}


def parse_env_text(text: str) -> dict[str, str]:
    """Return the variables of a settings file's text, as systemd reads it."""
    lines = text.splitlines()
    pairs = (line.strip().split("=", 1) for line in lines if "=" in line and line.strip()[0] not in "#;")
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


def upgrade(settings: Settings) -> None:
    """Bring the database's schema up to date. Raises DatabaseFailed when it cannot be reached or written."""
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
    """Log an error when no key decrypts some stored passwords; the service starts all the same."""
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

    A refusal inside the block ends the command with its exit code, and everything that the block wrote is rolled back.
    """
    from tempoftp.db.engine import open_database
    from tempoftp.refusals import Refused

    settings = read_host_settings()
    upgrade(settings)
    database = open_database(settings)
    try:
        with database.write() as session:
            yield session
    except Refused as error:
        raise ServiceRefused(word_refusal(error)) from error
    finally:
        database.close()
