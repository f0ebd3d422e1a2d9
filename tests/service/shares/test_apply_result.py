"""What one result of a run changes in the row of a share and in the row of its account, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import update

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.errors import ShareError
from tempoftp.shares.changes import request_deletion, request_lifetime
from tempoftp.shares.outcomes import apply_failure
from tempoftp.states import State

USER = "ftp_alguien_dominio"
NO_SPACE = {"state": "failed", "error": {"class": "no_space", "message": "disk full"}}


def seconds_until_due(share: Share) -> float:
    assert share.due_at is not None
    return (share.due_at - utc_now()).total_seconds()


class TestFailures:
    """A failure is retried until a deadline that only progress moves."""

    def test_a_second_failure_keeps_the_deadline_and_waits_longer(self, desk: Any) -> None:
        first = desk.step(NO_SPACE)
        again = desk.step(NO_SPACE)
        assert again.retry_until == first.retry_until
        assert (first.attempt, again.attempt) == (1, 2)
        assert first.due_at is not None
        for _ in range(3):
            again = desk.step(NO_SPACE)
        assert 20 < seconds_until_due(again) <= 30

    def test_the_progress_that_comes_with_an_error_is_kept(self, desk: Any) -> None:
        share = desk.step(NO_SPACE | {"bytes_done": 9, "bytes_total": 20})
        assert (share.bytes_done, share.bytes_total, share.error_class) == (9, 20, "no_space")

    def test_a_failed_run_tells_why_at_its_host_until_the_host_answers(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            apply_failure(session, desk.settings, claim, ShareError.of("ftp_host_unreachable", "no route"))
        with desk.database.read() as session:
            host = session.get_one(FtpHost, desk.ftp_host)
        assert (host.error_class, host.error_message) == ("ftp_host_unreachable", "no route")
        assert host.error_at is not None
        desk.step({"state": "copying"})
        with desk.database.read() as session:
            host = session.get_one(FtpHost, desk.ftp_host)
        assert (host.error_class, host.error_message, host.error_at) == (None, None, None)


class TestDiskAway:
    """A disk that is not mounted fails no share, however long it is away."""

    AWAY: ClassVar = {"state": "absent", "error": {"class": "root_missing", "message": "mount /data"}}

    @pytest.mark.parametrize(
        "state", ["recibido", "preparando", "traslado", "listo", "expirando", "eliminando"]
    )
    def test_it_is_tried_without_end_and_counts_as_no_attempt(self, desk: Any, state: str) -> None:
        with desk.database.write() as session:
            share = session.get_one(Share, "p1")
            share.state, share.attempt = state, 3
            share.retry_until = utc_now() - timedelta(days=9)
        for _ in range(3):
            share = desk.step(self.AWAY)
            # A claim moves a share from recibido to preparando.
            state = "preparando" if state == "recibido" else state
            assert (share.state, share.error_class, share.attempt) == (state, "root_missing", 3)
            assert 0 < seconds_until_due(share) <= 30
        # The next error of another class has all of its hours.
        if state in ("recibido", "preparando", "traslado"):
            share = desk.step(NO_SPACE)
            assert share.state == state
            assert share.retry_until is not None and share.retry_until > utc_now() + timedelta(hours=23)

    def test_a_failed_run_of_a_whole_host_is_treated_alike(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            session.get_one(Share, "p1").retry_until = utc_now() - timedelta(days=9)
            apply_failure(session, desk.settings, claim, ShareError.of("root_missing", "mount /data"))
        with desk.database.read() as session:
            assert session.get_one(Share, "p1").state == "preparando"


class TestProgress:
    """The row shows how far the copy is, and when a worker looks again."""

    def test_files_that_are_done_are_progress_too(self, desk: Any) -> None:
        desk.step({"state": "copying", "bytes_done": 5, "files_done": 1})
        assert desk.step(NO_SPACE | {"bytes_done": 5, "files_done": 1}).retry_until is not None
        assert desk.step({"state": "copying", "bytes_done": 5, "files_done": 2}).retry_until is None

    def test_the_names_of_left_out_files_are_kept_up_to_a_limit(self, desk: Any) -> None:
        names = [f"f{number}" for number in range(150)]
        share = desk.step({"state": "copying", "skipped": names, "skipped_total": 400})
        assert (share.skipped, share.skipped_total) == (names[:100], 400)
        share = desk.step({"state": "verifying"})
        assert (share.skipped, share.skipped_total) == (names[:100], 400), "a report without names keeps them"

    def test_a_delivered_share_keeps_the_figures_of_its_copy(self, desk: Any) -> None:
        desk.step({"state": "copying", "bytes_done": 5, "bytes_total": 5})
        assert desk.make_ready().eta == 0
        with desk.database.write() as session:
            session.execute(update(Share).values(due_at=utc_now(), bytes_done=5, bytes_total=5))
        share = desk.step({"state": "copying", "bytes_done": 1, "bytes_total": 9})
        assert (share.state, share.bytes_done, share.bytes_total) == (State.LISTO, 5, 5)

    @pytest.mark.parametrize(("age", "delay"), [(0, 2), (100, 10), (100_000, 30)])
    def test_a_share_is_looked_at_less_often_the_longer_it_takes(
        self, desk: Any, age: int, delay: float
    ) -> None:
        with desk.database.write() as session:
            session.execute(update(Share).values(wished_at=utc_now() - timedelta(seconds=age)))
        before = utc_now()
        share = desk.step({"state": "copying"})
        assert share.due_at is not None
        assert delay <= (share.due_at - before).total_seconds() < delay + 20

    def test_a_run_confirms_the_generation_of_a_share_on_its_way(self, desk: Any) -> None:
        desk.step({"state": "copying"})
        with desk.database.write() as session:
            request_lifetime(session, desk.settings, "p1", 9, author="ana", request_id="r-days")
        assert (desk.share().confirmed_generation, desk.share().generation) == (1, 2)
        share = desk.step({"state": "copying", "generation": 2})
        assert (share.state, share.confirmed_generation) == (State.TRASLADO, 2)


class TestAccounts:
    """What is written down of the account, by a run that holds it and reports on it without an error."""

    def test_a_run_that_lost_its_account_changes_nothing_of_it(self, desk: Any) -> None:
        claim = desk.claim()
        with desk.database.write() as session:
            session.execute(update(Account).values(lease_until=utc_now() - timedelta(seconds=1)))
        times = desk.write_times()
        user = {"name": USER, "state": "present", "origin": "adopted", "shares": [times]}
        applied = desk.report(claim, {"state": "delivered"}, users=[user | {"password_hash": "$2b$other"}])
        account = desk.account()
        assert (account.exists_since, account.origin, account.password_hash) == (None, None, None)
        assert account.token is not None
        assert [share.id for share in applied.written] == ["p1"]
        assert desk.share().state == State.TRASLADO, "the share is not ready by a report on a lost account"

    def test_the_account_exists_since_it_was_first_seen(self, desk: Any) -> None:
        desk.make_ready()
        first = desk.account()
        with desk.database.write() as session:
            session.execute(update(Share).values(due_at=utc_now()))
        desk.step({"state": "delivered"}, {"state": "present", "shares": [desk.write_times()]})
        assert first.exists_since is not None
        assert desk.account().exists_since == first.exists_since
        assert desk.account().origin == "created", "a report without an origin keeps it"

    def test_an_account_with_an_error_is_as_it_was(self, desk: Any) -> None:
        error = {"class": "database_unavailable", "message": "no answer"}
        user = {"state": "present", "origin": "created", "password_matches": True, "error": error}
        desk.step({"state": "delivered"}, user)
        account = desk.account()
        assert (account.exists_since, account.origin, account.password_confirmed) == (None, None, 0)

    def test_an_account_that_is_not_made_yet_keeps_its_password(self, desk: Any) -> None:
        before = desk.account().token
        desk.step({"state": "copying"}, {"state": "absent", "skipped_reason": "no_delivered_share"})
        assert before is not None
        assert desk.account().token == before


class TestEnding:
    """Access has ended (`confirmed_generation`) before all data are gone."""

    @pytest.fixture
    def desk(self, desk: Any) -> Any:
        desk.make_ready()
        with desk.database.write() as session:
            request_deletion(session, "p1", author="x", request_id="r2")
        assert (desk.share().generation, desk.share().confirmed_generation) == (2, 1)
        return desk

    @pytest.mark.parametrize(
        ("result", "user", "confirmed"),
        [
            ("purging", {"state": "absent"}, 2),
            ("purging", {"state": "present", "kept_reason": "live_shares"}, 2),
            ("absent", {"state": "absent"}, 2),
            ("purging", {"state": "present"}, 1),
            ("purging", None, 1),
            ("absent", {"state": "present"}, 1),
            ("absent", None, 1),
            ("delivered", {"state": "absent"}, 1),
        ],
    )
    def test_it_is_confirmed_when_nobody_can_reach_the_data(
        self, desk: Any, result: str, user: dict[str, Any] | None, confirmed: int
    ) -> None:
        share = desk.step({"state": result, "generation": 2}, user)
        assert share.confirmed_generation == confirmed

    def test_an_account_that_a_run_was_not_to_remove_may_stay(self, desk: Any) -> None:
        claim = replace(desk.claim(), absent_accounts=frozenset())
        user = {"name": USER, "state": "present"}
        desk.report(claim, {"state": "absent", "generation": 2}, users=[user])
        assert (desk.share().state, desk.share().due_at) == (State.ELIMINADO, None)

    def test_the_deadline_of_an_earlier_failure_does_not_outlive_an_answer(self, desk: Any) -> None:
        assert desk.step(NO_SPACE | {"generation": 2}).attempt == 1
        share = desk.step({"state": "purging", "generation": 2}, {"state": "absent"})
        assert (share.attempt, share.error_class, share.message) == (0, None, ())
