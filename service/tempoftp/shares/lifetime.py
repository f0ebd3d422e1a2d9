"""Extending and shortening a share's life, counted from when it was ready."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.models import Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition, InvalidRequest, LifetimeInPast
from tempoftp.settings import Settings
from tempoftp.shares.desired_state import change_desired_state
from tempoftp.shares.serializers import lock_share
from tempoftp.states import DELIVERED, ON_ITS_WAY


def check_lifetime(settings: Settings, days: int) -> None:
    """Raise InvalidRequest for a lifetime out of the operator's bounds."""
    if not settings.lifetime_min <= days <= settings.lifetime_max:
        least, most = settings.lifetime_min, settings.lifetime_max
        raise InvalidRequest("vigencia", "lifetime_out_of_bounds", least=least, most=most)


def request_lifetime(
    session: Session,
    settings: Settings,
    share_id: str,
    days: int,
    *,
    emails: frozenset[str] | None = None,
    author: str,
    request_id: str,
) -> Share:
    """Have a share live so many days from when it was ready. Commit, then wake its host.

    Until the FTP host confirms it the earlier end stands, and the sweep waits for the answer. A share that has begun
    to end stays so.

    Raises ShareNotFound, InvalidRequest, IllegalTransition, LifetimeInPast.
    """
    check_lifetime(settings, days)
    share = lock_share(session, share_id, emails)
    if share.state not in ON_ITS_WAY | DELIVERED:
        raise IllegalTransition("lifetime_settled", state=share.state)
    if share.ready_at is not None and share.ready_at + timedelta(days=days) <= database_now(session):
        raise LifetimeInPast("lifetime_in_past", days=days)
    if days != share.lifetime_days:
        reason = Phrase("lifetime_requested", days=days, before=share.lifetime_days)
        share.lifetime_days = days
        change_desired_state(session, share, reason=reason, author=author, request_id=request_id)
    return share
