"""What the commands that run on the service's machine share: settings, and the database's schema."""

from __future__ import annotations

from typing import Any

from tempoftp.cli.exits import BadSetting, DatabaseFailed
from tempoftp.settings import Settings, SettingsError, load_settings


def read_settings(**overrides: Any) -> Settings:
    """Read the settings; the command line's options win over the environment. `BadSetting` if they do not fit."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise BadSetting(str(error)) from error


def upgrade(settings: Settings) -> None:
    """Bring the database's schema up to date; `DatabaseFailed` if it cannot be reached or written."""
    from sqlalchemy.exc import SQLAlchemyError

    from tempoftp.shares.schema import upgrade_database

    try:
        upgrade_database(settings)
    except (SQLAlchemyError, OSError) as error:
        # The URL may hold a password: say which setting, not its value.
        reason = getattr(error, "orig", None) or error
        raise DatabaseFailed(
            f"the service's database cannot be opened or migrated ({reason}). "
            "Check TEMPOFTP_STATE_DIR or TEMPOFTP_DATABASE_URL, and who may write there."
        ) from error
