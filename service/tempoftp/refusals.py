# ruff: noqa: N818 - a refusal is named by what was refused
"""What the domains refuse: a stable code and the values that its sentence needs.

No sentence is written here. Each edge words a code for its reader: `http/wording.py` for the API and the portal,
`cli/wording.py` for the commands that an administrator runs on the service's host.
"""

from __future__ import annotations


class Refused(Exception):
    """The base of every refusal. `code` is snake_case and stays as it is; `params` are the values of its sentence.

    The classes below exist for code that has to tell one kind from another. The code says which case it is.
    """

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        """Return code and values, for logs: `id_in_use (id='p1')`."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code} ({values})" if values else self.code


class InvalidRequest(Refused):
    """A value of the request is not acceptable. `field` is its name on the wire."""

    def __init__(self, field: str, code: str, **params: object) -> None:
        super().__init__(code, **params)
        self.field = field


class InvalidSource(InvalidRequest):
    """`ruta` is not of the form `host:/path` or `user@host:/path`."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__("ruta", code, **params)


class SourceNotAllowed(Refused):
    """`ruta` is well-formed but not on the allow-list."""


class IdInUse(Refused):
    """The id belongs to a share with another body."""


class QuotaReached(Refused):
    """A person or a caller has as much as one may have."""


class ShareNotFound(Refused):
    """No share has this id."""


class AccountTaken(Refused):
    """The account belongs to another e-mail, or the e-mail has another account."""


class AccountNotFound(Refused):
    """No FTP account of this name has shares."""


class AccountNotOurs(Refused):
    """The account existed before tempoftp, which never writes to it."""


class HostGone(Refused):
    """The FTP host of a person's account is no longer configured, and something still lives there."""


class LifetimeInPast(Refused):
    """With this lifetime the share would have ended already."""


class LinkNotFound(Refused):
    """A recipient's link is malformed, has ended or was revoked. The answer is the same for all three."""


class ConfirmationNeeded(Refused):
    """The consequences have to be confirmed first. `opens`: the other shares that are affected."""

    def __init__(self, code: str, *, opens: list[str]) -> None:
        super().__init__(code, opens=opens)
        self.opens = opens


class ExtensionNotFound(Refused):
    """Nobody waits for more days of this share."""


class PreviewNotFound(Refused):
    """No preview has this id, or it is another person's."""


class TooManyPreviews(Refused):
    """Too many previews of one caller are still waiting."""


class HostNotFound(Refused):
    """No FTP host of this name is configured."""


class IllegalTransition(Refused):
    """The share's state does not allow what was asked."""
