"""Passwords: showing the password of a share to its owner, and making a new one.

Nothing else in the service decrypts a stored password. The password belongs to the account, so it opens every share of
the account; each time that one is shown is written to the history of the share.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import InvalidToken
from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import is_rotating, renew_password
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import AccountNotOurs, IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.queries import lock_share
from tempoftp.shares.serializers import SECRET_FIELDS, describe_access, show_password
from tempoftp.states import DELIVERED, ON_ITS_WAY, State


class PasswordShown(enum.StrEnum):
    """Whether a page can show the password, or why it cannot."""

    VISIBLE = "visible"
    EARLIER = "anterior"
    FOREIGN = "ajena"
    UNREADABLE = "ilegible"


PASSWORD_MESSAGES: dict[PasswordShown, str] = {
    PasswordShown.EARLIER: (
        "La cuenta ya existía cuando se pidió esta solicitud: su contraseña anterior sigue valiendo, y por eso no se "
        "muestra aquí. Si ya no la tiene, pida una nueva; valdrá también para las demás solicitudes de la cuenta."
    ),
    PasswordShown.FOREIGN: (
        "La cuenta existía antes que este servicio: entre con la contraseña que ya tiene. La cambia quien administra "
        "el servidor FTP."
    ),
    PasswordShown.UNREADABLE: (
        "La contraseña no se puede mostrar ahora. Pida una nueva, o avise a quien opera el servicio."
    ),
}
NEW_PASSWORD_MESSAGE = "La contraseña es nueva: vale en cuanto el servidor FTP la confirme."  # noqa: S105 - words


@dataclass(frozen=True, slots=True)
class Credentials:
    """`password` is None unless it is `VISIBLE`.

    `EARLIER`: the password of an earlier share still works, and only its hash is known here. `FOREIGN`: the account
    existed before tempoftp. `UNREADABLE`: none of the configured keys decrypts it.
    """

    shown: PasswordShown
    password: str | None = field(default=None, repr=False)


def reveal_credentials(
    session: Session, settings: Settings, share_id: str, *, emails: frozenset[str] | None, author: str
) -> Credentials:
    """Return the password of a share that is `listo`, and write to its history who saw it.

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
    """Return the password of a share, or why it cannot be shown. The caller writes to the history that it was shown."""
    token, kind = show_password(account, share, reuse_password=settings.reuse_password)
    if kind != "fernet" or token is None:
        return Credentials(PasswordShown.FOREIGN if account.origin == "adopted" else PasswordShown.EARLIER)
    try:
        password = settings.build_fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        return Credentials(PasswordShown.UNREADABLE)
    return Credentials(PasswordShown.VISIBLE, password)


def describe_credentials(session: Session, settings: Settings, share: Share) -> dict[str, Any]:
    """Return how to log in to a share that is ready, with the clear password or the reason why it is not shown.

    The caller writes to the history that this was shown.
    """
    account = session.get_one(Account, share.ftpuser)
    access = describe_access(settings, share, account, session.get(FtpHost, share.ftp_host))
    credentials = open_password(settings, account, share)
    message = PASSWORD_MESSAGES.get(credentials.shown)
    if message is None and is_rotating(account):
        message = NEW_PASSWORD_MESSAGE
    return {
        **{key: value for key, value in access.items() if key not in SECRET_FIELDS},
        "id": share.id,
        "password": credentials.password,
        "password_estado": credentials.shown.value,
        "password_mensaje": message,
    }


def tell_credentials(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None,
    author: str,
    request_id: str,
) -> dict[str, Any]:
    """Return how to log in to a share, for its own client, and write to its history who asked for it.

    It needs a write transaction. Raises ShareNotFound, IllegalTransition.
    """
    share = lock_share(session, share_id, emails)
    if share.state != State.LISTO:
        raise IllegalTransition("not_ready", state=share.state)
    answer = describe_credentials(session, settings, share)
    share.request_id = request_id
    if answer["password_estado"] == PasswordShown.VISIBLE:
        reason = Phrase("password_shown")
    else:
        reason = Phrase("access_shown", shown=answer["password_estado"])
    record_change(session, share, reason=reason, author=author)
    return answer


OPENABLE = ON_ITS_WAY | DELIVERED
"""States in which the password of the account opens the share, or will open it."""


def request_rotation(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> tuple[Share, Account]:
    """Give the account of a share a new password. The caller commits, then wakes the FTP host.

    The service forgets the old password at once. On the FTP host it works until an outcome confirms the new one. The
    encrypted password is committed before any run and sent until it is confirmed, so a crash loses no password.

    Raises ShareNotFound, IllegalTransition, and AccountNotOurs for an account that existed before tempoftp.
    """
    share = lock_share(session, share_id, emails)
    if share.state not in OPENABLE:
        raise IllegalTransition("no_account_to_open", state=share.state)
    account = session.get_one(Account, share.ftpuser)
    if account.origin == "adopted" or (account.adopt and account.origin is None):
        raise AccountNotOurs("account_not_ours", name=account.name)
    now = database_now(session)
    renew_password(account, settings.build_fernet(), now)
    share.request_id = request_id
    record_change(session, share, reason=Phrase("new_password_requested"), author=author)
    # Late runs are recognised by the number of the account's password, so the share needs no new generation.
    share.attempt = 0
    share.wished_at = share.due_at = now
    return share, account


def list_opened(session: Session, account: Account) -> list[str]:
    """Return the ids of the shares that the password of an account opens, now or once they are delivered."""
    query = select(Share.id).where(Share.ftpuser == account.name, Share.state.in_(OPENABLE))
    return list(session.scalars(query.order_by(Share.id)))
