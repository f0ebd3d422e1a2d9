"""Audits of FTP hosts: who requests one, when one is due, and which hosts are held until then.

A database that came from a backup is older than its FTP hosts. If a worker acted on its rows, it would delete shares
that were extended, and open shares that were closed. So a worker that starts compares every host with the rows first.
If a host knows more than the rows, the host is held: no run changes it until an operator has the rows corrected from
the host (`tempoftp audit --after-restore`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from tempoftp.audits.compare import SHARES_LOST, Comparison
from tempoftp.audits.repair import AUTHOR
from tempoftp.audits.results import AuditOutcome, Finding, HostFacts
from tempoftp.audits.rows import cut
from tempoftp.db.clock import database_now
from tempoftp.db.leases import is_free, lock_or_add, release_leases, take_row
from tempoftp.db.models import FtpHost, HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.clocks import find_hosts_to_end_by
from tempoftp.refusals import HostNotFound
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import plan_backoff
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.messages import describe_error
from tempoftp.states import CLAIMABLE, DELIVERED

CHECK_AUTHOR = "worker start"
PERIODIC_AUTHOR = "audit"
PAST_EXPIRY = "share_past_expiry"
UNCONFIRMED = "; it is held, since the clock of its FTP host does not confirm that of this service"


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
    """Return the FTP hosts that must be audited now and are not; a paused host only if somebody requested it."""
    due = select(HostAudit.ftp_host).where(*_is_due(database_now(session)))
    return set(session.scalars(due)) & set(settings.ftp_host_names)


def claim_audit(session: Session, settings: Settings, ftp_host: str, run_id: str) -> HostAudit | None:
    """Lease an audit that is due, in a write transaction; None if it is not due, or another worker makes it."""
    now = database_now(session)
    conditions = (HostAudit.ftp_host == ftp_host, *_is_due(now))
    if not take_row(session, HostAudit, *conditions, holder=run_id, now=now, seconds=settings.lease_seconds):
        return None
    return session.get_one(HostAudit, ftp_host, populate_existing=True)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    paused = select(FtpHost.name).where(FtpHost.paused.is_(True))
    wanted = or_(HostAudit.requested_at.is_not(None), HostAudit.ftp_host.not_in(paused))
    return HostAudit.due_at <= now, wanted, is_free(HostAudit, now)


def _find_audit(session: Session, ftp_host: str) -> HostAudit:
    return lock_or_add(
        session, HostAudit, ftp_host, repair=False, restore=False, attempt=0, check_wanted=False
    )


def may_repair(asked: HostAudit, comparison: Comparison, found: list[Finding]) -> bool:
    """Whether the rows may be repaired: that was requested, and neither rows nor host have lost what they knew."""
    is_doubtful = not asked.restore and (comparison.stale or comparison.lost is not None)
    # The module on the host finds the same when the data of its shares is gone.
    return asked.repair and not is_doubtful and not any(finding.kind == SHARES_LOST for finding in found)


def apply_audit(
    session: Session,
    settings: Settings,
    asked: HostAudit,
    outcome: AuditOutcome,
    comparison: Comparison,
    findings: list[Finding],
) -> HostAudit:
    """Store what an audit found; in a write transaction, after the rows were repaired.

    `asked` is the row as it was when the audit began: a request that came later is still to be done.
    """
    now = database_now(session)
    audit = _find_audit(session, asked.ftp_host)
    if asked.restore:
        audit.restored_at, audit.stale_since, audit.stale_reason = now, None, None
    else:
        _note_staleness(audit, comparison)
    audit.failures = list(outcome.failures)
    audit.counts = _count(outcome.facts)
    audit.unknown_accounts = comparison.unknown_accounts
    audit.ended_generations = comparison.unknown_ends
    audit.run_id, audit.audited_at, audit.check_wanted = outcome.run_id, now, False
    audit.error_class = audit.error_message = None
    audit.attempt = 0
    if audit.requested_at == asked.requested_at:
        audit.requested_at, audit.requested_by = None, None
        audit.repair = audit.restore = False
        hours = settings.audit_hours
        audit.due_at = now + timedelta(hours=hours) if hours else None
    audit.clear_lease()
    session.flush()
    if any(finding.kind == PAST_EXPIRY and finding.repaired for finding in findings):
        sweep_expired(session, settings, author=AUTHOR)  # now that the host is not held any more
    told = _tell_unended(session, settings, asked.ftp_host, findings, of_host=outcome.findings)
    audit.findings = [finding.model_dump() for finding in told]
    return audit


def _tell_unended(
    session: Session,
    settings: Settings,
    ftp_host: str,
    findings: list[Finding],
    *,
    of_host: Sequence[Finding],
) -> list[Finding]:
    """Return the findings; those about rows whose share the sweep has not ended are not repaired, and say why.

    What the host itself found and ended (`of_host`) is as the host says.
    """
    over = {finding.subject for finding in findings if finding.kind == PAST_EXPIRY and finding not in of_host}
    query = select(Share.id).where(Share.state.in_(DELIVERED), Share.expires <= database_now(session))
    left = {share_id for piece in cut(over) for share_id in session.scalars(query.where(Share.id.in_(piece)))}
    why = "" if ftp_host in find_hosts_to_end_by(session, settings) else UNCONFIRMED
    return [
        finding.model_copy(update={"repaired": False, "detail": finding.detail + why})
        if finding.subject in left and finding.kind == PAST_EXPIRY and finding not in of_host
        else finding
        for finding in findings
    ]


def apply_audit_failure(session: Session, ftp_host: str, error: ShareError) -> None:
    """Store that an audit ended without an outcome; it is tried again. `tell_waiting` tells the shares before."""
    now = database_now(session)
    audit = _find_audit(session, ftp_host)
    audit.attempt += 1
    audit.due_at = now + timedelta(seconds=plan_backoff(audit.attempt))
    audit.error_class, audit.error_message = error.error_class, error.message
    audit.clear_lease()


def find_waiting(session: Session, ftp_host: str, error: ShareError) -> list[str]:
    """Return the ids of the shares that wait for the check of their host, and that do not say this error yet."""
    audit = session.get(HostAudit, ftp_host)
    if audit is None or not audit.check_wanted:
        return []
    query = select(Share.id, Share.message).where(*_waits(session, ftp_host)).order_by(Share.id)
    message = (describe_error(error),)
    return [share_id for share_id, said in session.execute(query) if tuple(said) != message]


def tell_waiting(session: Session, ftp_host: str, share_ids: list[str], error: ShareError) -> None:
    """Write to some of these shares why the check failed, in a write transaction; to those that still wait."""
    query = select(Share).where(Share.id.in_(share_ids), *_waits(session, ftp_host)).order_by(Share.id)
    for share in session.scalars(query.with_for_update()):
        share.error_class, share.message = error.error_class, (describe_error(error),)


def _waits(session: Session, ftp_host: str) -> tuple[ColumnElement[bool], ...]:
    return Share.ftp_host == ftp_host, Share.state.in_(CLAIMABLE), Share.due_at <= database_now(session)


def abandon_audit(session: Session, run_id: str) -> None:
    """Give up an audit that was not made; it stays due."""
    release_leases(session, HostAudit, run_id)


def _note_staleness(audit: HostAudit, comparison: Comparison) -> None:
    stale = sorted(comparison.stale)
    if not stale:
        audit.stale_since = audit.stale_reason = None
        return
    names = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
    # Not the present time: what somebody changed after the comparison is newer than what made the host held.
    audit.stale_since = audit.stale_since or comparison.rows.at
    audit.stale_reason = (
        f"the FTP host knows newer requests than the database for {names}: was it restored from a backup? "
        "Nothing is done there until `tempoftp audit --after-restore`"
    )


def _count(facts: HostFacts) -> dict[str, int]:
    return {
        "shares": len(facts.live),
        "operator_shares": len(facts.live_of_operators),
        "ended": len(facts.tombstones),
        "accounts": len(facts.accounts or ()),
    }


def is_audit_pending(session: Session, settings: Settings) -> bool:
    """Whether a requested audit has not been made yet."""
    asked = select(HostAudit.ftp_host).where(HostAudit.requested_at.is_not(None))
    return bool(set(session.scalars(asked)) & set(settings.ftp_host_names))
