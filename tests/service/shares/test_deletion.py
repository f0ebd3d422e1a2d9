"""Asking for a share to go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import ShareNotFound
from tempoftp.shares.changes import request_deletion
from tempoftp.shares.claims import claim_shares
from tempoftp.states import State

DELETABLE = sorted(set(State) - {State.EXPIRADO, State.ELIMINADO, State.ELIMINANDO})


@pytest.mark.parametrize("state", DELETABLE)
def test_any_live_share(database: Database, accept_share: Callable[..., Share], state: State) -> None:
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state = state
        share.due_at = None
        share.message, share.error_class, share.attempt = (Phrase("verbatim", text="old"),), "no_space", 7
    with database.write() as session:
        request_deletion(session, "p1", author="ana", request_id="r2")
    with database.read() as session:
        share = session.get_one(Share, "p1")
        last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
    assert (share.state, share.generation) == (State.ELIMINANDO, 2)
    assert (share.message, share.error_class, share.attempt) == ((), None, 0)
    assert share.due_at is not None
    assert share.due_at <= utc_now()
    assert last is not None
    assert (last.author, last.request_id, last.generation, last.from_state) == ("ana", "r2", 2, state)


def test_takes_the_lease_away(database: Database, accept_share: Callable[..., Share], ftp_host: str) -> None:
    accept_share("p1")
    with database.write() as session:
        claim_shares(session, ftp_host, "run1", 50, 30)
    with database.write() as session:
        share = request_deletion(session, "p1", author="x", request_id="r2")
    assert (share.lease_run_id, share.lease_until) == (None, None)


def test_asked_again_changes_nothing(database: Database, accept_share: Callable[..., Share]) -> None:
    accept_share("p1")
    for _ in range(3):
        with database.write() as session:
            share = request_deletion(session, "p1", author="x", request_id="r2")
    assert (share.state, share.generation) == (State.ELIMINANDO, 2)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(HistoryEntry)) == 2


def test_expired_has_nothing_left_to_delete(database: Database, accept_share: Callable[..., Share]) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = State.EXPIRADO
    with database.write() as session:
        assert request_deletion(session, "p1", author="x", request_id="r2").state == State.EXPIRADO


@pytest.mark.parametrize("share_id", ["nada", "p1"])
def test_unknown_or_deleted(database: Database, accept_share: Callable[..., Share], share_id: str) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = State.ELIMINADO
    with pytest.raises(ShareNotFound), database.write() as session:
        request_deletion(session, share_id, author="x", request_id="r2")
