"""The clear password of a share, for the person it is meant for: the one place where a token becomes a password.

Whoever is shown one is written into the share's history, since it is the account's: it opens every share of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cryptography.fernet import InvalidToken
from sqlalchemy.orm import Session

from tempoftp.settings import Settings
from tempoftp.shares.errors import IllegalTransition
from tempoftp.shares.models import Account
from tempoftp.shares.states import State, record_change
from tempoftp.shares.views import find_share, show_password

Kind = Literal["shown", "earlier", "adopted", "unreadable"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """`password` is there only when `kind` is `shown`.

    `earlier`: one that was given with an earlier share still works, and only its hash is known here; `adopted`: the
    account was there before tempoftp; `unreadable`: the key that protects it is not among ours.
    """

    kind: Kind
    password: str | None = field(default=None, repr=False)


def reveal_credentials(
    session: Session, settings: Settings, share_id: str, *, emails: frozenset[str] | None, author: str
) -> Credentials:
    """Return the password of a share that is `listo`, inside a write transaction: the history tells who saw it.

    Raises ShareNotFound, IllegalTransition.
    """
    share = find_share(session, share_id, emails)
    if share.state != State.LISTO:
        raise IllegalTransition(
            f"la solicitud está en {share.state}; solo la que está lista tiene cómo entrar"
        )
    account = session.get_one(Account, share.ftpuser)
    token, kind = show_password(account, share, reuse_password=settings.reuse_password)
    if kind != "fernet" or token is None:
        return Credentials("adopted" if account.origin == "adopted" else "earlier")
    try:
        password = settings.build_fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        return Credentials("unreadable")
    record_change(session, share, reason="password shown", author=author)
    return Credentials("shown", password)
