"""What has lived its days goes, by the database's clock; `expirado` only when all is verified gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Share
from tempoftp.shares.expiry import find_expired, sweep_expired
from tempoftp.states import State


def sweep(desk: Any) -> list[str]:
    with desk.database.write() as session:
        return [share.id for share in sweep_expired(session, desk.settings)]


def end(desk: Any, state: State = State.LISTO) -> None:
    """Let its time be up."""
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        share.state = state
        share.expires = utc_now()


@pytest.mark.parametrize("state", [State.LISTO, State.BLOQUEADO])
def test_it_begins_to_end(desk: Any, state: State) -> None:
    desk.make_ready()
    end(desk, state)
    assert sweep(desk) == ["p1"]
    share = desk.share()
    assert (share.state, share.generation, share.wanted) == (State.EXPIRANDO, 2, "absent")
    assert share.due_at is not None
    last = desk.read_history()[-1]
    assert (last.from_state, last.to_state, last.author) == (state, "expirando", "expiry")
    assert sweep(desk) == []


def test_not_before_its_time_and_nothing_else(desk: Any) -> None:
    assert sweep(desk) == []
    desk.make_ready()
    assert sweep(desk) == []
    for state in set(State) - {State.LISTO, State.BLOQUEADO}:
        end(desk, state)
        with desk.database.read() as session:
            assert find_expired(session, desk.settings) == []


def test_a_clock_that_is_set_back_brings_nothing_back(desk: Any) -> None:
    desk.make_ready()
    end(desk)
    assert sweep(desk) == ["p1"]
    with time_machine.travel(utc_now() - timedelta(days=30)):
        assert sweep(desk) == []
        assert desk.share().state == State.EXPIRANDO


class TestGone:
    @pytest.fixture
    def desk(self, desk: Any) -> Any:
        desk.make_ready()
        end(desk)
        sweep(desk)
        return desk

    @pytest.mark.parametrize(
        "user",
        [
            {"state": "absent"},
            {"state": "present", "kept_reason": "live_shares"},
            {"state": "present", "kept_reason": "adopted"},
        ],
    )
    def test_share_gone_and_account_gone_or_rightly_kept(self, desk: Any, user: dict[str, Any]) -> None:
        share = desk.step({"state": "absent", "generation": 2, "reason": "expired"}, user)
        assert (share.state, share.due_at, share.confirmed_generation) == (State.EXPIRADO, None, 2)
        assert (desk.account().token is None) == (user["state"] == "absent")

    @pytest.mark.parametrize(
        ("result", "user"),
        [
            ({"state": "purging"}, {"state": "absent"}),
            ({"state": "absent"}, {"state": "present"}),
            ({"state": "absent"}, None),
            (
                {"state": "absent"},
                {"state": "unknown", "error": {"class": "database_unavailable", "message": "x"}},
            ),
            ({"state": "absent", "error": {"class": "stale", "message": "x"}}, {"state": "absent"}),
            ({"state": "absent", "error": {"class": "ended", "message": "x"}}, {"state": "absent"}),
        ],
    )
    def test_not_yet(self, desk: Any, result: dict[str, Any], user: dict[str, Any] | None) -> None:
        with desk.database.write() as session:
            session.get_one(Share, "p1").retry_until = utc_now() - timedelta(days=1)
        share = desk.step({"generation": 2} | result, user)
        assert share.state == State.EXPIRANDO
        assert share.due_at is not None
