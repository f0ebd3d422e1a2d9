"""Compare the rows with what an FTP host reported. Pure: the rows were read before, and nothing is written.

What is wrong on the host alone is found by the module on the host. Only rows on which nobody worked during the audit
are compared: the other rows change at this moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tempoftp.audits.results import Finding, HostFacts, HostShare
from tempoftp.audits.rows import SeenAccount, SeenRows, SeenShare, list_created_accounts
from tempoftp.states import DELIVERED, ENDING, TERMINAL, UNFINISHED, State

EXPIRY_SLACK = timedelta(minutes=5)
"""The sweep may need this long until it has seen that a share has expired."""
SHARES_LOST = "shares_lost"


class Comparison(NamedTuple):
    """What the comparison of a host with its rows has found."""

    rows: SeenRows
    findings: list[Finding]
    """The differences between rows and host, and the errors in the rows themselves."""
    stale: list[str]
    """The ids of which the host knows more than the rows."""
    lost: Finding | None
    """Set if the host knows nothing of most of its shares: then nothing is repaired."""
    resurrected: list[str]
    """The shares that have ended in their rows but live on the host, as after a restore of the host."""
    unknown_accounts: list[str]
    unknown_ends: dict[str, int]


def compare_host(ftp_host: str, facts: HostFacts, rows: SeenRows, started: datetime) -> Comparison:
    """Compare a host with its rows; `started` is when the audit began, before the host was looked at."""
    stale = find_stale_rows(rows, facts, started)
    return Comparison(
        rows=rows,
        findings=list(_compare_rows(rows, facts, set(stale), started)),
        stale=stale,
        lost=_find_lost_shares(ftp_host, rows, facts, started),
        resurrected=[
            share_id
            for share_id, entry in facts.live.items()
            if share_id in rows.shares and is_resurrected(rows.shares[share_id], entry)
        ],
        unknown_accounts=[name for name in list_created_accounts(facts) if name not in rows.known_accounts],
        unknown_ends={
            share_id: end.generation
            for share_id, end in facts.all_ended.items()
            if share_id not in rows.known_ids
        },
    )


def find_stale_rows(rows: SeenRows, facts: HostFacts, started: datetime) -> list[str]:
    """Return the ids of which the host knows more than the rows, as after a restore of the database.

    Every change is written into the row before it reaches a host. So without a restore, no host has a newer generation
    than the row, and no living share of the generation with which the row ended it before the host was looked at.
    """
    stale = []
    for share_id, generation in facts.generations.items():
        share = rows.shares.get(share_id)
        if share is None:
            continue
        has_ended = share.state in ENDING | TERMINAL and share_id in facts.live
        ended_here = has_ended and generation == share.generation and _is_quiet(share, started)
        if generation > share.generation or ended_here:
            stale.append(share_id)
    return stale


def is_resurrected(share: SeenShare, entry: HostShare) -> bool:
    """Whether an older generation of a share that has ended lives on the host."""
    return share.state in TERMINAL and entry.generation < share.generation


def _compare_rows(rows: SeenRows, facts: HostFacts, stale: set[str], started: datetime) -> Iterator[Finding]:
    for share in rows.shares.values():
        if rows.is_held_for_ever(share):
            yield _report_lease(share.id, share)
        if share.id in stale:
            detail = (
                f"the row has generation {share.generation} ({share.state}), the FTP host knows a newer one"
            )
            yield Finding(kind="row_older_than_host", subject=share.id, detail=detail)
        elif _is_quiet(share, started):
            yield from _compare_share(share, facts.live.get(share.id), facts, rows, started)
    for entry in facts.live.values():
        if entry.id not in rows.shares:
            detail = (
                f"of {entry.ftpuser}, generation {entry.generation}, until {entry.expires}: it has no row"
            )
            yield Finding(kind="share_without_row", subject=entry.id, detail=detail)
    for account in rows.held_accounts.values():
        yield _report_lease(account.name, account)


def _find_lost_shares(ftp_host: str, rows: SeenRows, facts: HostFacts, started: datetime) -> Finding | None:
    """Return a finding when a host knows nothing of all or most of the shares that it should have; else None.

    A share that ended leaves a tombstone. Without one the disk was emptied, is another one, or is of another time.
    """
    expected = [
        share.id
        for share in rows.shares.values()
        if share.state in DELIVERED and _is_quiet(share, started) and share.id not in facts.damaged_shares
    ]
    known = facts.generations.keys() | facts.live_of_operators.keys()
    lost = [share_id for share_id in expected if share_id not in known]
    if not lost or 2 * len(lost) <= len(expected):
        return None
    detail = (
        f"the FTP host knows nothing of {len(lost)} of {len(expected)} delivered shares: is it the right disk, and of "
        "today? Nothing is repaired here. If they are really lost: `tempoftp audit --after-restore`"
    )
    return Finding(kind=SHARES_LOST, subject=ftp_host, detail=detail)


def _is_quiet(share: SeenShare, started: datetime) -> bool:
    changed = max(share.state_changed_at, share.wished_at)
    return changed < started and (share.lease_until is None or share.lease_until < started)


def _report_lease(subject: str, row: SeenShare | SeenAccount) -> Finding:
    detail = f"it is held by run {row.lease_run_id} until {row.lease_until}: no run lasts so long"
    return Finding(kind="lease_for_ever", subject=subject, detail=detail, repair="safe")


def _compare_share(
    share: SeenShare, entry: HostShare | None, facts: HostFacts, rows: SeenRows, started: datetime
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
        yield from _compare_delivered(share, entry, facts, rows, started)
    elif state in TERMINAL and entry is not None:
        detail = f"the row says {state} with generation {share.generation}, but the FTP host has {entry.generation}"
        yield Finding(kind="share_without_row", subject=share.id, detail=detail, repair="safe")


def _compare_delivered(
    share: SeenShare, entry: HostShare | None, facts: HostFacts, rows: SeenRows, started: datetime
) -> Iterator[Finding]:
    if entry is None:
        if share.id in facts.damaged_shares:
            return
        end = facts.ended.get(share.id)
        if end is not None:
            how = f"it ended there ({end.reason or 'deleted'})"
        elif share.id in facts.live_of_operators:
            how = "an operator manages the share that the FTP host has under this id"
        else:
            how = "the FTP host does not know it"
        yield Finding(
            kind="row_without_share",
            subject=share.id,
            detail=f"the row says {share.state}, but {how}",
            repair="safe",
        )
        return
    if share.expires is not None and share.expires < rows.at - EXPIRY_SLACK and share.due_at is None:
        yield Finding(
            kind="share_past_expiry",
            subject=share.id,
            detail=f"the row says {share.state}, but it expired at {share.expires}",
            repair="safe",
        )
    # A run that ended meanwhile may have brought times that are newer than those that the audit saw on the host.
    settled = rows.run_ended_at is None or rows.run_ended_at < started
    if settled and entry.generation == share.generation and entry.expires != share.expires:
        yield Finding(
            kind="row_differs",
            subject=share.id,
            detail=f"the row says until {share.expires}, the FTP host {entry.expires}",
            repair="safe",
        )
