"""Repair those differences between rows and host that are safe to repair, a few rows in each write transaction.

The comparison holds no lock, so a row may have changed since. Each row is locked and looked at again: if it is not
as it was compared, it is left alone and its finding is dropped. In most cases a run does the repair, so that the row
only becomes due.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tempoftp.audits.compare import is_resurrected
from tempoftp.audits.results import Finding, HostFacts, HostShare
from tempoftp.audits.rows import SeenRows, cut, see_account, see_share
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.shares.lifecycle import record_change
from tempoftp.states import CLAIMABLE, TERMINAL

AUTHOR = "audit"
WANTS_ROW = frozenset({"share_without_account", "share_without_directory"})
"""Findings of the host that a run of the share repairs: only the run has the password and the source."""


def repair_rows(session: Session, facts: HostFacts, rows: SeenRows, findings: list[Finding]) -> list[Finding]:
    """Repair what is safe, inside a write transaction; returns the findings without those of changed rows."""
    subjects = {finding.subject for finding in findings}
    held = [name for name in subjects if name in rows.held_accounts]
    accounts = select(Account).where(Account.name.in_(held)).order_by(Account.name)
    shares = select(Share).where(Share.id.in_(subjects)).order_by(Share.id)
    same_accounts = {
        account.name: account
        for account in session.scalars(accounts.with_for_update())
        if see_account(account) == rows.held_accounts[account.name]
    }
    present = {share.id: share for share in session.scalars(shares.with_for_update())}
    same_shares = {
        share_id: share
        for share_id, share in present.items()
        if share_id in rows.shares and see_share(share) == rows.shares[share_id]
    }
    repaired = []
    for finding in findings:
        share, account = same_shares.get(finding.subject), same_accounts.get(finding.subject)
        if finding.subject in rows.shares or finding.subject in rows.held_accounts:
            if share is not None or account is not None:
                done = _repair(session, finding, share, account, facts, rows)
                repaired.append(finding.model_copy(update={"repaired": done}))
        elif finding.subject not in present:
            repaired.append(finding)
    return repaired


def _repair(
    session: Session,
    finding: Finding,
    share: Share | None,
    account: Account | None,
    facts: HostFacts,
    rows: SeenRows,
) -> bool:
    if finding.repair != "safe":
        return False
    if finding.kind == "lease_for_ever":
        if share is not None and rows.is_held_for_ever(rows.shares[share.id]):
            share.clear_lease()
        if account is not None:
            account.clear_lease()
        return True
    if share is None:
        return False
    if finding.kind == "row_differs":
        _take_times(session, share, facts.live[share.id])
    elif finding.kind in ("row_without_share", "row_not_due"):
        # A run brings the host to what the row says, or its answer corrects the row.
        share.due_at = database_now(session)
    return finding.kind != "share_without_row"


def _take_times(session: Session, share: Share, entry: HostShare) -> None:
    share.ready_at, share.expires = entry.ready_at, entry.expires
    share.lifetime_confirmed = entry.lifetime_days
    reason = Phrase("host_counts_until", when=str(entry.expires))
    record_change(session, share, reason=reason, author=AUTHOR)


def wake_rows(session: Session, ftp_host: str, share_ids: list[str]) -> None:
    """Make those shares due of which the host has a finding that only a run can repair."""
    session.execute(
        update(Share)
        .where(
            Share.id.in_(share_ids),
            Share.ftp_host == ftp_host,
            Share.state.in_(CLAIMABLE),
            Share.due_at.is_(None),
        )
        .values(due_at=database_now(session))
        .execution_options(synchronize_session=False)
    )


def find_resurrected_shares(session: Session, facts: HostFacts, share_ids: Iterable[str]) -> list[Share]:
    """Return those of these shares that have still ended in their rows but live on the host."""
    found: list[Share] = []
    for piece in cut(share_ids):
        query = select(Share).where(Share.id.in_(piece), Share.state.in_(TERMINAL)).order_by(Share.id)
        found += [
            share
            for share in session.scalars(query)
            if is_resurrected(see_share(share), facts.live[share.id])
        ]
    return found
