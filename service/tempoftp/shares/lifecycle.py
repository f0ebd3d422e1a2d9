"""The one function that changes the state of a share, and the history that it writes."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
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
    is_birth: bool = False,
) -> None:
    """Move a share to another state, and write to its history who did it, why and when.

    With `is_birth` its history does not say from which state: the share before it was another person's.

    It also writes the notice of the new state, unless `notify` is False because the state is only a step on the way.
    Nothing else writes `share.state`. The caller commits. Raises IllegalTransition for a transition that is not
    allowed.
    """

    origin = State(share.state)
    if to not in TRANSITIONS[origin]:
        raise IllegalTransition("illegal_transition", id=share.id, origin=origin, to=to)
    now = database_now(session)
    share.state = to
    share.state_changed_at = now
    session.add(
        HistoryEntry(
            share_id=share.id,
            generation=share.generation,
            from_state=None if is_birth else origin,
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
    """Write a change to the history of a share that leaves its state as it is. The caller commits."""

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
            at=database_now(session),
        )
    )


def record_birth(session: Session, share: Share, *, reason: Phrase, author: str) -> None:
    """Write the first event of a new share in `recibido`."""

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
