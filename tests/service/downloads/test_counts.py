"""Downloads: when a host is asked, what is kept of its answer, and how it goes over the wire."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.models import Downloads, FtpHost, Share
from tempoftp.downloads.counts import (
    BUSY_FACTOR,
    DOWNLOADS_KEYS,
    TransfersRequest,
    find_uncounted_hosts,
    plan_transfers,
)
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim
from tempoftp.shares.expiry import sweep_fetched
from tempoftp.shares.history import word_reason
from tempoftp.shares.outcomes import apply_outcome
from tempoftp.shares.queries import list_shares
from tempoftp.shares.results import Outcome
from tempoftp.shares.serializers import describe_share
from tempoftp.states import State

COUNTED = {
    "id": "p1",
    "generation": 1,
    "complete": 3,
    "partial": 1,
    "files_total": 3,
    "files_complete": 2,
    "never_fetched": ["c"],
    "never_fetched_total": 1,
    "last_download": "2026-11-23T12:01:00Z",
    "files": [{"name": "a", "complete": 2, "partial": 1, "last": "2026-11-23T12:01:00Z"}],
    "files_fetched": 2,
}
FINE = {
    "path": "/x",
    "lines": 1,
    "unknown_lines": 0,
    "gap": False,
    "behind": False,
    "damaged": [],
    "problem": None,
}


def report(desk: Any, *shares: dict[str, Any], **log: Any) -> None:
    """Have the host answer a run that carried nothing but the question."""
    outcome = {
        "schema": 1,
        "run_id": "counting",
        "host": {"time": write_time(utc_now())},
        "database": {"ok": True},
        "transfers": {"shares": shares, "log": FINE | log, "time": "2026-11-23T12:05:00Z"},
    }
    with desk.database.write() as session:
        claim = Claim("counting", desk.ftp_host, {}, frozenset(), {})
        apply_outcome(session, desk.settings, claim, Outcome.model_validate(outcome))


def ready(desk: Any) -> None:
    """Have the share been there for an hour."""
    desk.make_ready()
    with desk.database.write() as session:
        session.get_one(Share, "p1").ready_at = utc_now() - timedelta(hours=1)


def describe(desk: Any) -> dict[str, Any]:
    with desk.database.read() as session:
        found: dict[str, Any] = describe_share(session, desk.settings, session.get_one(Share, "p1"))[
            "descargas"
        ]
        return found


def plan(desk: Any, *, busy: bool = False) -> TransfersRequest | None:
    with desk.database.write() as session:
        return plan_transfers(session, desk.settings, desk.ftp_host, busy=busy)


def list_uncounted(desk: Any) -> set[str]:
    with desk.database.read() as session:
        return find_uncounted_hosts(session, desk.settings)


def test_what_the_host_counted_goes_over_the_wire(desk: Any) -> None:
    desk.make_ready()
    report(desk, COUNTED)
    found = describe(desk)
    contado = found.pop("contado")
    assert contado is not None
    assert found == {
        "total_descargas": 4,
        "ultima_descarga": "2026-11-23T12:01:00Z",
        "completos": 3,
        "parciales": 1,
        "archivos_total": 3,
        "archivos_completos": 2,
        "archivos": [{"nombre": "a", "completas": 2, "parciales": 1, "ultima": "2026-11-23T12:01:00Z"}],
        "sin_descargar": {"total": 1, "lista": ["c"]},
    }
    with desk.database.read() as session:
        assert list_shares(session)["solicitudes"][0]["descargas"] == 4


def test_a_later_answer_takes_the_place_of_an_earlier_one(desk: Any) -> None:
    desk.make_ready()
    report(desk, COUNTED)
    report(desk, COUNTED | {"complete": 9, "never_fetched": [], "never_fetched_total": 0})
    assert (describe(desk)["completos"], describe(desk)["sin_descargar"]["total"]) == (9, 0)
    # What has not changed is not told again.
    report(desk)
    assert describe(desk)["completos"] == 9


@pytest.mark.parametrize("log", [{"problem": "no log: set AltLog"}, {"behind": True}])
def test_what_is_not_known_is_null_and_not_zero(desk: Any, log: dict[str, Any]) -> None:
    desk.make_ready()
    assert describe(desk) == dict.fromkeys(DOWNLOADS_KEYS)
    report(desk, **log)
    assert describe(desk) == dict.fromkeys(DOWNLOADS_KEYS)
    with desk.database.read() as session:
        assert list_shares(session)["solicitudes"][0]["descargas"] is None
        assert session.get_one(FtpHost, desk.ftp_host).transfers_problem == log.get("problem")


def test_zero_is_zero(desk: Any) -> None:
    desk.make_ready()
    report(desk, COUNTED | {"complete": 0, "partial": 0, "files": [], "last_download": None})
    assert (describe(desk)["total_descargas"], describe(desk)["ultima_descarga"]) == (0, None)


def test_shares_that_are_not_there_are_passed_over(desk: Any) -> None:
    report(desk, COUNTED, COUNTED | {"id": "p9"})
    desk.make_ready()
    assert describe(desk)["completos"] is None
    report(desk, COUNTED | {"generation": 2})
    assert describe(desk)["completos"] is None


def test_an_earlier_share_of_the_same_id_says_nothing(desk: Any) -> None:
    desk.make_ready()
    report(desk, COUNTED)
    with desk.database.write() as session:  # the id was asked for again
        share = session.get_one(Share, "p1")
        share.generation = share.asked_generation = 4
    assert describe(desk)["completos"] is None
    with desk.database.read() as session:
        assert list_shares(session)["solicitudes"][0]["descargas"] is None
    report(desk, COUNTED | {"generation": 4})
    assert describe(desk)["completos"] == 3


@pytest.mark.parametrize("generation", [1, 3])
def test_a_count_of_the_share_before_that_comes_late_is_thrown_away(desk: Any, generation: int) -> None:
    """The run began before the id was asked for again, perhaps by somebody else: its file names are the former's."""
    desk.make_ready()
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        share.generation, share.asked_generation = 5, 4
    report(desk, COUNTED | {"generation": generation})
    assert describe(desk)["archivos"] is None
    with desk.database.read() as session:
        assert session.get(Downloads, "p1") is None
    report(desk, COUNTED | {"generation": 4})
    assert describe(desk)["completos"] == 3


def later(desk: Any, factor: float = 1.0) -> time_machine.travel:
    """Go so many times the interval on."""
    return time_machine.travel(utc_now() + timedelta(seconds=factor * desk.settings.transfers_seconds + 1))


def test_a_host_with_nothing_to_fetch_is_not_asked(desk: Any) -> None:
    assert list_uncounted(desk) == set()
    with later(desk):
        assert list_uncounted(desk) == set()
        assert plan(desk) is None


def test_a_share_that_was_ready_just_now_is_left_alone(desk: Any) -> None:
    desk.make_ready()
    assert list_uncounted(desk) == set()
    with later(desk):
        assert list_uncounted(desk) == {desk.ftp_host}


def test_a_host_is_asked_every_few_minutes(desk: Any) -> None:
    ready(desk)
    assert plan(desk) == TransfersRequest(None)
    assert list_uncounted(desk) == set() and plan(desk) is None
    report(desk, COUNTED)
    with later(desk):
        assert list_uncounted(desk) == {desk.ftp_host}
        desired = plan(desk)
        assert desired is not None and desired.since is not None
        assert desired.since.isoformat() == "2026-11-23T12:05:00+00:00"


def test_a_busy_host_is_asked_less_often(desk: Any) -> None:
    desk.make_ready()
    with later(desk, BUSY_FACTOR - 1):
        assert plan(desk, busy=True) is None
    with later(desk, BUSY_FACTOR):
        assert plan(desk, busy=True) is not None
        assert plan(desk, busy=True) is None


def test_everything_is_asked_for_while_a_share_is_unknown(desk: Any) -> None:
    ready(desk)
    report(desk)
    assert plan(desk) == TransfersRequest(None)


def test_a_host_that_is_behind_is_asked_again_at_once(desk: Any) -> None:
    ready(desk)
    assert plan(desk) is not None
    report(desk, behind=True)
    assert plan(desk) is not None


def test_paused_hosts_are_left_alone(desk: Any) -> None:
    ready(desk)
    with desk.database.write() as session:
        session.get_one(FtpHost, desk.ftp_host).paused = True
    assert list_uncounted(desk) == set() and plan(desk) is None


def test_counting_can_be_switched_off(desk: Any) -> None:
    ready(desk)
    assert list_uncounted(desk) == {desk.ftp_host}
    desk.settings = desk.settings.model_copy(update={"transfers_seconds": 0})
    assert list_uncounted(desk) == set() and plan(desk) is None


class TestEarlyEnd:
    """`TEMPOFTP_EXPIRE_AFTER_DOWNLOAD_HOURS`."""

    ALL = COUNTED | {"files_complete": 3, "never_fetched": [], "never_fetched_total": 0}

    @pytest.fixture(autouse=True)
    def after_two_hours(self, desk: Any) -> None:
        desk.make_ready()
        desk.settings = desk.settings.model_copy(update={"expire_after_download_hours": 2.0})

    @staticmethod
    def ago(hours: float) -> dict[str, str]:
        return {"last_download": (utc_now() - timedelta(hours=hours)).isoformat()}

    def test_a_share_ends_some_hours_after_everything_was_fetched(self, desk: Any) -> None:
        report(desk, self.ALL | self.ago(2.01))
        share = desk.share()
        assert (share.state, share.generation, share.wanted) == (State.EXPIRANDO, 2, "absent")
        assert share.due_at is not None
        last = desk.read_history()[-1]
        assert (last.to_state, last.author) == ("expirando", "expiry") and "2 h" in word_reason(last.reason)

    def test_not_sooner(self, desk: Any) -> None:
        report(desk, self.ALL | self.ago(1.99))
        assert desk.share().state == State.LISTO
        with time_machine.travel(utc_now() + timedelta(minutes=1)):
            report(desk)
        assert desk.share().state == State.EXPIRANDO

    @pytest.mark.parametrize(
        "counted",
        [
            {"files_complete": 2},
            {"last_download": None, "complete": 0, "files": [], "files_total": 0, "files_complete": 0},
        ],
    )
    def test_not_while_something_is_missing(self, desk: Any, counted: dict[str, Any]) -> None:
        report(desk, self.ALL | self.ago(100) | counted)
        assert desk.share().state == State.LISTO

    def test_not_by_counts_that_are_not_fresh(self, desk: Any) -> None:
        report(desk, self.ALL | self.ago(1))
        with time_machine.travel(utc_now() + timedelta(hours=5)):
            report(desk, problem="no log")
            assert desk.share().state == State.LISTO

    def test_not_while_another_wish_waits_for_the_host(self, desk: Any) -> None:
        with desk.database.write() as session:
            session.get_one(Share, "p1").generation += 1
        report(desk, self.ALL | self.ago(100))
        assert desk.share().state == State.LISTO

    def test_not_when_it_is_blocked(self, desk: Any) -> None:
        with desk.database.write() as session:
            session.get_one(Share, "p1").state = State.BLOQUEADO
        report(desk, self.ALL | self.ago(100))
        assert desk.share().state == State.BLOQUEADO

    def sweep(self, desk: Any, ftp_host: str) -> list[str]:
        with desk.database.write() as session:
            return [share.id for share in sweep_fetched(session, desk.settings, ftp_host)]

    def test_only_shares_of_the_host_that_was_counted_end(self, desk: Any) -> None:
        report(desk, self.ALL | self.ago(1.99))
        with time_machine.travel(utc_now() + timedelta(minutes=1)):
            assert self.sweep(desk, "other") == []
            assert self.sweep(desk, desk.ftp_host) == ["p1"]

    def test_not_by_counts_of_an_earlier_share_of_the_id(self, desk: Any) -> None:
        report(desk, self.ALL | self.ago(1.99))
        with time_machine.travel(utc_now() + timedelta(minutes=1)):
            with desk.database.write() as session:
                share = session.get_one(Share, "p1")
                share.asked_generation = share.generation = share.confirmed_generation = 2
            assert self.sweep(desk, desk.ftp_host) == []

    def test_off_by_default(self, desk: Any, settings: Settings) -> None:
        assert settings.expire_after_download_hours == 0
        desk.settings = settings
        report(desk, self.ALL | self.ago(1000))
        assert desk.share().state == State.LISTO
