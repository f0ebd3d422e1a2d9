"""Asking for a share to be taken away: access, sessions and data."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tempoftp.shares.database import database_now
from tempoftp.shares.models import Share
from tempoftp.shares.states import TERMINAL, State, transition
from tempoftp.shares.views import find_share


def request_deletion(
    session: Session, share_id: str, *, emails: frozenset[str] | None = None, author: str, request_id: str
) -> Share:
    """Mark a share to be removed, inside the caller's `Database.write()` transaction. Commit, then wake its host.

    A new generation makes every run that still carries the earlier wish late: its outcome is thrown away here, and
    the FTP host refuses it. Asked again, or for a share that has expired, nothing changes. With `emails` only a share
    of these.

    Raises ShareNotFound.
    """
    share = find_share(session, share_id, emails)
    if share.state in TERMINAL or share.state == State.ELIMINANDO:
        return share
    share.generation += 1
    transition(
        session, share, State.ELIMINANDO, reason="deletion requested", author=author, request_id=request_id
    )
    share.request_id = request_id
    share.message = ""
    share.error_class = None
    share.attempt = 0
    share.retry_until = None
    share.lease_run_id = None
    share.lease_until = None
    share.due_at = database_now(session)
    return share
