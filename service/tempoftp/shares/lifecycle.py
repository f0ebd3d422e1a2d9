"""The one function that moves a share to another state, and the history that it writes."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tempoftp.db.clock import utc_now
from tempoftp.db.models import HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition
from tempoftp.shares.notices import note_state
from tempoftp.states import TRANSITIONS, State


def transition(
    session: Session,
    share: Share,
    to: State,
    *,
    reason: Phrase,
    author: str,
    run_id: str | None = None,
    request_id: str | None = None,
    notify: bool = True,
) -> None:
    """Move a share to another state and write who, why and when to its history, in the caller's transaction.

    What people are told of it is written beside it, unless `notify` is False because it is only a step on the way.
    Nothing else writes `share.state`. Raises IllegalTransition when the table does not have it.
    """

    origin = State(share.state)
    if to not in TRANSITIONS[origin]:
        raise IllegalTransition("illegal_transition", id=share.id, origin=origin, to=to)
    now = utc_now()
    share.state = to
    share.state_changed_at = now
    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=origin,
            to_state=to,
            reason=reason,
            author=author,
            run_id=run_id,
            request_id=request_id or share.request_id,
            at=now,
        )
    )
    if notify:
        note_state(session, share)


def record_change(
    session: Session, share: Share, *, reason: Phrase, author: str, run_id: str | None = None
) -> None:
    """Write a change of mind that leaves the state as it is to the share's history, in the caller's transaction."""

    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=share.state,
            to_state=share.state,
            reason=reason,
            author=author,
            run_id=run_id,
            request_id=share.request_id,
            at=utc_now(),
        )
    )


def record_birth(session: Session, share: Share, *, reason: Phrase, author: str) -> None:
    """Write the first history row of a share that was just made in `recibido`."""

    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=None,
            to_state=State.RECIBIDO,
            reason=reason,
            author=author,
            run_id=None,
            request_id=share.request_id,
            at=share.created_at,
        )
    )
