"""Blocking: a wish, done only when an outcome of its own generation says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IllegalTransition, ShareNotFound
from tempoftp.shares.changes import request_block, request_unblock
from tempoftp.shares.desired_state import list_pending, read_desired_state
from tempoftp.shares.serializers import describe_block
from tempoftp.states import State


def block(desk: Any, share_id: str = "p1", **changes: Any) -> None:
    values = {"whole_account": False, "reason": "abuso", "author": "ana", "request_id": "r-block"} | changes
    with desk.database.write() as session:
        request_block(session, share_id, **values)


def unblock(desk: Any, share_id: str = "p1", *, whole_account: bool = False) -> None:
    with desk.database.write() as session:
        request_unblock(session, share_id, whole_account=whole_account, author="ana", request_id="r-unblock")


def pending(desk: Any, share_id: str = "p1") -> list[str]:
    with desk.database.read() as session:
        share = session.get_one(Share, share_id)
        return [str(word) for word in list_pending(share, session.get_one(Account, share.ftpuser))]


def hidden(desk: Any, **user: Any) -> Share:
    generation = desk.share().generation
    times = desk.write_times(generation=generation)
    return desk.step(
        {"state": "blocked", "generation": generation},
        {"state": "blocked", "password_matches": True, "shares": [times]} | user,
    )


def test_it_is_a_wish_until_the_host_has_it(desk: Any) -> None:
    desk.make_ready()
    block(desk)
    share = desk.share()
    assert (share.state, share.generation, share.wanted, share.block_reason) == (
        State.LISTO,
        2,
        "blocked",
        "abuso",
    )
    assert share.due_at is not None
    assert pending(desk) == ["bloquear"]
    share = hidden(desk)
    assert (share.state, share.due_at, share.confirmed_generation) == (State.BLOQUEADO, None, 2)
    assert share.expires is not None
    assert pending(desk) == []
    assert desk.account().status == "blocked"
    desired, done = desk.read_history()[-2:]
    assert (desired.from_state, desired.to_state, desired.author, desired.reason, desired.request_id) == (
        *("listo", "listo", "ana", Phrase("block_requested_because", why="abuso")),
        "r-block",
    )
    assert (done.from_state, done.to_state, done.author) == ("listo", "bloqueado", "worker")


@pytest.mark.parametrize(
    ("result", "user"),
    [
        ({"state": "delivered"}, {"state": "present"}),
        ({"state": "blocked"}, None),
        (
            {"state": "blocked"},
            {"state": "unknown", "error": {"class": "database_unavailable", "message": "x"}},
        ),
        ({"state": "copying"}, {"state": "present"}),
    ],
)
def test_what_the_host_does_not_confirm_is_asked_again(
    desk: Any, result: dict[str, Any], user: dict[str, Any] | None
) -> None:
    desk.make_ready()
    block(desk)
    share = desk.step({"generation": 2} | result, user)
    assert share.state == State.LISTO
    assert share.due_at is not None
    assert pending(desk) == ["bloquear"]


@pytest.mark.parametrize("error_class", ["no_space", "database_unavailable", "invalid", "stale"])
def test_a_block_is_never_given_up(desk: Any, error_class: str) -> None:
    desk.make_ready()
    block(desk)
    with desk.database.write() as session:
        session.get_one(Share, "p1").retry_until = utc_now()
    share = desk.step({"state": "failed", "generation": 2, "error": {"class": error_class, "message": "m"}})
    assert (share.state, share.error_class) == (State.LISTO, error_class)
    assert share.due_at is not None
    assert pending(desk) == ["bloquear"]


def test_unblocked_it_is_there_again_with_its_old_end(desk: Any) -> None:
    ready = desk.make_ready()
    block(desk)
    hidden(desk)
    unblock(desk)
    assert pending(desk) == ["desbloquear"]
    times = desk.write_times(generation=3)
    share = desk.step(
        {"state": "delivered", "generation": 3},
        {"state": "present", "password_matches": True, "shares": [times]},
    )
    assert (share.state, share.block_reason, share.due_at) == (State.LISTO, None, None)
    assert (share.ready_at, share.expires) == (ready.ready_at, ready.expires)


def test_a_run_that_carries_the_earlier_wish_comes_late(desk: Any) -> None:
    desk.make_ready()
    block(desk)
    claim = desk.claim()
    unblock(desk)
    times = desk.write_times(generation=2)
    applied = desk.report(
        claim,
        {"state": "blocked", "generation": 2},
        users=[{"name": "x", "state": "blocked", "shares": [times]}],
    )
    assert applied.late == ("p1",)
    assert desk.share().state == State.LISTO
    assert pending(desk) == ["cambio"]  # the host may have seen either
    assert desk.share().due_at is not None


def test_on_its_way_it_is_delivered_hidden(desk: Any) -> None:
    block(desk)
    assert (desk.share().state, pending(desk)) == (State.RECIBIDO, ["bloquear"])
    assert desk.step({"state": "copying", "generation": 2}).state == State.TRASLADO
    share = desk.step(
        {"state": "blocked", "generation": 2, "path": "/data/x/p1"},
        {"state": "absent", "skipped_reason": "no_delivered_share"},
    )
    assert (share.state, share.due_at) == (State.BLOQUEADO, None)


class TestWholeAccount:
    @pytest.fixture
    def second(self, desk: Any, accept_share: Callable[..., Share]) -> Share:
        return accept_share("p2", ruta="source1:/srv/datos/b")

    def test_every_share_of_it_is_blocked(
        self, desk: Any, second: Share, accept_share: Callable[..., Share]
    ) -> None:
        accept_share("q1", usuario="otra@dominio")
        desk.make_ready()
        block(desk, whole_account=True)
        account = desk.account()
        assert (account.blocked, account.block_reason) == (True, "abuso")
        with desk.database.read() as session:
            p1, p2, q1 = (session.get_one(Share, name) for name in ("p1", "p2", "q1"))
        assert (p1.generation, p2.generation, q1.generation) == (2, 2, 1)
        assert {str(read_desired_state(share, account)) for share in (p1, p2)} == {"blocked"}
        described = describe_block(p2, account)
        assert described == {
            "usuario": account.name,
            "razon": "abuso",
            "alcance": "cuenta",
            "en_mysql": False,
        }

    def test_the_login_must_be_blocked_too(self, desk: Any) -> None:
        desk.make_ready()
        block(desk, whole_account=True)
        assert hidden(desk, state="present").state == State.LISTO
        assert hidden(desk).state == State.BLOQUEADO

    def test_of_somebody_elses_account_the_login_stays(self, desk: Any) -> None:
        desk.make_ready()
        block(desk, whole_account=True)
        assert hidden(desk, state="present", origin="adopted").state == State.BLOQUEADO

    def test_it_ends_for_those_that_are_not_blocked_for_themselves(self, desk: Any, second: Share) -> None:
        desk.make_ready()
        block(desk, "p2")
        block(desk, whole_account=True)
        with pytest.raises(IllegalTransition, match="account_blocked"):
            unblock(desk)
        unblock(desk, whole_account=True)
        account = desk.account()
        with desk.database.read() as session:
            desired_shares = {
                name: str(read_desired_state(session.get_one(Share, name), account)) for name in ("p1", "p2")
            }
        assert desired_shares == {"p1": "present", "p2": "blocked"}


def test_again_nothing_changes_but_the_reason(desk: Any) -> None:
    desk.make_ready()
    block(desk)
    block(desk, reason="otra razón")
    share = desk.share()
    assert (share.generation, share.block_reason) == (2, "otra razón")
    unblock(desk)
    unblock(desk)
    assert desk.share().generation == 3


@pytest.mark.parametrize("verb", [block, unblock])
@pytest.mark.parametrize("state", [State.ERROR, State.EXPIRANDO, State.EXPIRADO, State.ELIMINANDO])
def test_what_ends_or_failed_is_not_blocked(desk: Any, verb: Callable[..., None], state: State) -> None:
    with desk.database.write() as session:
        session.get_one(Share, "p1").state = state
    with pytest.raises(IllegalTransition, match=state):
        verb(desk)
    assert desk.share().generation == 1


def test_unknown(desk: Any) -> None:
    with pytest.raises(ShareNotFound):
        block(desk, "p9")
