# ruff: noqa: N818 - a refusal is named by what was refused, as its HTTP title is
"""The refusals that a caller of the domains may get. The HTTP edge translates them into problems."""

from __future__ import annotations


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
