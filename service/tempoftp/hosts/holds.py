"""What other rooms need of the last audits: hosts that are held, and ids and names that are not free."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tempoftp.db.models import HostAudit


def is_free_to_act(ftp_host: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition that a row's FTP host is not held (`tempoftp.audits.audits` says when one is)."""
    held = select(HostAudit.ftp_host).where(
        or_(HostAudit.stale_since.is_not(None), HostAudit.check_wanted.is_(True))
    )
    return ftp_host.not_in(held)


def find_holds(session: Session) -> dict[str, str]:
    """Return the reason for each FTP host that is held because it knows more than the database."""
    query = select(HostAudit.ftp_host, HostAudit.stale_reason).where(HostAudit.stale_since.is_not(None))
    return {name: reason or "" for name, reason in session.execute(query.order_by(HostAudit.ftp_host))}


def find_ended_generation(session: Session, ftp_host: str, share_id: str) -> int:
    """Return the generation with which a share ended on a host; 0 if the host does not know the share."""
    audit = session.get(HostAudit, ftp_host)
    known = (audit.ended_generations or {}) if audit is not None else {}
    return known.get(share_id, 0)


def is_name_kept(session: Session, name: str) -> bool:
    """Whether a host has an account of this name that tempoftp created and that has no row: it belongs to somebody."""
    listed = session.scalars(select(HostAudit.unknown_accounts).where(HostAudit.audited_at.is_not(None)))
    return any(name in (names or ()) for names in listed)
