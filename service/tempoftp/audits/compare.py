"""Compare the rows with an FTP host, and repair the differences that are safe to repair.

What is wrong on the host alone is found by the module on the host. Only rows on which nobody worked during the audit
are compared: the other rows change at this moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tempoftp.audits.results import AuditOutcome, Finding, HostFacts, HostShare
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.lifecycle import record_change
from tempoftp.states import CLAIMABLE, DELIVERED, ENDING, TERMINAL, UNFINISHED, State

AUTHOR = "audit"
EXPIRY_SLACK = timedelta(minutes=5)
"""The sweep may need this long until it has seen that a share has expired."""
LEASE_FACTOR = 10
"""A lease that lasts longer than this many lease times was given by a clock that was ahead."""
SHARES_LOST = "shares_lost"
WANTS_ROW = frozenset({"share_without_account", "share_without_directory"})
"""Findings of the host that a run of the share repairs: only the run has the password and the source."""


def find_stale_rows(session: Session, ftp_host: str, facts: HostFacts) -> set[str]:
    """Return the ids of which the host knows more than the rows, as after a restore of the database.

    Every change is written into the row before it reaches a host. So without a restore, no host has a newer generation
    than the row, and no living share of the generation with which the row ended it.
    """
    known, live = facts.find_generations(), facts.find_live()
    stale = set()
    for share in session.scalars(select(Share).where(Share.ftp_host == ftp_host)):
        generation = known.get(share.id, 0)
        ended_here = share.state in ENDING | TERMINAL and share.id in live
        if generation > share.generation or (ended_here and generation == share.generation):
            stale.add(share.id)
    return stale


def compare_rows(
    session: Session, ftp_host: str, outcome: AuditOutcome, started: datetime, settings: Settings
) -> list[Finding]:
    """Return the differences between rows and host, and the errors in the rows themselves."""
    now = database_now(session)
    facts = outcome.facts
    rows = {share.id: share for share in session.scalars(select(Share).where(Share.ftp_host == ftp_host))}
    stale = find_stale_rows(session, ftp_host, facts)
    live = facts.find_live()
    findings: list[Finding] = []
    for share in rows.values():
        findings += _check_lease(share, now, settings)
        if share.id in stale:
            detail = (
                f"the row has generation {share.generation} ({share.state}), the FTP host knows a newer one"
            )
            findings.append(Finding(kind="row_older_than_host", subject=share.id, detail=detail))
        elif _is_quiet(share, started):
            findings += _compare_share(share, live.get(share.id), facts, now)
    for entry in live.values():
        if entry.id not in rows:
            detail = (
                f"of {entry.ftpuser}, generation {entry.generation}, until {entry.expires}: it has no row"
            )
            findings.append(Finding(kind="share_without_row", subject=entry.id, detail=detail))
    for account in session.scalars(select(Account).where(Account.ftp_host == ftp_host)):
        findings += _check_lease(account, now, settings)
    return findings


def find_lost_shares(session: Session, ftp_host: str, facts: HostFacts, started: datetime) -> Finding | None:
    """Return a finding when a host knows nothing of all or most of the shares that it should have; else None.

    A share that ended leaves a tombstone. Without one the disk was emptied, is another one, or is of another time.
    """
    known, live = facts.find_generations(), facts.find_live()
    damaged = set(facts.damaged)
    query = select(Share).where(Share.ftp_host == ftp_host, Share.state.in_(DELIVERED))
    expected = [
        share.id
        for share in session.scalars(query)
        if _is_quiet(share, started) and f"shares/{share.id}.json" not in damaged
    ]
    lost = [share_id for share_id in expected if share_id not in known and share_id not in live]
    if not lost or 2 * len(lost) <= len(expected):
        return None
    detail = (
        f"the FTP host knows nothing of {len(lost)} of {len(expected)} delivered shares: is it the right disk, and of "
        "today? Nothing is repaired here. If they are really lost: `tempoftp audit --after-restore`"
    )
    return Finding(kind=SHARES_LOST, subject=ftp_host, detail=detail)


def _is_quiet(share: Share, started: datetime) -> bool:
    changed = max(share.state_changed_at, share.wished_at)
    return changed < started and (share.lease_until is None or share.lease_until < started)


def _check_lease(row: Share | Account, now: datetime, settings: Settings) -> Iterator[Finding]:
    if row.lease_until is not None and row.lease_until > now + timedelta(
        seconds=LEASE_FACTOR * settings.lease_seconds
    ):
        name = row.id if isinstance(row, Share) else row.name
        detail = f"it is held by run {row.lease_run_id} until {row.lease_until}: no run lasts so long"
        yield Finding(kind="lease_for_ever", subject=name, detail=detail, repair="safe")


def _compare_share(
    share: Share, entry: HostShare | None, facts: HostFacts, now: datetime
) -> Iterator[Finding]:
    state = State(share.state)
    if state in UNFINISHED and share.due_at is None:
        yield Finding(
            kind="row_not_due",
            subject=share.id,
            detail=f"it is {state}, but it is not due, so no worker works on it",
            repair="safe",
        )
    if state in DELIVERED:
        yield from _compare_delivered(share, entry, facts, now)
    elif state in TERMINAL and entry is not None:
        detail = f"the row says {state} with generation {share.generation}, but the FTP host has {entry.generation}"
        yield Finding(kind="share_without_row", subject=share.id, detail=detail, repair="safe")


def _compare_delivered(
    share: Share, entry: HostShare | None, facts: HostFacts, now: datetime
) -> Iterator[Finding]:
    if entry is None:
        if f"shares/{share.id}.json" in facts.damaged:
            return
        end = facts.find_ended().get(share.id)
        how = (
            f"it ended there ({end.reason or 'deleted'})"
            if end is not None
            else "the FTP host does not know it"
        )
        yield Finding(
            kind="row_without_share",
            subject=share.id,
            detail=f"the row says {share.state}, but {how}",
            repair="safe",
        )
        return
    if share.expires is not None and share.expires < now - EXPIRY_SLACK and share.due_at is None:
        yield Finding(
            kind="share_past_expiry",
            subject=share.id,
            detail=f"the row says {share.state}, but it expired at {share.expires}",
            repair="safe",
        )
    if entry.generation == share.generation and entry.expires != share.expires:
        yield Finding(
            kind="row_differs",
            subject=share.id,
            detail=f"the row says until {share.expires}, the FTP host {entry.expires}",
            repair="safe",
        )


def repair_rows(session: Session, facts: HostFacts, findings: list[Finding]) -> list[Finding]:
    """Repair what is safe, inside a write transaction. In most cases a run does it, so the row becomes due."""
    live = facts.find_live()
    subjects = {finding.subject for finding in findings}
    accounts = select(Account).where(Account.name.in_(subjects)).order_by(Account.name)
    shares = select(Share).where(Share.id.in_(subjects)).order_by(Share.id)
    for query in (accounts, shares):
        session.execute(query.with_for_update().execution_options(populate_existing=True)).all()
    repaired = []
    for finding in findings:
        done = finding.repair == "safe" and _repair(session, finding, live)
        repaired.append(finding.model_copy(update={"repaired": done}))
    if any(finding.kind == "share_past_expiry" for finding in findings):
        sweep_expired(session, author=AUTHOR)
    return repaired


def _repair(session: Session, finding: Finding, live: dict[str, HostShare]) -> bool:
    share = session.get(Share, finding.subject)
    if finding.kind == "lease_for_ever":
        account = session.get(Account, finding.subject)
        for row in (share, account):
            if row is not None:
                row.clear_lease()
        return True
    if share is None:
        return False
    if finding.kind == "row_differs":
        _take_times(session, share, live[share.id])
    elif finding.kind in ("row_without_share", "row_not_due"):
        # A run brings the host to what the row says, or its answer corrects the row.
        share.due_at = database_now(session)
    return finding.kind != "share_without_row"


def _take_times(session: Session, share: Share, entry: HostShare) -> None:
    share.ready_at, share.expires = entry.ready_at, entry.expires
    share.lifetime_confirmed = entry.lifetime_days
    reason = Phrase("host_counts_until", when=str(entry.expires))
    record_change(session, share, reason=reason, author=AUTHOR)


def wake_rows(session: Session, ftp_host: str, findings: list[Finding]) -> None:
    """Make those shares due that have a finding which only a run can repair."""
    ids = {finding.subject for finding in findings if finding.kind in WANTS_ROW}
    query = select(Share).where(Share.id.in_(ids), Share.ftp_host == ftp_host, Share.state.in_(CLAIMABLE))
    for share in session.scalars(query):
        share.due_at = share.due_at or database_now(session)


def find_resurrected_shares(session: Session, ftp_host: str, facts: HostFacts) -> list[Share]:
    """Return the shares that have ended in their rows but live on the host, as after a restore of the host."""
    live = facts.find_live()
    query = select(Share).where(Share.ftp_host == ftp_host, Share.state.in_(TERMINAL))
    return [
        share
        for share in session.scalars(query)
        if share.id in live and live[share.id].generation < share.generation
    ]
