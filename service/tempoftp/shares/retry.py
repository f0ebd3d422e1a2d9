"""Trying again what has failed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import ensure_password
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import DesiredState, change_desired_state
from tempoftp.shares.serializers import lock_share
from tempoftp.states import State


def request_retry(
    session: Session,
    settings: Settings,
    share_id: str,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Begin a failed share again as a new generation; what was copied of it is not copied twice.

    One that waits to be tried again by itself is tried now. Commit, then wake its host.

    Raises ShareNotFound; IllegalTransition when nothing of it has failed.
    """
    share = lock_share(session, share_id, emails)
    if share.state == State.ERROR:
        ensure_password(session.get_one(Account, share.ftpuser), settings.build_fernet())
        share.wanted = DesiredState.PRESENT if share.wanted == DesiredState.ABSENT else share.wanted
        # The days are counted anew: there is nothing to be had of the share now.
        share.ready_at = share.expires = share.lifetime_confirmed = share.path = None
        change_desired_state(
            session,
            share,
            to=State.RECIBIDO,
            reason=Phrase("retry_requested"),
            author=author,
            request_id=request_id,
        )
    elif share.error_class is not None and share.due_at is not None:
        share.due_at = database_now(session)
        share.attempt = 0
    else:
        raise IllegalTransition("nothing_to_retry", state=share.state)
    return share
