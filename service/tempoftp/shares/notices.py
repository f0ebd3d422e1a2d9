"""Notices about a share: one row each, written in the transaction of the event.

So no notice is lost, and none reports something that did not happen. The worker that delivers them
(`tempoftp.notices`) chooses recipients and channels later.
"""

from __future__ import annotations

import enum
import uuid
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now, write_time
from tempoftp.db.models import HistoryEntry, Notice, Share
from tempoftp.downloads.counts import find_downloads
from tempoftp.shares.messages import say_message
from tempoftp.states import State


class Kind(enum.StrEnum):
    """A kind of notice, as it goes over the wire."""

    LISTO = "listo"
    POR_VENCER = "por_vencer"
    EXPIRADO = "expirado"
    ERROR = "error"
    PRORROGA = "prorroga"


FOR_OPERATORS = frozenset({Kind.PRORROGA})
"""Kinds that the requester is not told of: they ask operators for something."""


KINDS = {State.LISTO: Kind.LISTO, State.EXPIRADO: Kind.EXPIRADO, State.ERROR: Kind.ERROR}


def note_state(session: Session, share: Share) -> None:
    """Write the notice of the new state of a share, if people are notified of this state.

    Each state is notified once after a request or a retry, so not again when a block ends.
    """
    kind = KINDS.get(State(share.state))
    if kind is None:
        return
    begun = session.scalar(
        select(func.max(HistoryEntry.generation)).where(
            HistoryEntry.share_id == share.id, HistoryEntry.to_state == State.RECIBIDO
        )
    )
    occasion = str(begun or share.asked_generation)
    if not _is_noted(session, share, kind, occasion):
        session.add(build_notice(session, share, kind, occasion))


def note_extension(session: Session, share: Share, number: int, asked: dict[str, Any]) -> None:
    """Write the notice for operators that a recipient wants more days; `number` and `asked` describe the request.

    It is written once for each request, not again when the waiting request is changed.
    """
    notice = build_notice(session, share, Kind.PRORROGA, str(number))
    notice.data |= {"prorroga": asked}
    session.add(notice)


def _is_noted(session: Session, share: Share, kind: Kind, occasion: str) -> bool:
    query = select(Notice.number).where(
        Notice.share_id == share.id,
        Notice.generation == share.asked_generation,
        Notice.kind == kind,
        Notice.occasion == occasion,
    )
    return session.scalar(query) is not None


def build_notice(session: Session, share: Share, kind: Kind, occasion: str) -> Notice:
    """Return the row of a notice; `occasion` tells it apart from others of its kind."""
    return Notice(
        uid=uuid.uuid4().hex,
        share_id=share.id,
        generation=share.asked_generation,
        kind=kind,
        occasion=occasion,
        email=share.email,
        data=describe_public(session, share),
        at=database_now(session),
    )


def describe_public(session: Session, share: Share) -> dict[str, Any]:
    """Return a share as notices describe it, in the names of the wire. It has no password and no link."""
    downloads = find_downloads(session, [share]).get(share.id)
    return {
        "id": share.id,
        "status": str(share.state),
        "mensaje": say_message(share),
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
