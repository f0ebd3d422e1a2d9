"""What the commands on the service's host share: its settings, and its database brought up to date."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempoftp.cli.exits import BadSetting, DatabaseFailed, ServiceRefused
from tempoftp.cli.wording import word_refusal
from tempoftp.settings import Settings, SettingsError, load_settings, parse_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

FileCheck = Callable[[Settings], object]
"""Reads a file that the settings name. Raises SettingsError."""

ENV_FILES = (Path("/etc/default/tempoftp"), Path("/etc/sysconfig/tempoftp"))
"""The files from which systemd reads the service's settings: on Debian and on RHEL hosts."""


def read_settings(**overrides: Any) -> Settings:
    """Read the settings; options of the command line win over the environment. Raises BadSetting for wrong ones."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise BadSetting(write_mistakes(error.mistakes)) from error


def read_service_settings(*checks: FileCheck, **overrides: Any) -> Settings:
    """Read the settings for API or worker, and check the sources file and what else this program reads.

    Raises BadSetting with all mistakes at once. A service that starts with a wrong file would fail at its first use.
    """
    mistakes = find_mistakes(os.environ, checks, **overrides)
    if mistakes:
        raise BadSetting(write_mistakes(mistakes))
    return read_settings(**overrides)


def write_mistakes(mistakes: Sequence[str]) -> str:
    """Return the mistakes as a message: one on the same line, several below each other."""
    if len(mistakes) == 1:
        return mistakes[0]
    return "\n".join(
        [f"{len(mistakes)} mistakes in the settings:", *(f"- {mistake}" for mistake in mistakes)]
    )


def find_mistakes(variables: Mapping[str, str], checks: Sequence[FileCheck], **overrides: Any) -> list[str]:
    """Return all that is wrong with these variables, the sources file, and what each check reads."""
    try:
        settings = parse_settings(variables, **overrides)
    except SettingsError as error:
        # The sources file does not depend on the other settings: its mistakes are told at once too.
        place = variables.get("TEMPOFTP_SOURCES_FILE") or Settings.model_fields["sources_file"].default
        return [*error.mistakes, *find_source_mistakes(Path(place))]
    mistakes = find_source_mistakes(settings.sources_file)
    for check in checks:
        try:
            check(settings)
        except SettingsError as error:
            mistakes += error.mistakes
    return mistakes


def find_source_mistakes(path: Path) -> list[str]:
    """Return all that is wrong with a sources file."""
    from tempoftp.shares.sources import read_sources_file

    try:
        read_sources_file(path)
    except SettingsError as error:
        return list(error.mistakes)
    return []


def check_certificate(settings: Settings) -> None:
    """Raise SettingsError for a certificate that cannot be used. Gunicorn starts with it."""
    if settings.tls_certificate is None:
        return
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"TEMPOFTP_TLS_CERTIFICATE and TEMPOFTP_TLS_KEY cannot be used ({error.strerror or error}): give two "
            "PEM files that belong together and that the API's user may read"
        ) from error


def read_host_settings() -> Settings:
    """Read the settings for a command that an administrator types on the service's host.

    A shell there has none of the settings that systemd gives the service. They are then read from systemd's file. It
    may have TEMPOFTP_ENCRYPTION_KEY for the client commands: that of the file is used, which the service has too.
    """
    if "TEMPOFTP_SECRET_KEY" not in os.environ:
        stored = read_env_file()
        if "TEMPOFTP_ENCRYPTION_KEY" in stored:
            os.environ.pop("TEMPOFTP_ENCRYPTION_KEY", None)
        for name, value in stored.items():
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


def find_file_mistakes(file: Path | None) -> list[str]:
    """Return all that is wrong with a settings file; None is this host's, or the environment where there is none.

    Raises BadSetting for a file that cannot be read.
    """
    from tempoftp.notices.webhooks import read_webhooks

    checks: tuple[FileCheck, ...] = (check_certificate, read_webhooks)
    if file is None:
        return find_mistakes(read_env_file() or os.environ, checks)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSetting(f"{file} cannot be read: {reason}") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    # systemd leaves such a line out and starts the service.
    torn = [
        f"line {number} is neither NAME=value nor a comment"
        for number, line in lines
        if line and line[0] not in "#;" and "=" not in line
    ]
    return torn + find_mistakes(parse_env_text(text), checks)


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
