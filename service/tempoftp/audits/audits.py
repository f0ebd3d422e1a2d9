"""Audits of FTP hosts: who requests one, when one is due, and which hosts are held until then.

A database that came from a backup is older than its FTP hosts. If a worker acted on its rows, it would delete shares
that were extended, and open shares that were closed. So a worker that starts compares every host with the rows first.
If a host knows more than the rows, the host is held: no run changes it until an operator has the rows corrected from
the host (`tempoftp audit --after-restore`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tempoftp.audits.compare import (
    SHARES_LOST,
    compare_rows,
    find_lost_shares,
    find_stale_rows,
    repair_rows,
    wake_rows,
)
from tempoftp.audits.restore import restore_rows
from tempoftp.audits.results import AuditOutcome, HostFacts
from tempoftp.db.clock import database_now
from tempoftp.db.leases import lock_or_add
from tempoftp.db.models import Account, FtpHost, HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.refusals import HostNotFound
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import plan_backoff
from tempoftp.shares.messages import describe_error
from tempoftp.states import CLAIMABLE

CHECK_AUTHOR = "worker start"
PERIODIC_AUTHOR = "audit"


def request_audits(
    session: Session,
    settings: Settings,
    *,
    author: str,
    repair: bool = False,
    restore: bool = False,
    ftp_host: str | None = None,
) -> list[HostAudit]:
    """Request an audit of one FTP host or of all. Commit, then wake the hosts. Raises HostNotFound."""
    names = settings.ftp_host_names
    if ftp_host is not None and ftp_host not in names:
        raise HostNotFound("host_not_found", name=ftp_host, names=list(names))
    now = database_now(session)
    audits = [_find_audit(session, name) for name in (sorted(names) if ftp_host is None else (ftp_host,))]
    for audit in audits:
        # Two requests at the same time get one audit that does what both ask for.
        audit.repair = repair or (audit.requested_at is not None and audit.repair)
        audit.restore = restore or (audit.requested_at is not None and audit.restore)
        audit.requested_at, audit.requested_by = now, author
        audit.due_at, audit.attempt = now, 0
    return audits


def begin_checks(session: Session, settings: Settings) -> None:
    """Hold every FTP host until it has been compared with its rows. A worker calls this when it starts."""
    now = database_now(session)
    for name in sorted(settings.ftp_host_names):
        audit = _find_audit(session, name)
        audit.check_wanted = True
        audit.due_at = now


def find_due_audits(session: Session, settings: Settings) -> set[str]:
    """Return the FTP hosts that must be audited now; a paused host only if somebody requested it."""
    paused = select(FtpHost.name).where(FtpHost.paused.is_(True))
    due = select(HostAudit.ftp_host).where(
        HostAudit.due_at <= database_now(session),
        or_(HostAudit.requested_at.is_not(None), HostAudit.ftp_host.not_in(paused)),
    )
    return set(session.scalars(due)) & set(settings.ftp_host_names)


def _find_audit(session: Session, ftp_host: str) -> HostAudit:
    return lock_or_add(
        session, HostAudit, ftp_host, repair=False, restore=False, attempt=0, check_wanted=False
    )


def apply_audit(
    session: Session, settings: Settings, asked: HostAudit, outcome: AuditOutcome, started: datetime
) -> HostAudit:
    """Store what an audit found and, if that was requested, correct the rows; in a write transaction.

    `asked` is the row as it was when the audit began: a request that came later is still to be done.
    """
    now = database_now(session)
    audit = _find_audit(session, asked.ftp_host)
    findings = list(outcome.findings)
    if asked.restore:
        findings += restore_rows(session, asked.ftp_host, outcome.facts, audit.stale_since)
        audit.restored_at, audit.stale_since, audit.stale_reason = now, None, None
    else:
        _note_staleness(session, audit, outcome.facts, now)
    session.flush()
    rows = compare_rows(session, asked.ftp_host, outcome, started, settings)
    lost = None if asked.restore else find_lost_shares(session, asked.ftp_host, outcome.facts, started)
    if lost is not None:
        findings.insert(0, lost)
    # The module on the host finds the same when the data of its shares is gone.
    may_repair = not any(finding.kind == SHARES_LOST for finding in findings)
    if asked.repair and may_repair and audit.stale_since is None:
        rows = repair_rows(session, outcome.facts, rows)
        wake_rows(session, asked.ftp_host, findings)
    audit.findings = [finding.model_dump() for finding in (*findings, *rows)]
    audit.failures = list(outcome.failures)
    audit.counts = _count(outcome.facts)
    audit.unknown_accounts = _find_unknown_accounts(session, outcome.facts)
    audit.ended_generations = _find_unknown_ends(session, outcome.facts)
    audit.run_id, audit.audited_at, audit.check_wanted = outcome.run_id, now, False
    audit.error_class = audit.error_message = None
    audit.attempt = 0
    if audit.requested_at == asked.requested_at:
        audit.requested_at, audit.requested_by = None, None
        audit.repair = audit.restore = False
        hours = settings.audit_hours
        audit.due_at = now + timedelta(hours=hours) if hours else None
    return audit


def apply_audit_failure(session: Session, ftp_host: str, error: ShareError) -> None:
    """Store that an audit ended without an outcome; it is tried again. Shares that wait for it get its error."""
    now = database_now(session)
    audit = _find_audit(session, ftp_host)
    audit.attempt += 1
    audit.due_at = now + timedelta(seconds=plan_backoff(audit.attempt))
    audit.error_class, audit.error_message = error.error_class, error.message
    if not audit.check_wanted:
        return
    waiting = select(Share).where(Share.ftp_host == ftp_host, Share.state.in_(CLAIMABLE), Share.due_at <= now)
    for share in session.scalars(waiting.order_by(Share.id).with_for_update()):
        share.error_class, share.message = error.error_class, (describe_error(error),)


def _note_staleness(session: Session, audit: HostAudit, facts: HostFacts, now: datetime) -> None:
    stale = find_stale_rows(session, audit.ftp_host, facts)
    if not stale:
        audit.stale_since = audit.stale_reason = None
        return
    names = ", ".join(sorted(stale)[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
    audit.stale_since = audit.stale_since or now
    audit.stale_reason = (
        f"the FTP host knows newer requests than the database for {names}: was it restored from a backup? "
        "Nothing is done there until `tempoftp audit --after-restore`"
    )


def _find_unknown_accounts(session: Session, facts: HostFacts) -> list[str]:
    known = set(session.scalars(select(Account.name)))
    return sorted(
        account.name
        for account in facts.accounts or ()
        if account.origin == "created" and account.name not in known
    )


def _find_unknown_ends(session: Session, facts: HostFacts) -> dict[str, int]:
    known = set(session.scalars(select(Share.id)))
    return {share_id: end.generation for share_id, end in facts.find_ended().items() if share_id not in known}


def _count(facts: HostFacts) -> dict[str, int]:
    return {
        "shares": len(facts.find_live()),
        "ended": len(facts.tombstones),
        "accounts": len(facts.accounts or ()),
    }


def is_audit_pending(session: Session, settings: Settings) -> bool:
    """Whether a requested audit has not been made yet."""
    asked = select(HostAudit.ftp_host).where(HostAudit.requested_at.is_not(None))
    return bool(set(session.scalars(asked)) & set(settings.ftp_host_names))
