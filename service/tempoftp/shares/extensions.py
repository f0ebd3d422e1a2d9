"""Requests for more days: a recipient asks, an operator grants or refuses.

A share has at most one request that waits. Asking again changes that request. It ends with the share.
"""

from __future__ import annotations

import enum
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import ExtensionRequest, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import ExtensionNotFound, IllegalTransition, InvalidRequest
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_lifetime
from tempoftp.shares.lifecycle import record_change
from tempoftp.shares.notices import note_extension
from tempoftp.shares.queries import lock_share
from tempoftp.states import DELIVERED, ON_ITS_WAY

EXTENSIBLE = ON_ITS_WAY | DELIVERED
LIST_LIMIT = 1000


class Decision(enum.StrEnum):
    """The state of a request, as it goes over the wire."""

    PENDING = "pendiente"
    GRANTED = "aceptada"
    REFUSED = "rechazada"


def ask_extension(
    session: Session,
    settings: Settings,
    share: Share,
    days: int,
    reason: str | None,
    *,
    author: str,
    request_id: str,
) -> ExtensionRequest:
    """Write the request of a share's recipient for more days, in a write transaction; operators are notified.

    Raises IllegalTransition for a share that has ended or failed, InvalidRequest for more days than are possible.
    """
    # Read again: simultaneous requests and decisions follow each other.
    share = lock_share(session, share.id, None)
    if share.state not in EXTENSIBLE:
        raise IllegalTransition("not_extensible", state=share.state)
    _check_days(settings, share, days)
    now = database_now(session)
    request = _find_pending(session, share)
    is_new = request is None
    if request is None:
        request = ExtensionRequest(
            share_id=share.id, generation=share.asked_generation, state=Decision.PENDING, days=days
        )
        session.add(request)
    request.days, request.reason, request.asked_at = days, reason, now
    share.request_id = request_id
    record_change(session, share, reason=Phrase("days_asked", days=days), author=author)
    session.flush()
    if is_new:
        note_extension(session, share, request.number, describe_extension(request))
    return request


def list_extensions(session: Session, decision: Decision = Decision.PENDING) -> list[dict[str, Any]]:
    """Return the waiting requests of living shares, oldest first."""
    query = (
        select(ExtensionRequest, Share)
        .join(Share, _is_about(Share))
        .where(ExtensionRequest.state == decision, Share.state.in_(EXTENSIBLE))
        .order_by(ExtensionRequest.asked_at, ExtensionRequest.number)
        .limit(LIST_LIMIT)
    )
    return [
        {
            "id": share.id,
            "email": share.email,
            "status": str(share.state),
            "vigencia": share.lifetime_days,
            "expira": write_time(share.expires),
            **describe_extension(request),
        }
        for request, share in session.execute(query)
    ]


def count_extensions(session: Session) -> int:
    """Return how many requests wait for an operator."""
    query = (
        select(func.count())
        .select_from(ExtensionRequest)
        .join(Share, _is_about(Share))
        .where(ExtensionRequest.state == Decision.PENDING, Share.state.in_(EXTENSIBLE))
    )
    return session.scalar(query) or 0


def grant_extension(
    session: Session, settings: Settings, share_id: str, days: int | None, *, author: str, request_id: str
) -> Share:
    """Give a share the days that were asked for, or `days`. The caller commits, then wakes its host.

    Raises ShareNotFound, ExtensionNotFound, and what `request_lifetime` raises.
    """
    share = lock_share(session, share_id, None)
    request = _get_pending(session, share)
    days = request.days if days is None else days
    _check_days(settings, share, days)
    total = share.lifetime_days + days
    request_lifetime(session, settings, share_id, total, author=author, request_id=request_id)
    request.days = days
    _decide(session, request, Decision.GRANTED, author, None)
    return share


def refuse_extension(
    session: Session, share_id: str, answer: str | None, *, author: str, request_id: str
) -> Share:
    """Refuse the waiting request. The recipient sees `answer`. Raises ShareNotFound, ExtensionNotFound."""
    share = lock_share(session, share_id, None)
    request = _get_pending(session, share)
    _decide(session, request, Decision.REFUSED, author, answer)
    share.request_id = request_id
    record_change(session, share, reason=Phrase("days_refused", days=request.days), author=author)
    return share


def find_last_extension(session: Session, share: Share) -> ExtensionRequest | None:
    """Return the last request for a share, decided or not."""
    query = select(ExtensionRequest).where(
        ExtensionRequest.share_id == share.id, ExtensionRequest.generation == share.asked_generation
    )
    return session.scalar(query.order_by(ExtensionRequest.number.desc()).limit(1))


def describe_extension(request: ExtensionRequest) -> dict[str, Any]:
    """Return a request as it goes over the wire."""
    return {
        "dias": request.days,
        "motivo": request.reason,
        "estado": request.state,
        "pedida": write_time(request.asked_at),
        "decidida": write_time(request.decided_at),
        "respuesta": request.answer,
    }


def _check_days(settings: Settings, share: Share, days: int) -> None:
    left = settings.lifetime_max - share.lifetime_days
    if left < 1:
        raise InvalidRequest("dias", "extension_exhausted", days=settings.lifetime_max)
    if not 1 <= days <= left:
        raise InvalidRequest("dias", "extension_out_of_bounds", most=left)


def _is_about(share: type[Share]) -> Any:
    return and_(share.id == ExtensionRequest.share_id, share.asked_generation == ExtensionRequest.generation)


def _find_pending(session: Session, share: Share) -> ExtensionRequest | None:
    query = select(ExtensionRequest).where(
        ExtensionRequest.share_id == share.id,
        ExtensionRequest.generation == share.asked_generation,
        ExtensionRequest.state == Decision.PENDING,
    )
    return session.scalar(query.order_by(ExtensionRequest.number).limit(1).with_for_update())


def _get_pending(session: Session, share: Share) -> ExtensionRequest:
    request = _find_pending(session, share)
    if request is None:
        raise ExtensionNotFound("extension_not_found")
    return request


def _decide(
    session: Session, request: ExtensionRequest, decision: Decision, author: str, answer: str | None
) -> None:
    request.state, request.decided_by, request.answer = decision, author, answer
    request.decided_at = database_now(session)
