"""The clear password of a share, for the person it is meant for: the one place where the service opens one.

Whoever is shown one is written into the share's history, since it is the account's: it opens every share of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from sqlalchemy.orm import Session

from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.serializers import lock_share, show_password
from tempoftp.states import State


class PasswordShown(enum.StrEnum):
    """Whether a page can show the password, and if not why."""

    VISIBLE = "visible"
    EARLIER = "anterior"
    FOREIGN = "ajena"
    UNREADABLE = "ilegible"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`password` is there only when it is `VISIBLE`.

    `EARLIER`: one that was given with an earlier share still works, and only its hash is known here; `FOREIGN`: the
    account was there before tempoftp; `UNREADABLE`: the key that protects it is not among ours.
    """

    shown: PasswordShown
    password: str | None = field(default=None, repr=False)


def reveal_credentials(
    session: Session, settings: Settings, share_id: str, *, emails: frozenset[str] | None, author: str
) -> Credentials:
    """Return the password of a share that is `listo`, inside a write transaction: the history tells who saw it.

    Raises ShareNotFound, IllegalTransition.
    """
    share = lock_share(session, share_id, emails)
    if share.state != State.LISTO:
        raise IllegalTransition("not_ready", state=share.state)
    account = session.get_one(Account, share.ftpuser)
    credentials = open_password(settings, account, share)
    if credentials.shown is PasswordShown.VISIBLE:
        record_change(session, share, reason=Phrase("password_shown"), author=author)
    return credentials


def open_password(settings: Settings, account: Account, share: Share) -> Credentials:
    """Return the password that belongs to a share, or why it cannot be shown; what it is shown for is the caller's."""
    token, kind = show_password(account, share, reuse_password=settings.reuse_password)
    if kind != "fernet" or token is None:
        return Credentials(PasswordShown.FOREIGN if account.origin == "adopted" else PasswordShown.EARLIER)
    try:
        password = settings.build_fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        return Credentials(PasswordShown.UNREADABLE)
    return Credentials(PasswordShown.VISIBLE, password)
