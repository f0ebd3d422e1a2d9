"""Step 8 of the flow: the report of a run becomes states, progress or classified errors.

It is written only for shares that still have the lease and the generation of the run. Other results are late and are
ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import forget_account, is_password_hash
from tempoftp.db.clock import database_now
from tempoftp.db.leases import lock_or_add
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.downloads.counts import apply_transfers
from tempoftp.errors import ShareError
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim, Step
from tempoftp.shares.claims import lock_accounts, lock_claimed, release_claim
from tempoftp.shares.expiry import sweep_fetched
from tempoftp.shares.results import Outcome, UserResult


@dataclass(frozen=True, slots=True)
class Applied:
    """The shares to which an outcome was written, and those for which it was late."""

    written: tuple[Share, ...]
    late: tuple[str, ...]


def apply_outcome(session: Session, settings: Settings, claim: Claim, outcome: Outcome) -> Applied:
    """Write the outcome of a run and release its leases, in a write transaction."""
    now = database_now(session)
    record_facts(session, claim.ftp_host, outcome, now)
    transfers = outcome.transfers
    is_counted = transfers is not None and apply_transfers(session, claim.ftp_host, transfers, now)
    results = {result.id: result for result in outcome.shares}
    accounts = lock_accounts(session, claim.run_id)
    shares = lock_claimed(session, claim.run_id, claim.generations)
    users = _select_current(claim, accounts, outcome)
    for name, user in users.items():
        _apply_user(accounts[name], user, now)
    for share in shares.values():
        step = Step(session, settings, claim, share, session.get_one(Account, share.ftpuser), now)
        step.apply(results.get(share.id), users.get(share.ftpuser))
    applied = _finish(session, claim, shares)
    if is_counted:
        sweep_fetched(session, settings, claim.ftp_host)
    return applied


def _select_current(claim: Claim, accounts: dict[str, Account], outcome: Outcome) -> dict[str, UserResult]:
    """Return the reports on accounts that the run still holds and whose password has not changed since it started.

    A report about an older password is ignored; the next run reports again.
    """
    return {
        user.name: user
        for user in outcome.users
        if user.name in accounts
        and claim.passwords.get(user.name) in (None, accounts[user.name].password_generation)
    }


def apply_failure(session: Session, settings: Settings, claim: Claim, error: ShareError) -> Applied:
    """Write to every share that a run still holds that the run ended without an outcome."""
    now = database_now(session)
    host = _find_host(session, claim.ftp_host)
    host.error_class, host.error_message, host.error_at = error.error_class, error.message, now
    lock_accounts(session, claim.run_id)
    shares = lock_claimed(session, claim.run_id, claim.generations)
    for share in shares.values():
        account = session.get_one(Account, share.ftpuser)
        Step(session, settings, claim, share, account, now).apply_error(error)
    return _finish(session, claim, shares)


def record_facts(session: Session, ftp_host: str, outcome: Outcome, now: datetime) -> None:
    """Store what the FTP host reported about itself."""
    host = _find_host(session, ftp_host)
    host.error_class = host.error_message = host.error_at = None
    host.facts_at = now
    if outcome.host is not None:
        host.facts = outcome.host
    if outcome.database is not None:
        host.database_facts = outcome.database


def _find_host(session: Session, name: str) -> FtpHost:
    return lock_or_add(session, FtpHost, name, paused=False)


def _finish(session: Session, claim: Claim, shares: dict[str, Share]) -> Applied:
    session.flush()
    release_claim(session, claim.run_id)
    late = tuple(sorted(set(claim.generations) - set(shares)))
    return Applied(written=tuple(shares.values()), late=late)


def _apply_user(account: Account, user: UserResult, now: datetime) -> None:
    if user.error is not None:
        return
    if user.state == "absent":
        if user.skipped_reason is None:
            forget_account(account)
        return
    if user.state not in ("present", "blocked"):
        return
    if account.exists_since is None:
        account.exists_since = now
    account.status = user.state
    account.origin = user.origin or account.origin
    if user.password_matches:
        account.password_confirmed = account.password_generation
    elif user.password_matches is False or user.password_hash not in (None, account.password_hash):
        # The account existed before, with a password that the service does not know: its token is useless. What is no
        # hash is not stored either: it may be the password.
        stored = user.password_hash
        account.password_hash = stored if stored is not None and is_password_hash(stored) else None
        account.token = None
        account.password_confirmed = account.password_generation
