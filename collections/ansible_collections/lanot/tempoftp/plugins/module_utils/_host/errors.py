# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of shares and accounts: one table of classes, one family of exceptions.

The table is repeated in ``service/tempoftp/errors.py``; a contract test compares the two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# True: transient, the caller tries the same request again later. False: somebody has to act.
CLASSES: dict[str, bool] = {
    "source_unreachable": True,
    "ftp_host_unreachable": True,
    "root_missing": True,
    "clock_unsure": True,
    "database_unavailable": True,
    "no_space": True,
    "no_inodes": True,
    "run_timeout": True,
    "run_failed": True,
    "copy_failed": True,
    "password_scheme": True,
    "source_not_found": False,
    "source_denied": False,
    "source_shell": False,
    "source_changing": False,
    "too_large": False,
    "account_conflict": False,
    "destination_occupied": False,
    "invalid": False,
    "stale": False,
    "ended": False,
    "not_delivered": False,
    "managed_elsewhere": False,
}
TRANSIENT = frozenset(name for name, passes in CLASSES.items() if passes)
PERMANENT = frozenset(name for name, passes in CLASSES.items() if not passes)

# Characters: long enough for rsync's own message, short enough for a page.
MESSAGE_LIMIT = 1000


class TempoftpError(Exception):
    """A classified failure. *message* says what failed, where, and what to do next."""

    error_class = "run_failed"

    def __init__(self, message: str, error_class: str = "") -> None:
        if error_class:
            self.error_class = error_class
        if self.error_class not in CLASSES:
            raise ValueError(f"unknown error class {self.error_class!r}")
        super().__init__(message)
        self.message = message

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without anybody acting."""
        return CLASSES[self.error_class]

    def to_dict(self) -> dict[str, Any]:
        """Return the ``error`` of a module result: class, message, transient."""
        return build_error(self.error_class, self.message)


class InvalidValueError(TempoftpError):
    """A value of the caller is not valid."""

    error_class = "invalid"


class StaleGenerationError(TempoftpError):
    """A late run has a request that is older than the generation on the host."""

    error_class = "stale"


class EndedError(TempoftpError):
    """The share has ended, and the request needs a live one."""

    error_class = "ended"


class AccountConflictError(TempoftpError):
    """An account of this name exists and does not match."""

    error_class = "account_conflict"


class DestinationOccupiedError(TempoftpError):
    """Something that tempoftp did not make is at the share's destination."""

    error_class = "destination_occupied"


class ManagedElsewhereError(TempoftpError):
    """The share of this id belongs to the other one of service and operator."""

    error_class = "managed_elsewhere"


class DatabaseUnavailableError(TempoftpError):
    """MariaDB/MySQL could not be reached or refused us."""

    error_class = "database_unavailable"


class RootMissingError(TempoftpError):
    """The disk of the delivery root is not there."""

    error_class = "root_missing"


class ClockUnsureError(TempoftpError):
    """The clock of this host is in doubt, and what was asked for needs the right time."""

    error_class = "clock_unsure"


class LockTimeoutError(TempoftpError):
    """Another run held the host's lock for too long."""

    error_class = "run_timeout"


class Refused(NamedTuple):
    """An item of a list option that the argument specification refused. *name*: its id or source, as it was given."""

    name: Any
    error: TempoftpError


def build_error(error_class: str, message: str) -> dict[str, Any]:
    """Return the ``error`` of a module result for a class of the table."""
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    return {"class": error_class, "message": message, "transient": CLASSES[error_class]}
