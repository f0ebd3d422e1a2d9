"""Deliveries: spread over the channels there are, leased, tried again by the clock, given up in sight of everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tempoftp.db.engine import Database
from tempoftp.db.models import NoticeDelivery
from tempoftp.monitoring.health import read_health
from tempoftp.notices.deliveries import (
    GIVEN_UP,
    PENDING,
    REFUSED,
    RETRY_SECONDS_MOST,
    SENT,
    Channel,
    ClaimedDelivery,
    claim_delivery,
    fan_out,
    find_due_channels,
    give_up_orphans,
    is_anything_to_fan_out,
    mark_failed,
    mark_sent,
)
from tempoftp.settings import Settings
from tempoftp.shares.notices import Kind

MAIL = Channel("correo", frozenset(Kind))
ERRORS = Channel("fallos", frozenset({Kind.ERROR}))


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel("2026-11-23T12:00:00Z", tick=False) as clock:
        yield clock


@pytest.fixture
def ready(clock: Any, desk: Any) -> Any:
    """A share that is `listo`, of which a notice waits."""
    desk.make_ready()
    return desk


def spread(database: Database, *channels: Channel, hours: float = 24) -> int:
    with database.write() as session:
        return fan_out(session, channels, retry_hours=hours)


def claim(database: Database, lease_id: str = "a", channel: str = "correo") -> ClaimedDelivery | None:
    with database.write() as session:
        return claim_delivery(session, channel, lease_id, lease_seconds=30)


def fail(database: Database, claimed: ClaimedDelivery, **how: Any) -> str | None:
    with database.write() as session:
        return mark_failed(session, claimed, "451 later", **how)


def read_deliveries(database: Database) -> list[NoticeDelivery]:
    with database.read() as session:
        return list(session.scalars(select(NoticeDelivery).order_by(NoticeDelivery.number)))


@pytest.mark.usefixtures("ready")
def test_each_channel_that_tells_of_it_gets_one(database: Database) -> None:
    other = Channel("portal", frozenset({Kind.LISTO}))
    assert spread(database, MAIL, ERRORS, other) == 1
    assert [row.channel for row in read_deliveries(database)] == ["correo", "portal"]
    assert spread(database, MAIL, ERRORS, other) == 0
    assert len(read_deliveries(database)) == 2


@pytest.mark.usefixtures("ready")
def test_without_channels_nothing_waits_for_one(database: Database) -> None:
    assert spread(database) == 1
    with database.read() as session:
        assert not is_anything_to_fan_out(session)
    assert spread(database, MAIL) == 0
    assert read_deliveries(database) == []


@pytest.mark.usefixtures("ready")
def test_what_is_claimed_is_nobody_elses(database: Database, clock) -> None:
    spread(database, MAIL)
    first = claim(database)
    assert first is not None
    assert first.notice.share_id == "p1"
    assert claim(database, "b") is None
    with database.read() as session:
        assert find_due_channels(session) == set()
    clock.shift(31)  # whoever had it is dead
    with database.read() as session:
        assert find_due_channels(session) == {"correo"}
    second = claim(database, "b")
    assert second is not None
    with database.write() as session:
        assert not mark_sent(session, first)
        assert mark_sent(session, second)
    assert claim(database, "c") is None
    assert [row.state for row in read_deliveries(database)] == [SENT]


@pytest.mark.usefixtures("ready")
def test_what_was_sent_after_the_lease_is_not_sent_again_if_nobody_took_it(database: Database, clock) -> None:
    spread(database, MAIL)
    slow = claim(database)
    assert slow is not None
    clock.shift(31)
    with database.write() as session:
        assert mark_sent(session, slow)
    assert claim(database, "b") is None
    assert [row.state for row in read_deliveries(database)] == [SENT]


@pytest.mark.usefixtures("ready")
def test_a_late_failure_changes_nothing_of_what_another_sent(database: Database, clock) -> None:
    spread(database, MAIL)
    first = claim(database)
    clock.shift(31)
    second = claim(database, "b")
    assert first is not None
    assert second is not None
    with database.write() as session:
        mark_sent(session, second)
    assert fail(database, first) is None
    assert [row.state for row in read_deliveries(database)] == [SENT]


@pytest.mark.usefixtures("ready")
def test_it_is_tried_again_ever_later_until_its_deadline(database: Database, clock) -> None:
    spread(database, MAIL, hours=2)
    (delivery,) = read_deliveries(database)
    waits: list[float] = []
    while (claimed := claim(database)) is not None:
        before = delivery.due_at
        state = fail(database, claimed)
        (delivery,) = read_deliveries(database)
        if state != PENDING:
            break
        waits.append((delivery.due_at - before).total_seconds())
        assert claim(database) is None, "not before its time"
        clock.move_to(delivery.due_at)
    assert waits[:6] == [5, 10, 20, 40, 80, 160]
    assert max(waits) == RETRY_SECONDS_MOST
    assert sum(waits) == 2 * 3600, "the last try is made at the deadline"
    assert delivery.state == GIVEN_UP
    assert delivery.due_at is None
    assert claim(database) is None


@pytest.mark.usefixtures("ready")
def test_a_worker_that_was_away_tries_before_it_gives_up(database: Database, clock) -> None:
    spread(database, MAIL, hours=1)
    clock.shift(timedelta(days=3))
    claimed = claim(database)
    assert claimed is not None
    with database.write() as session:
        assert mark_sent(session, claimed)


@pytest.mark.usefixtures("ready")
def test_who_does_not_exist_is_not_asked_again(database: Database) -> None:
    spread(database, MAIL)
    claimed = claim(database)
    assert claimed is not None
    assert fail(database, claimed, refused=True) == REFUSED
    assert claim(database) is None


@pytest.mark.usefixtures("ready")
def test_a_channel_that_is_gone_is_given_up_at_the_deadline(database: Database, clock) -> None:
    spread(database, Channel("antiguo", frozenset(Kind)), hours=1)
    with database.write() as session:
        assert give_up_orphans(session, {"correo"}) == []
    clock.shift(3601)
    with database.write() as session:
        assert give_up_orphans(session, {"antiguo"}) == []
        assert [row.channel for row in give_up_orphans(session, {"correo"})] == ["antiguo"]
    assert read_deliveries(database)[0].state == GIVEN_UP


def test_the_health_tells_what_waits_too_long_and_what_was_given_up(
    ready: Any, database: Database, settings: Settings, clock
) -> None:
    def read() -> tuple[dict[str, Any], str]:
        with database.read() as session:
            health = read_health(session, settings)
        return health["avisos"], "; ".join(health["problemas"])

    assert read()[0] == {"pendientes": 0, "edad_segundos": 0.0, "abandonados": 0, "rechazados": 0}
    spread(database, MAIL, hours=1)
    claimed = claim(database)
    assert claimed is not None
    fail(database, claimed)
    clock.shift(1000)
    backlog, problems = read()
    assert (backlog["pendientes"], backlog["edad_segundos"]) == (1, 1000.0)
    assert "1 notices wait for correo, the oldest for 17 min: 451 later" in problems
    clock.shift(3600)
    claimed = claim(database)
    assert claimed is not None
    fail(database, claimed)
    backlog, problems = read()
    assert (backlog["pendientes"], backlog["abandonados"]) == (0, 1)
    assert "1 notices were given up" in problems
    clock.shift(timedelta(hours=25))
    assert read()[0]["abandonados"] == 0


@pytest.mark.usefixtures("ready")
def test_a_wrong_address_is_no_problem_of_the_system(database: Database, settings: Settings) -> None:
    spread(database, MAIL)
    claimed = claim(database)
    assert claimed is not None
    fail(database, claimed, refused=True)
    with database.read() as session:
        health = read_health(session, settings)
    assert health["avisos"]["rechazados"] == 1
    assert not [text for text in health["problemas"] if "notices" in text]
