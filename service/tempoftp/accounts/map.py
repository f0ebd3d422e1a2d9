"""Whose accounts are that were there before tempoftp: what an operator says, never a guess."""

from __future__ import annotations

import re

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from tempoftp.accounts.emails import normalise_email
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Share
from tempoftp.refusals import AccountTaken, InvalidRequest

FTPUSER_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}"
"""What the FTP hosts take for the name of an account that was there before (the collection's `_host/names.py`)."""


def map_account(session: Session, email: str, name: str, ftp_host: str) -> Account:
    """Write down that an account of an FTP host is this e-mail's, inside a write transaction. May be repeated.

    Also says so of an account that the e-mail has already, but that turned out to be there before us.
    Raises InvalidRequest, and AccountTaken when either belongs to somebody else.
    """
    email = _parse_email(email)
    if not re.fullmatch(FTPUSER_PATTERN, name):
        raise InvalidRequest("usuario", f"account {name!r} is refused: it must match ^{FTPUSER_PATTERN}$")
    account = session.get(Account, name)
    if account is not None and account.email != email:
        raise AccountTaken(
            f"account {name} is {account.email}'s: unmap that one first, or map another account"
        )
    other = session.scalar(select(Account).where(Account.email == email, Account.name != name))
    if other is not None:
        raise AccountTaken(
            f"{email} has the account {other.name} on {other.ftp_host}: two would need two e-mails "
            "(tempoftp account unmap gives it up when no share ever used it)"
        )
    if account is None:
        account = Account(name=name, email=email, ftp_host=ftp_host, created_at=utc_now())
        session.add(account)
    elif account.ftp_host != ftp_host:
        raise AccountTaken(f"account {name} is on {account.ftp_host}: accounts do not move between FTP hosts")
    account.adopt = True
    return account


def unmap_account(session: Session, email: str) -> Account:
    """Take back what map_account said, inside a write transaction; the FTP host's account is not touched.

    Raises InvalidRequest when there is nothing to take back, AccountTaken when a share has used the account.
    """
    email = _parse_email(email)
    account = session.scalar(select(Account).where(Account.email == email, Account.adopt))
    if account is None:
        raise InvalidRequest("usuario", f"no account was mapped to {email}: see tempoftp account list")
    if session.scalar(select(exists().where(Share.ftpuser == account.name))):
        raise AccountTaken(
            f"account {account.name} has been used for shares of {email}: an account is never given to a second person"
        )
    session.delete(account)
    return account


def list_accounts(session: Session) -> list[Account]:
    """Return all accounts by name."""
    return list(session.scalars(select(Account).order_by(Account.name)))


def _parse_email(email: str) -> str:
    try:
        return normalise_email(email)
    except ValueError as error:
        raise InvalidRequest("usuario", f"{email!r} {error}") from None
