"""The error classes of a share, in one table.

The table is compared by a contract test with the collection's `module_utils/_host/errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class of failure. `transient`: it may pass, so the share keeps its state and is retried.

    `endless`: it is retried without a deadline, because the share itself is not concerned.
    """

    name: str
    transient: bool
    meaning: str
    endless: bool = False


_TABLE = (
    ErrorClass("source_unreachable", True, "the source host does not answer"),
    ErrorClass("ftp_host_unreachable", True, "the FTP host does not answer"),
    ErrorClass("root_missing", True, "the disk of the FTP host is not mounted", endless=True),
    ErrorClass("clock_unsure", True, "the clock of the FTP host is in doubt", endless=True),
    ErrorClass("database_unavailable", True, "the database of pure-ftpd does not answer"),
    ErrorClass("no_space", True, "other shares or copies hold the disk space of the FTP host"),
    ErrorClass("no_inodes", True, "other shares or copies hold the inodes of the FTP host"),
    ErrorClass("run_timeout", True, "a run did not end in time"),
    ErrorClass("run_failed", True, "a run ended without an outcome"),
    ErrorClass("copy_failed", True, "rsync failed for a reason that may pass"),
    ErrorClass("password_scheme", True, "pure-ftpd is not configured for a safe password scheme"),
    ErrorClass("source_not_found", False, "the path does not exist on the source"),
    ErrorClass("source_denied", False, "the source does not let us read the path"),
    ErrorClass("source_shell", False, "the login shell on the source prints something before rsync starts"),
    ErrorClass("source_changing", False, "the source kept changing while it was copied"),
    ErrorClass("too_large", False, "the share is larger than the whole disk"),
    ErrorClass("account_conflict", False, "the FTP account exists and is not ours to use"),
    ErrorClass("destination_occupied", False, "something that is not ours stands where the share should go"),
    ErrorClass("invalid", False, "the FTP host refused the request as invalid"),
    ErrorClass("stale", False, "the FTP host knows a newer generation of this share"),
    ErrorClass("ended", False, "the share is over, and what was asked for needs one that lives"),
    ErrorClass("not_delivered", False, "the FTP host does not have the share that should be changed"),
    ErrorClass("managed_elsewhere", False, "an operator delivered a share of this id without the service"),
)

ERROR_CLASSES: dict[str, ErrorClass] = {entry.name: entry for entry in _TABLE}


@dataclass(frozen=True, slots=True)
class ShareError:
    """A classified failure of one share. `message` says what, where and what to do."""

    error_class: str
    message: str
    transient: bool

    @classmethod
    def of(cls, error_class: str, message: str) -> ShareError:
        """Return an error of the table; an unknown class counts as the transient `run_failed`."""
        entry = ERROR_CLASSES.get(error_class, ERROR_CLASSES["run_failed"])
        return cls(error_class=entry.name, message=message, transient=entry.transient)

    @property
    def endless(self) -> bool:
        """Whether it is retried without a deadline."""
        return ERROR_CLASSES[self.error_class].endless
