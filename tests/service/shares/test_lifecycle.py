"""The table of transitions, and the one function that performs them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tempoftp.db.engine import Database
from tempoftp.db.models import HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition
from tempoftp.shares.lifecycle import transition
from tempoftp.states import CLAIMABLE, DELIVERED, ENDING, ON_ITS_WAY, TERMINAL, TRANSITIONS, UNFINISHED, State

EXPECTED = {
    "recibido": "preparando traslado listo bloqueado error expirando eliminando",
    "preparando": "traslado listo bloqueado error expirando eliminando",
    "traslado": "listo bloqueado error expirando eliminando",
    "listo": "bloqueado error expirando eliminando",
    "bloqueado": "listo error expirando eliminando",
    "expirando": "expirado eliminando",
    "expirado": "recibido",
    "eliminando": "eliminado",
    "eliminado": "recibido",
    "error": "recibido eliminando",
}


def test_the_table_is_the_one_that_was_decided() -> None:
    """The table is written out again here, because every client sees a change of it."""
    assert {state: set(words.split()) for state, words in EXPECTED.items()} == TRANSITIONS


@pytest.mark.parametrize(("origin", "to"), list(itertools.product(State, State)))
def test_full_table(database: Database, accept_share: Callable[..., Share], origin: State, to: State) -> None:
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state = origin
        session.flush()
        if to in TRANSITIONS[origin]:
            transition(
                session,
                share,
                to,
                reason=Phrase("verbatim", text="why"),
                author="who",
                run_id="run",
                request_id="req",
            )
        else:
            with pytest.raises(IllegalTransition) as refused:
                transition(session, share, to, reason=Phrase("verbatim", text="why"), author="who")
            assert refused.value.params == {"id": "p1", "origin": origin, "to": to}
    with database.read() as session:
        share = session.get_one(Share, "p1")
        entries = session.scalars(
            select(HistoryEntry).where(HistoryEntry.share_id == "p1").order_by(HistoryEntry.number)
        ).all()
        if to not in TRANSITIONS[origin]:
            assert share.state == origin
            assert len(entries) == 1
            return
        assert share.state == to
        assert share.state_changed_at == entries[-1].at
        last = entries[-1]
        assert (last.from_state, last.to_state, last.reason, last.author) == (
            origin,
            to,
            Phrase("verbatim", text="why"),
            "who",
        )
        assert (last.run_id, last.request_id) == ("run", "req")


def test_groups_cover_every_state_once() -> None:
    groups = [ON_ITS_WAY, DELIVERED, ENDING, TERMINAL, {State.ERROR}]
    assert sorted(itertools.chain.from_iterable(groups)) == sorted(State)
    assert UNFINISHED == ON_ITS_WAY | ENDING
    assert CLAIMABLE == UNFINISHED | DELIVERED


def test_every_state_can_end() -> None:
    """From anywhere a share can reach a state in which access and data are verified gone."""
    for state in State:
        reached, frontier = {state}, {state}
        while frontier:
            frontier = set().union(*(TRANSITIONS[step] for step in frontier)) - reached
            reached |= frontier
        assert reached & TERMINAL, state


def test_the_way_to_ready_never_goes_back() -> None:
    order = [State.RECIBIDO, State.PREPARANDO, State.TRASLADO, State.LISTO]
    for earlier, later in itertools.combinations(order, 2):
        assert later in TRANSITIONS[earlier]
        assert earlier not in TRANSITIONS[later]


def test_what_ends_only_ends() -> None:
    """No clock, no wish and no late outcome brings back what has begun to expire or to be deleted."""
    for state in ENDING:
        reached, frontier = set(), {state}
        while frontier:
            frontier = set().union(*(TRANSITIONS[step] for step in frontier - TERMINAL)) - reached
            reached |= frontier
        assert reached <= ENDING | TERMINAL, state


def test_whatever_may_be_reached_can_be_taken_away() -> None:
    for state in ON_ITS_WAY | DELIVERED:
        assert TRANSITIONS[state] >= ENDING
