"""A change of what is wanted starts a share afresh: nothing of the earlier tries remains."""

from __future__ import annotations

from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Share
from tempoftp.phrases import Phrase
from tempoftp.shares.desired_state import change_desired_state
from tempoftp.states import State


def change(desk: Any, to: State | None) -> None:
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        change_desired_state(
            session,
            share,
            to=to,
            reason=Phrase("verbatim", text="why"),
            author="ana",
            request_id="r-new",
            run_id="run-new",
        )


@pytest.mark.parametrize("to", [None, State.ELIMINANDO])
def test_the_tries_of_the_generation_before_it_are_forgotten(desk: Any, to: State | None) -> None:
    desk.step({"state": "copying"})
    failed = desk.step({"state": "failed", "error": {"class": "no_space", "message": "disk full"}})
    assert failed.retry_until is not None
    assert failed.due_at is not None
    assert (failed.attempt, failed.error_class) == (1, "no_space")
    claim = desk.claim()
    before = utc_now()
    change(desk, to)
    share = desk.share()
    assert (share.retry_until, share.attempt) == (None, 0), "the new generation has all of its own hours"
    assert (share.error_class, share.message) == (None, ())
    assert (share.lease_run_id, share.lease_until) == (None, None)
    assert (share.generation, share.request_id) == (2, "r-new")
    assert share.state == (to or State.TRASLADO)
    assert share.due_at is not None
    assert before <= share.due_at <= utc_now()
    assert share.wished_at == share.due_at
    last = desk.read_history()[-1]
    assert (last.from_state, last.to_state) == (State.TRASLADO, share.state)
    assert (last.generation, last.reason, last.author, last.run_id, last.request_id) == (
        *(2, Phrase("verbatim", text="why"), "ana"),
        *("run-new", "r-new"),
    )
    assert desk.report(claim, {"state": "copying"}).late == ("p1",)


def test_a_change_without_a_request_keeps_the_id_of_the_last_one(desk: Any) -> None:
    with desk.database.write() as session:
        change_desired_state(
            session, session.get_one(Share, "p1"), reason=Phrase("verbatim", text="why"), author="worker"
        )
    assert desk.share().request_id == "request-p1"
    assert desk.read_history()[-1].request_id == "request-p1"
