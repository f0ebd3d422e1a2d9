"""What a run reports becomes states: the table of docs/dataflow.md, row by row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.errors import ERROR_CLASSES, ShareError
from tempoftp.shares.apply_result import Claim, plan_backoff, plan_delay
from tempoftp.shares.changes import request_deletion
from tempoftp.shares.claims import claim_shares
from tempoftp.shares.messages import ERROR_MESSAGES, say_message
from tempoftp.shares.outcomes import apply_failure
from tempoftp.shares.serializers import describe_share
from tempoftp.states import State

READY = {"id": "p1", "generation": 1, "ready_at": "2026-11-23T12:00:00Z", "expires": "2026-11-26T12:00:00Z"}
USER = "ftp_alguien_dominio"
OLD_HASH = "$2b$12$" + "a" * 53
# A disk that is away and a clock in doubt are waited for without end: see test_apply_result.py.
WITHOUT_END = {"root_missing", "clock_unsure"}
TRANSIENT = sorted({name for name, entry in ERROR_CLASSES.items() if entry.transient} - WITHOUT_END)
# `ended` is no failure of the share: its host was first, see test_lifetime.py.
PERMANENT = sorted({name for name, entry in ERROR_CLASSES.items() if not entry.transient} - {"ended"})


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("queued", State.PREPARANDO),
        ("probing", State.PREPARANDO),
        ("copying", State.TRASLADO),
        ("verifying", State.TRASLADO),
        ("delivered", State.TRASLADO),
    ],
)
def test_present_on_its_way(desk: Any, result: str, state: State) -> None:
    share = desk.step(
        {
            "state": result,
            "bytes_total": 10,
            "bytes_done": 4,
            "files_done": 1,
            "percent": 40,
            "eta": 3,
            "rate": 2,
        },
        {"state": "absent", "skipped_reason": "no_delivered_share"},
    )
    assert share.state == state
    assert (share.bytes_total, share.bytes_done, share.files_done, share.percent) == (10, 4, 1, 40)
    assert share.due_at is not None
    assert (share.lease_run_id, share.lease_until) == (None, None)


def test_delivered_and_confirmed_is_ready(desk: Any) -> None:
    share = desk.step(
        {
            "state": "delivered",
            "path": "/data/x/p1",
            "skipped": ["a", "b"],
            "skipped_total": 2,
            "delivered_by": "links",
            "checksums_by": "arrival",
        },
        {
            "state": "present",
            "created": True,
            "origin": "created",
            "password_matches": True,
            "shares": [READY],
        },
    )
    assert (share.state, share.path, share.due_at) == (State.LISTO, "/data/x/p1", None)
    assert share.ready_at is not None
    assert share.expires is not None
    assert share.expires - share.ready_at == timedelta(days=3)
    assert (share.skipped, share.skipped_total) == (["a", "b"], 2)
    assert (share.delivered_by, share.checksums_by) == ("links", "arrival")
    account = desk.account()
    assert account.exists_since is not None
    assert (account.origin, account.token is not None, account.lease_run_id) == ("created", True, None)


@pytest.mark.parametrize(
    "user",
    [
        None,
        {"state": "blocked", "shares": [READY]},
        {"state": "absent", "shares": [READY]},
        {"state": "present", "shares": []},
        {"state": "present", "shares": [READY | {"generation": 2}]},
        {"state": "present", "shares": [READY | {"id": "p2"}]},
        {"state": "present", "shares": [READY | {"ready_at": None}]},
    ],
)
def test_delivered_without_confirmation_is_not_ready(desk: Any, user: dict[str, Any] | None) -> None:
    share = desk.step({"state": "delivered"}, user)
    assert share.state == State.TRASLADO
    assert share.due_at is not None


def test_account_that_was_there_keeps_its_password(desk: Any) -> None:
    desk.step(
        {"state": "delivered"},
        {"state": "present", "origin": "adopted", "password_hash": OLD_HASH, "shares": [READY]},
    )
    account = desk.account()
    assert (account.token, account.password_hash, account.origin) == (None, OLD_HASH, "adopted")


@pytest.mark.parametrize("stored", [None, "in clear", "d8578edf8458ce06fbc5bb76a58c5ca4"])
def test_what_an_account_has_instead_of_a_hash_is_not_stored(desk: Any, stored: str | None) -> None:
    """The collection reports null. One of an earlier release reports what is stored, perhaps the password."""
    user = {"state": "present", "origin": "adopted", "password_hash": stored, "shares": [READY]}
    for _run in range(2):
        share = desk.step({"state": "delivered"}, {"password_matches": False} | user)
        account = desk.account()
        assert (share.state, account.token, account.password_hash) == (State.LISTO, None, None)
        with desk.database.write() as session:
            session.get_one(Share, "p1").due_at = utc_now()
    with desk.database.read() as session:
        answer = describe_share(session, desk.settings, session.get_one(Share, "p1"))
    assert (answer["password"], answer["password_tipo"]) == (None, "hash")


@pytest.mark.parametrize("error_class", PERMANENT)
def test_permanent_error_ends_it(desk: Any, error_class: str) -> None:
    share = desk.step(
        {"state": "failed", "error": {"class": error_class, "message": "what, where, what to do"}}
    )
    assert (share.state, share.error_class, say_message(share)) == (
        State.ERROR,
        error_class,
        f"{ERROR_MESSAGES[error_class]} Detalle: what, where, what to do",
    )
    assert (share.due_at, share.lease_run_id) == (None, None)


@pytest.mark.parametrize("error_class", TRANSIENT)
def test_transient_error_keeps_the_state_and_is_retried(desk: Any, error_class: str) -> None:
    desk.step({"state": "copying"})
    share = desk.step({"state": "failed", "error": {"class": error_class, "message": "later"}})
    assert (share.state, share.error_class) == (State.TRASLADO, error_class)
    assert say_message(share) == f"{ERROR_MESSAGES[error_class]} Detalle: later"
    assert share.due_at is not None
    assert share.due_at > utc_now()
    assert share.retry_until is not None
    assert (share.retry_until - utc_now()).total_seconds() == pytest.approx(24 * 3600, abs=60)


def test_transient_error_after_its_deadline_is_permanent(desk: Any) -> None:
    error = {"state": "failed", "error": {"class": "no_space", "message": "disk full"}}
    desk.step(error)
    with desk.database.write() as session:
        session.get_one(Share, "p1").retry_until = utc_now() - timedelta(seconds=1)
    share = desk.step(error)
    assert (share.state, share.error_class, share.due_at) == (State.ERROR, "no_space", None)
    assert "24 h" in say_message(share)
    assert "disk full" in say_message(share)


def test_deadline_is_lifted_by_progress_only(desk: Any) -> None:
    error = {"state": "failed", "error": {"class": "copy_failed", "message": "x"}}
    desk.step({"state": "copying", "bytes_done": 5})
    deadline = desk.step(error | {"bytes_done": 5}).retry_until
    stuck = desk.step({"state": "copying", "bytes_done": 5})
    assert (stuck.retry_until, stuck.error_class, stuck.message) == (deadline, None, ())
    moved = desk.step({"state": "copying", "bytes_done": 6})
    assert (moved.retry_until, moved.attempt) == (None, 0)


def test_error_of_the_account_is_the_shares(desk: Any) -> None:
    error = {"class": "database_unavailable", "message": "no answer"}
    share = desk.step({"state": "delivered"}, {"state": "unknown", "error": error})
    assert (share.state, share.error_class) == (State.TRASLADO, "database_unavailable")
    conflict = {"class": "account_conflict", "message": "another home"}
    share = desk.step({"state": "delivered"}, {"state": "unknown", "error": conflict})
    assert (share.state, share.error_class) == (State.ERROR, "account_conflict")


@pytest.mark.parametrize(
    "shares", [[], [{"id": "other", "state": "copying"}], [{"state": "absent"}], [{"state": "failed"}]]
)
def test_report_that_says_nothing_of_it_is_retried(desk: Any, shares: list[dict[str, Any]]) -> None:
    desk.report(desk.claim(), *shares)
    share = desk.share()
    assert (share.state, share.error_class) == (State.PREPARANDO, "run_failed")
    assert share.due_at is not None


def test_it_never_goes_back(desk: Any) -> None:
    desk.step({"state": "copying", "bytes_done": 5})
    share = desk.step({"state": "queued"})  # its host rebooted
    assert share.state == State.TRASLADO


def test_failed_run_counts_for_every_share_and_for_the_host(desk: Any) -> None:
    error = ShareError.of("ftp_host_unreachable", "no route")
    with desk.database.write() as session:
        applied = apply_failure(session, desk.settings, desk_claim(desk, session), error)
    assert [share.id for share in applied.written] == ["p1"]
    share = desk.share()
    assert (share.state, share.error_class, share.lease_run_id) == (
        State.PREPARANDO,
        "ftp_host_unreachable",
        None,
    )
    with desk.database.read() as session:
        host = session.get_one(FtpHost, desk.ftp_host)
    assert (host.error_class, host.facts_at) == ("ftp_host_unreachable", None)


def desk_claim(desk: Any, session: Any) -> Claim:
    shares = claim_shares(session, desk.ftp_host, "run9", 50, 30)
    return Claim("run9", desk.ftp_host, {share.id: share.generation for share in shares})


def test_facts_are_kept_and_clear_the_error(desk: Any) -> None:
    with desk.database.write() as session:
        session.add(FtpHost(name=desk.ftp_host, error_class="run_failed", error_message="x", paused=False))
    desk.step({"state": "copying"})
    with desk.database.read() as session:
        host = session.get_one(FtpHost, desk.ftp_host)
    assert host.facts is not None and host.facts["space_free"] == 7
    assert (host.database_facts, host.error_class) == ({"ok": True}, None)
    assert host.facts_at is not None


class TestAbsent:
    """Deletion: retried for ever, done only when verified."""

    @pytest.fixture
    def desk(self, desk: Any) -> Any:
        desk.step({"state": "delivered"}, {"state": "present", "password_matches": True, "shares": [READY]})
        with desk.database.write() as session:
            request_deletion(session, "p1", author="x", request_id="r2")
        return desk

    @pytest.mark.parametrize(
        "user",
        [
            {"state": "absent"},
            {"state": "present", "kept_reason": "live_shares"},
            {"state": "present", "kept_reason": "adopted"},
        ],
    )
    def test_gone_and_account_gone_or_rightly_kept(self, desk: Any, user: dict[str, Any]) -> None:
        share = desk.step({"state": "absent", "generation": 2}, user)
        assert (share.state, share.due_at) == (State.ELIMINADO, None)
        assert (desk.account().token is None) == (user["state"] == "absent")

    @pytest.mark.parametrize(
        ("result", "user"),
        [
            ("purging", {"state": "absent"}),
            ("absent", {"state": "present"}),
            ("absent", {"state": "unknown", "error": {"class": "database_unavailable", "message": "x"}}),
            ("absent", None),
        ],
    )
    def test_not_yet(self, desk: Any, result: str, user: dict[str, Any] | None) -> None:
        share = desk.step({"state": result, "generation": 2}, user)
        assert share.state == State.ELIMINANDO
        assert share.due_at is not None

    def test_a_share_of_an_operator_under_its_id_is_nothing_to_wait_for(self, desk: Any) -> None:
        error = {"class": "managed_elsewhere", "message": "an operator's"}
        result = {"state": "delivered", "generation": 2, "error": error}
        assert desk.step(result, {"state": "present"}).state == State.ELIMINANDO, "its account is still there"
        assert desk.step(result, {"state": "absent"}).state == State.ELIMINADO

    @pytest.mark.parametrize("error_class", sorted({*TRANSIENT, *PERMANENT} - {"managed_elsewhere"}))
    def test_no_error_ends_it(self, desk: Any, error_class: str) -> None:
        with desk.database.write() as session:
            session.get_one(Share, "p1").retry_until = utc_now() - timedelta(days=1)
        share = desk.step({"state": "failed", "error": {"class": error_class, "message": "m"}})
        assert (share.state, share.error_class) == (State.ELIMINANDO, error_class)
        assert share.due_at is not None


class TestLate:
    """A run that comes back after the world moved on changes nothing."""

    def test_after_a_deletion(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            request_deletion(session, "p1", author="x", request_id="r2")
        user = {"name": USER, "state": "present", "shares": [READY]}
        applied = desk.report(claim, {"state": "delivered"}, users=[user])
        assert (applied.written, applied.late) == ((), ("p1",))
        share = desk.share()
        assert (share.state, share.generation, share.ready_at) == (State.ELIMINANDO, 2, None)

    def test_after_another_run_took_over(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            past = utc_now() - timedelta(seconds=1)
            session.execute(update(Share).values(lease_until=past))
            session.execute(update(Account).values(lease_until=past))
        second = desk.claim()
        assert desk.report(claim, {"state": "copying", "bytes_done": 9}).late == ("p1",)
        share = desk.share()
        assert (share.state, share.bytes_done, share.lease_run_id) == (State.PREPARANDO, None, second.run_id)
        assert desk.report(second, {"state": "copying", "bytes_done": 3}).late == ()
        assert desk.share().bytes_done == 3

    def test_after_its_lease_ran_out(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            session.execute(update(Share).values(lease_until=utc_now() - timedelta(seconds=1)))
        assert desk.report(claim, {"state": "copying"}).late == ("p1",)
        assert desk.share().state == State.PREPARANDO

    def test_failure_that_comes_late(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            request_deletion(session, "p1", author="x", request_id="r2")
        with desk.database.write() as session:
            error = ShareError.of("run_failed", "x")
            assert apply_failure(session, desk.settings, claim, error).late == ("p1",)
        assert desk.share().error_class is None


@given(eta=st.none() | st.floats(0, 1e9), age=st.floats(0, 1e9))
def test_delay_is_bounded(eta: float | None, age: float) -> None:
    delay = plan_delay(eta, age)
    assert 0.5 <= delay <= 30
    assert delay <= max(2, age / 10)
    assert eta is None or delay <= max(0.5, eta)


@pytest.mark.parametrize(
    ("eta", "age", "delay"),
    [(None, 100, 10), (4, 100, 4), (0, 100, 0.5), (500, 50, 5), (None, 9999, 30), (None, 1, 2)],
)
def test_delay(eta: float | None, age: float, delay: float) -> None:
    assert plan_delay(eta, age) == delay


def test_backoff() -> None:
    assert [plan_backoff(attempt) for attempt in (1, 2, 3, 4, 5, 6, 10_000)] == [2, 4, 8, 16, 30, 30, 30]
