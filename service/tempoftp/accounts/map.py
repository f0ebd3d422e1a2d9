"""Accounts that existed before tempoftp: an operator says whose they are; the service never guesses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import lock_account
from tempoftp.accounts.emails import normalise_email
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, HostAudit, Share
from tempoftp.refusals import AccountTaken, InvalidRequest
from tempoftp.states import TERMINAL

FTPUSER_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}"
"""What the FTP hosts take for the name of an account that was there before (the collection's `_host/names.py`)."""


def map_account(session: Session, email: str, name: str, ftp_host: str) -> Account:
    """Write that an account of an FTP host belongs to this e-mail, in a write transaction. It may be repeated.

    It also marks an account that the e-mail has already and that turned out to exist before. Raises InvalidRequest,
    and AccountTaken when the account or the e-mail is taken.
    """
    email = _parse_email(email)
    if not re.fullmatch(FTPUSER_PATTERN, name):
        raise InvalidRequest("usuario", "ftpuser_malformed", name=name, pattern=FTPUSER_PATTERN)
    account = lock_account(session, name)
    if account is not None and account.email != email:
        raise AccountTaken("account_of_another", name=name, email=account.email)
    other = session.scalar(select(Account).where(Account.email == email, Account.name != name))
    if other is not None:
        raise AccountTaken("email_has_account", email=email, name=other.name, ftp_host=other.ftp_host)
    if account is None:
        account = Account(name=name, email=email, ftp_host=ftp_host, created_at=database_now(session))
        session.add(account)
    elif account.ftp_host != ftp_host:
        raise AccountTaken("account_on_other_host", name=name, ftp_host=account.ftp_host)
    account.adopt = True
    return account


def find_only_host(session: Session, name: str, ftp_hosts: Sequence[str]) -> str | None:
    """Return the one FTP host that is known to have an account of this name; None when there is none or several.

    Known is the host of its row, and what the last audits found: accounts that tempoftp created and that have no row.
    """
    if len(ftp_hosts) == 1:
        return ftp_hosts[0]
    row = session.get(Account, name)
    if row is not None:
        return row.ftp_host
    query = select(HostAudit).where(HostAudit.ftp_host.in_(ftp_hosts))
    found = [audit.ftp_host for audit in session.scalars(query) if name in (audit.unknown_accounts or ())]
    return found[0] if len(found) == 1 else None


def unmap_account(session: Session, email: str) -> Account:
    """Undo `map_account`, in a write transaction. The account on the FTP host is not touched.

    Raises InvalidRequest when nothing was mapped, AccountTaken when a share has used the account.
    """
    email = _parse_email(email)
    account = session.scalar(select(Account).where(Account.email == email, Account.adopt).with_for_update())
    if account is None:
        raise InvalidRequest("usuario", "account_not_mapped", email=email)
    if session.scalar(select(exists().where(Share.ftpuser == account.name))):
        raise AccountTaken("account_used", name=account.name, email=email)
    session.delete(account)
    return account


def list_accounts(session: Session) -> list[Account]:
    """Return all accounts by name."""
    return list(session.scalars(select(Account).order_by(Account.name)))


def count_living_shares(session: Session) -> dict[str, int]:
    """Return how many shares of each account have not ended."""
    query = select(Share.ftpuser, func.count()).where(Share.state.not_in(TERMINAL)).group_by(Share.ftpuser)
    return {name: count for name, count in session.execute(query)}


def _parse_email(email: str) -> str:
    try:
        return normalise_email(email)
    except ValueError as error:
        raise InvalidRequest("usuario", "email_malformed", email=email, why=str(error)) from None
