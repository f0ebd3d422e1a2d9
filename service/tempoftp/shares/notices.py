"""What people are told: one row for each thing that happened, in the transaction in which it happens.

So no notice is lost, and none tells of what did not happen. Who is told, and how, is decided later, by the worker that
delivers them (`tempoftp.shares.notice_deliveries`).
"""

from __future__ import annotations

import enum
import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tempoftp.settings import Settings
from tempoftp.shares.database import database_now
from tempoftp.shares.downloads import find_downloads
from tempoftp.shares.messages import STATE_MESSAGES
from tempoftp.shares.models import Downloads, ExtensionRequest, HistoryEntry, Notice, Share, utc_now
from tempoftp.shares.states import DELIVERED, ON_ITS_WAY, State
from tempoftp.shares.times import write_time
from tempoftp.shares.wishes import is_lifetime_pending


class Kind(enum.StrEnum):
    """A kind of notice, as it goes over the wire."""

    LISTO = "listo"
    POR_VENCER = "por_vencer"
    EXPIRADO = "expirado"
    ERROR = "error"
    PRORROGA = "prorroga"


FOR_OPERATORS = frozenset({Kind.PRORROGA})
"""Kinds that the requester is not told of: they ask operators for something."""
_KINDS = {State.LISTO: Kind.LISTO, State.EXPIRADO: Kind.EXPIRADO, State.ERROR: Kind.ERROR}


def note_state(session: Session, share: Share) -> None:
    """Write the notice of the state that a share has just come to, if it is one that people are told of.

    Each is told once after the share was asked for or tried again: not once more when a block ends.
    """
    kind = _KINDS.get(State(share.state))
    if kind is None:
        return
    begun = session.scalar(
        select(func.max(HistoryEntry.generation)).where(
            HistoryEntry.share_id == share.id, HistoryEntry.to_state == State.RECIBIDO
        )
    )
    occasion = str(begun or share.asked_generation)
    if not _is_noted(session, share, kind, occasion):
        session.add(_build_notice(session, share, kind, occasion))


def note_extension(session: Session, share: Share, number: int, asked: dict[str, Any]) -> None:
    """Write the notice for operators that a recipient wants more days; `number` and `asked` are the request's.

    Once for each request: who changes what waits tells nobody anew.
    """
    notice = _build_notice(session, share, Kind.PRORROGA, str(number))
    notice.data |= {"prorroga": asked}
    session.add(notice)


def find_expiring(session: Session, settings: Settings) -> list[Share]:
    """Return the shares that end soon, that nobody has fetched completely, and of whose end nobody was told yet.

    Not while they are in the first half of their life: the notice that they are ready is fresh then. Downloads that are
    not known count as none.
    """
    if not settings.notice_before_hours:
        return []
    now = database_now(session)
    unfetched = (
        Downloads.share_id.is_(None)
        | (Downloads.counted_at < Share.created_at)
        | (Downloads.files_complete < Downloads.files_total)
    )
    query = (
        select(Share)
        .outerjoin(Downloads, Downloads.share_id == Share.id)
        .where(Share.state == State.LISTO, Share.expires > now, unfetched)
        .where(Share.expires <= now + timedelta(hours=settings.notice_before_hours))
        .order_by(Share.expires, Share.id)
    )
    shares = [
        share for share in session.scalars(query) if _is_past_half(share) and not is_lifetime_pending(share)
    ]
    known = session.execute(
        select(Notice.share_id, Notice.generation, Notice.occasion).where(
            Notice.kind == Kind.POR_VENCER, Notice.share_id.in_([share.id for share in shares])
        )
    )
    told = {tuple(row) for row in known}
    return [share for share in shares if (share.id, share.asked_generation, _name_end(share)) not in told]


def note_expiring(session: Session, settings: Settings) -> list[str]:
    """Write the notices of the shares that end soon, inside a write transaction; returns their ids."""
    noted = []
    for share in find_expiring(session, settings):
        try:
            with session.begin_nested():
                session.add(_build_notice(session, share, Kind.POR_VENCER, _name_end(share)))
        except IntegrityError:
            continue  # another worker wrote the same just now
        noted.append(share.id)
    return noted


def is_current(session: Session, notice: Notice) -> bool:
    """Whether what a notice tells still is so: what waited for a day may long be over."""
    share = session.get(Share, notice.share_id)
    if share is None or share.asked_generation != notice.generation:
        return False
    if notice.kind == Kind.LISTO:
        return share.state in DELIVERED
    if notice.kind == Kind.POR_VENCER:
        if share.state != State.LISTO or share.expires is None:
            return False
        return notice.occasion == _name_end(share) and share.expires > database_now(session)
    if notice.kind == Kind.PRORROGA:
        request = session.get(ExtensionRequest, int(notice.occasion))
        is_waiting = request is not None and request.decided_at is None
        return is_waiting and share.state in ON_ITS_WAY | DELIVERED
    return _KINDS.get(State(share.state)) == notice.kind


def _is_past_half(share: Share) -> bool:
    assert share.expires is not None  # noqa: S101 - the query asks for it
    begin = share.ready_at or share.created_at
    return utc_now() >= begin + (share.expires - begin) / 2


def _name_end(share: Share) -> str:
    """An end that was moved is another occasion."""
    return write_time(share.expires) or ""


def _is_noted(session: Session, share: Share, kind: Kind, occasion: str) -> bool:
    query = select(Notice.number).where(
        Notice.share_id == share.id,
        Notice.generation == share.asked_generation,
        Notice.kind == kind,
        Notice.occasion == occasion,
    )
    return session.scalar(query) is not None


def _build_notice(session: Session, share: Share, kind: Kind, occasion: str) -> Notice:
    return Notice(
        uid=uuid.uuid4().hex,
        share_id=share.id,
        generation=share.asked_generation,
        kind=kind,
        occasion=occasion,
        email=share.email,
        data=describe_public(session, share),
        at=utc_now(),
    )


def describe_public(session: Session, share: Share) -> dict[str, Any]:
    """Return a share as notices tell it, in the names of the wire: nothing that opens anything."""
    downloads = find_downloads(session, [share]).get(share.id)
    return {
        "id": share.id,
        "status": str(share.state),
        "mensaje": share.message or STATE_MESSAGES[State(share.state)],
        "error": share.error_class,
        "email": share.email,
        "usuario": share.ftpuser,
        "ruta": share.source,
        "vigencia": share.lifetime_days,
        "created_at": write_time(share.created_at),
        "listo_at": write_time(share.ready_at),
        "expira": write_time(share.expires),
        "bytes": share.bytes_total,
        "archivos": share.files_total,
        "descargas": None
        if downloads is None
        else {"archivos_total": downloads.files_total, "archivos_completos": downloads.files_complete},
    }
