"""What an audit reads of the rows: the columns that it compares, once, and none of the shares that nobody asks about.

A database keeps every share that has ever ended. Of those an audit needs only the ones that the FTP host names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.audits.results import HostFacts
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.settings import Settings
from tempoftp.states import TERMINAL

PIECE = 500
"""Number of values that one statement names at most."""
LEASE_FACTOR = 10
"""A lease that lasts longer than this many lease times was given by a clock that was ahead."""


class SeenShare(NamedTuple):
    """The columns of a share that an audit compares. If one of them has changed, so has what the audit would do."""

    id: str
    generation: int
    state: str
    state_changed_at: datetime
    wished_at: datetime
    due_at: datetime | None
    ready_at: datetime | None
    expires: datetime | None
    lease_run_id: str | None
    lease_until: datetime | None


class SeenAccount(NamedTuple):
    """The columns of an account whose lease would last too long."""

    name: str
    lease_run_id: str | None
    lease_until: datetime | None


class SeenRows(NamedTuple):
    """The rows of one FTP host as an audit saw them."""

    at: datetime
    """When they began to be read."""
    shares: dict[str, SeenShare]
    """By id: all that have not ended, those that are leased for ever, and those that the host names."""
    held_accounts: dict[str, SeenAccount]
    """By name: those that are leased for ever."""
    known_ids: frozenset[str]
    """Of the ids that the host names, those that have a row, whatever host it belongs to."""
    known_accounts: frozenset[str]
    """Of the accounts that tempoftp created on the host, those that have a row."""
    run_ended_at: datetime | None
    """When the last run of shares on this host was written into the rows."""
    too_long: datetime
    """A lease that ends later was given by a clock that was ahead."""

    def is_held_for_ever(self, share: SeenShare) -> bool:
        """Whether the lease of a share lasts longer than any run."""
        return share.lease_until is not None and share.lease_until > self.too_long


def read_rows(
    session: Session, settings: Settings, ftp_host: str, facts: HostFacts, now: datetime
) -> SeenRows:
    """Read what an audit of this host compares; in a transaction that only reads."""
    too_long = now + timedelta(seconds=LEASE_FACTOR * settings.lease_seconds)
    of_host = select(*(getattr(Share, name) for name in SeenShare._fields)).where(Share.ftp_host == ftp_host)
    queries = [of_host.where(Share.state.not_in(TERMINAL)), of_host.where(Share.lease_until > too_long)]
    shares = {row.id: row for query in queries for row in _read(session, query, SeenShare)}
    known = {share_id for share_id in facts.generations if share_id in shares}
    for piece in cut(share_id for share_id in facts.generations if share_id not in shares):
        known.update(session.scalars(select(Share.id).where(Share.id.in_(piece))))
        shares |= {row.id: row for row in _read(session, of_host.where(Share.id.in_(piece)), SeenShare)}
    columns = [getattr(Account, name) for name in SeenAccount._fields]
    held = select(*columns).where(Account.ftp_host == ftp_host, Account.lease_until > too_long)
    known_accounts: set[str] = set()
    for piece in cut(list_created_accounts(facts)):
        known_accounts.update(session.scalars(select(Account.name).where(Account.name.in_(piece))))
    return SeenRows(
        at=now,
        shares=shares,
        held_accounts={row.name: row for row in _read(session, held, SeenAccount)},
        known_ids=frozenset(known),
        known_accounts=frozenset(known_accounts),
        run_ended_at=session.scalar(select(FtpHost.facts_at).where(FtpHost.name == ftp_host)),
        too_long=too_long,
    )


def list_created_accounts(facts: HostFacts) -> list[str]:
    """Return the names of the accounts on the host that tempoftp created."""
    return sorted(account.name for account in facts.accounts or () if account.origin == "created")


def see_share(share: Share) -> SeenShare:
    """Return the compared columns of a row as it is now."""
    return SeenShare(*(getattr(share, name) for name in SeenShare._fields))


def see_account(account: Account) -> SeenAccount:
    """Return the compared columns of a row as it is now."""
    return SeenAccount(*(getattr(account, name) for name in SeenAccount._fields))


def cut(values: Iterable[str]) -> Iterator[list[str]]:
    """Yield the values in pieces that one statement can name, each value once, in order."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), PIECE):
        yield ordered[start : start + PIECE]


def _read(session: Session, query: Any, kind: Any) -> list[Any]:
    return [kind(*row) for row in session.execute(query)]
