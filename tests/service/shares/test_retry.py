"""Trying again: a failed share as a new generation, one that waits for its next try at once."""

from __future__ import annotations

from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Share
from tempoftp.refusals import IllegalTransition
from tempoftp.shares.changes import request_retry
from tempoftp.states import State


def retry(desk: Any) -> None:
    with desk.database.write() as session:
        request_retry(session, desk.settings, "p1", author="ana", request_id="r-again")


def test_a_failed_share_begins_again(desk: Any) -> None:
    error = {"class": "source_denied", "message": "m"}
    failed = desk.step({"state": "failed", "error": error})
    assert failed.state == State.ERROR
    retry(desk)
    share = desk.share()
    assert (share.state, share.generation, share.error_class, share.message) == (State.RECIBIDO, 2, None, ())
    assert share.due_at is not None
    assert share.created_at == failed.created_at
    last = desk.read_history()[-1]
    assert (last.from_state, last.to_state, last.author, last.request_id) == (
        *("error", "recibido", "ana"),
        "r-again",
    )
    assert desk.step({"state": "copying", "generation": 2}).state == State.TRASLADO


def test_one_that_waits_for_its_next_try_is_tried_now(desk: Any) -> None:
    waiting = desk.step({"state": "failed", "error": {"class": "no_space", "message": "m"}})
    assert waiting.due_at is not None
    assert waiting.due_at > utc_now()
    retry(desk)
    share = desk.share()
    assert (share.state, share.generation, share.retry_until) == (waiting.state, 1, waiting.retry_until)
    assert share.due_at is not None
    assert share.due_at <= utc_now()


@pytest.mark.parametrize("state", sorted(set(State) - {State.ERROR, State.ELIMINADO}))
def test_where_nothing_failed_there_is_nothing_to_retry(desk: Any, state: State) -> None:
    with desk.database.write() as session:
        session.get_one(Share, "p1").state = state
    with pytest.raises(IllegalTransition):
        retry(desk)
    assert desk.share().generation == 1
