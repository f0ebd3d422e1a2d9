# ruff: noqa: N818 - a refusal is named by what was refused, as its HTTP title is
"""The error classes of a share, and the refusals a caller of this package may get.

The table is compared by a contract test with the collection's `module_utils/_errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class of failure. `transient`: it may pass, so the share keeps its state and is retried."""

    name: str
    transient: bool
    meaning: str


_TABLE = (
    ErrorClass("source_unreachable", True, "the source host does not answer"),
    ErrorClass("ftp_host_unreachable", True, "the FTP host does not answer"),
    ErrorClass("database_unavailable", True, "the database of pure-ftpd does not answer"),
    ErrorClass("no_space", True, "other shares or copies hold the disk space of the FTP host"),
    ErrorClass("no_inodes", True, "other shares or copies hold the inodes of the FTP host"),
    ErrorClass("run_timeout", True, "a run did not end in time"),
    ErrorClass("run_failed", True, "a run ended without an outcome"),
    ErrorClass("copy_failed", True, "rsync failed for a reason that may pass"),
    ErrorClass("password_scheme", True, "pure-ftpd is not configured for a safe password scheme"),
    ErrorClass("source_not_found", False, "the path does not exist on the source"),
    ErrorClass("source_denied", False, "the source does not let us read the path"),
    ErrorClass("source_changing", False, "the source kept changing while it was copied"),
    ErrorClass("too_large", False, "the share is larger than the whole disk"),
    ErrorClass("account_conflict", False, "the FTP account exists and is not ours to use"),
    ErrorClass("destination_occupied", False, "something that is not ours stands where the share should go"),
    ErrorClass("invalid", False, "the FTP host refused the request as invalid"),
    ErrorClass("stale", False, "the FTP host knows a newer wish for this share"),
    ErrorClass("ended", False, "the share is over, and what was asked for needs one that lives"),
    ErrorClass("not_delivered", False, "the FTP host does not have the share that should be changed"),
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


class ShareRefused(Exception):
    """Base of everything this package refuses. `title` is short and fixed, `detail` says what to do."""

    title = "The request was refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequest(ShareRefused):
    """A value of the request is not acceptable (HTTP 422). `field` is its wire name."""

    title = "The request is not valid"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class InvalidSource(InvalidRequest):
    """`ruta` is not of the form `host:/path` or `user@host:/path` (HTTP 422)."""

    title = "The path of the source is not valid"

    def __init__(self, detail: str) -> None:
        super().__init__("ruta", detail)


class SourceNotAllowed(ShareRefused):
    """`ruta` is well-formed but not on the allow-list (HTTP 403)."""

    title = "The source is not allowed"


class IdInUse(ShareRefused):
    """The id belongs to a share with another body (HTTP 409)."""

    title = "The id is in use"


class ShareNotFound(ShareRefused):
    """No share has this id (HTTP 404)."""

    title = "There is no such share"


class AccountTaken(ShareRefused):
    """The account belongs to another e-mail, or the e-mail has another account (HTTP 409)."""

    title = "The account is taken"


class AccountNotFound(ShareRefused):
    """No FTP account of this name has shares (HTTP 404)."""

    title = "There is no such account"


class AccountNotOurs(ShareRefused):
    """The account was there before tempoftp, which never writes to it (HTTP 409)."""

    title = "The account was there before"


class LifetimeInPast(ShareRefused):
    """With this lifetime the share would have ended already (HTTP 409)."""

    title = "The end would lie in the past"


class LinkNotFound(ShareRefused):
    """A recipient's link is none, has ended or was revoked: the three are not told apart (HTTP 404)."""

    title = "The link is not valid"


class ConfirmationNeeded(ShareRefused):
    """What was asked for has consequences that have to be confirmed first (HTTP 409). `opens`: other shares."""

    title = "This needs to be confirmed"

    def __init__(self, detail: str, opens: list[str]) -> None:
        super().__init__(detail)
        self.opens = opens


class ExtensionNotFound(ShareRefused):
    """Nobody waits for more days of this share (HTTP 409)."""

    title = "Nobody has asked for more days"


class PreviewNotFound(ShareRefused):
    """No preview has this id, or it is somebody else's (HTTP 404)."""

    title = "There is no such preview"


class TooManyPreviews(ShareRefused):
    """Too many previews of one asker wait already (HTTP 429)."""

    title = "Too many previews wait"


class HostNotFound(ShareRefused):
    """No FTP host of this name is configured (HTTP 404)."""

    title = "There is no such FTP host"


class IllegalTransition(ShareRefused):
    """The share's state does not allow what was asked (HTTP 409)."""

    title = "The state of the share does not allow this"
