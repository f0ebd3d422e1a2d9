"""What the last audits say to others: hosts on which nothing may be done, ids and names that are not free there."""

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
    """Return why nothing is done on FTP hosts that know more than the database, by name."""
    query = select(HostAudit.ftp_host, HostAudit.stale_reason).where(HostAudit.stale_since.is_not(None))
    return {name: reason or "" for name, reason in session.execute(query.order_by(HostAudit.ftp_host))}


def find_ended_generation(session: Session, ftp_host: str, share_id: str) -> int:
    """Return the generation with which a share ended on a host, 0 when nothing is known of it there."""
    audit = session.get(HostAudit, ftp_host)
    known = (audit.ended_generations or {}) if audit is not None else {}
    return known.get(share_id, 0)


def is_name_kept(session: Session, name: str) -> bool:
    """Whether some host has an account of this name that we made and that no row knows: it is somebody's."""
    listed = session.scalars(select(HostAudit.unknown_accounts).where(HostAudit.audited_at.is_not(None)))
    return any(name in (names or ()) for names in listed)
