"""Extending and shortening: the earlier end stands until the FTP host has the new one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Share
from tempoftp.refusals import IllegalTransition, InvalidRequest, LifetimeInPast, ShareNotFound
from tempoftp.shares.changes import request_lifetime
from tempoftp.shares.desired_state import list_pending
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.messages import say_message
from tempoftp.states import State


def ask(desk: Any, days: int) -> None:
    with desk.database.write() as session:
        request_lifetime(session, desk.settings, "p1", days, author="ana", request_id="r-days")


def pending(desk: Any) -> list[str]:
    with desk.database.read() as session:
        share = session.get_one(Share, "p1")
        return [str(word) for word in list_pending(share, session.get_one(Account, share.ftpuser))]


def report(desk: Any, days: float) -> Share:
    generation = desk.share().generation
    times = desk.write_times(days, generation)
    return desk.step(
        {"state": "delivered", "generation": generation},
        {"state": "present", "password_matches": True, "shares": [times]},
    )


def age(desk: Any, days: float) -> None:
    """Let it have been ready so long ago."""
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        assert share.ready_at is not None
        assert share.expires is not None
        share.ready_at -= timedelta(days=days)
        share.expires -= timedelta(days=days)


def sweep(desk: Any) -> list[str]:
    with desk.database.write() as session:
        return [share.id for share in sweep_expired(session, desk.settings)]


@pytest.mark.parametrize("days", [1, 9])
def test_done_when_the_host_says_so(desk: Any, days: int) -> None:
    before = desk.make_ready()
    ask(desk, days)
    share = desk.share()
    assert (share.lifetime_days, share.generation, share.expires) == (days, 2, before.expires)
    assert pending(desk) == ["vigencia"]
    share = report(desk, days)
    assert (share.state, share.due_at, share.error_class) == (State.LISTO, None, None)
    assert (share.ready_at, pending(desk)) == (before.ready_at, [])
    assert share.expires == before.ready_at + timedelta(days=days)
    assert desk.read_history()[-1].reason.code == "lifetime_requested"


def test_a_host_that_keeps_the_old_end_is_asked_again(desk: Any) -> None:
    desk.make_ready()
    ask(desk, 9)
    share = report(desk, 3)
    assert (share.state, share.error_class) == (State.LISTO, "run_failed")
    assert share.due_at is not None
    assert pending(desk) == ["vigencia"]


@pytest.mark.parametrize("error_class", ["invalid", "ftp_host_unreachable"])
def test_given_up_it_is_what_it_was(desk: Any, error_class: str) -> None:
    before = desk.make_ready()
    ask(desk, 9)
    with desk.database.write() as session:
        session.get_one(Share, "p1").retry_until = utc_now()
    error = {"class": error_class, "message": "m"}
    share = desk.step({"state": "failed", "generation": 2, "error": error})
    assert (share.state, share.lifetime_days, share.expires) == (State.LISTO, 3, before.expires)
    assert (share.due_at, share.error_class) == (None, error_class)
    assert "sigue en 3 días" in say_message(share)
    last = desk.read_history()[-1]
    assert (last.from_state, last.to_state, last.author) == ("listo", "listo", "worker")


def test_on_its_way_only_the_wish_changes(desk: Any) -> None:
    desk.step({"state": "copying", "bytes_done": 5})
    ask(desk, 9)
    share = desk.share()
    assert (share.state, share.lifetime_days, share.generation, pending(desk)) == (State.TRASLADO, 9, 2, [])
    assert report(desk, 9).state == State.LISTO


def test_out_of_bounds(desk: Any) -> None:
    for days in (0, -1, 91):
        with pytest.raises(InvalidRequest):
            ask(desk, days)
    assert desk.share().generation == 1


def test_in_the_past(desk: Any) -> None:
    desk.make_ready()
    age(desk, 2)
    for days in (1, 2):
        with pytest.raises(LifetimeInPast):
            ask(desk, days)
    ask(desk, 3)
    assert desk.share().generation == 1  # that is what it is


@pytest.mark.parametrize(
    "state", [State.ERROR, State.EXPIRANDO, State.EXPIRADO, State.ELIMINANDO, State.ELIMINADO]
)
def test_what_ended_does_not_come_back(desk: Any, state: State) -> None:
    with desk.database.write() as session:
        session.get_one(Share, "p1").state = state
    with pytest.raises(ShareNotFound if state == State.ELIMINADO else IllegalTransition):
        ask(desk, 9)
    assert desk.share().lifetime_days == 3


class TestMeetingTheSweep:
    """Whoever is first in the database wins; what is extended but not confirmed waits for its host."""

    def test_the_sweep_was_first(self, desk: Any) -> None:
        desk.make_ready()
        age(desk, 3)
        assert sweep(desk) == ["p1"]
        with pytest.raises(IllegalTransition):
            ask(desk, 9)

    def test_the_extension_was_first_and_the_host_took_it(self, desk: Any) -> None:
        desk.make_ready()
        age(desk, 2.9)
        ask(desk, 9)
        age(desk, 0.2)
        assert sweep(desk) == []
        assert report(desk, 9).state == State.LISTO
        assert sweep(desk) == []

    @pytest.mark.parametrize(
        ("reason", "state"), [("expired", "expirando"), (None, "expirando"), ("deleted", "eliminando")]
    )
    def test_the_hosts_timer_was_first(self, desk: Any, reason: str | None, state: str) -> None:
        desk.make_ready()
        ask(desk, 9)
        error = {"class": "ended", "message": "it is over"}
        share = desk.step({"state": "absent", "generation": 2, "reason": reason, "error": error})
        assert (share.state, share.generation, share.wanted) == (state, 3, "absent")
        assert share.due_at is not None
        assert share.lease_run_id is None

    def test_an_extension_that_is_given_up_does_not_hold_it(self, desk: Any) -> None:
        desk.make_ready()
        age(desk, 2.9)
        ask(desk, 9)
        age(desk, 0.2)
        error = {"class": "invalid", "message": "m"}
        desk.step({"state": "failed", "generation": 2, "error": error})
        assert sweep(desk) == ["p1"]

    def test_a_shortening_does_not_hold_it(self, desk: Any) -> None:
        desk.make_ready()
        age(desk, 1.5)
        ask(desk, 2)
        age(desk, 1.6)
        assert sweep(desk) == ["p1"]


@pytest.mark.parametrize("error_class", ["not_delivered", "managed_elsewhere"])
def test_data_that_are_gone_are_an_error(desk: Any, error_class: str) -> None:
    desk.make_ready()
    ask(desk, 9)
    share = desk.step({"state": "absent", "generation": 2, "error": {"class": error_class, "message": "m"}})
    assert (share.state, share.error_class, share.due_at) == (State.ERROR, error_class, None)
