"""Notices are written with the change that they tell of, or not at all; each kind once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tempoftp.audits.restore import find_path
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Downloads, Notice, Share
from tempoftp.notices.deliveries import is_current
from tempoftp.notices.expiring import find_expiring, note_expiring
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_retry
from tempoftp.shares.create import create_share
from tempoftp.shares.lifecycle import transition
from tempoftp.shares.notices import Kind
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State

PRESENT = {"state": "present", "origin": "created", "password_matches": True}


@pytest.fixture
def read_notices(database: Database) -> Callable[[], list[Notice]]:
    def read() -> list[Notice]:
        with database.read() as session:
            return list(session.scalars(select(Notice).order_by(Notice.number)))

    return read


@pytest.fixture
def move(database: Database) -> Callable[..., None]:
    def move(*states: State, share_id: str = "p1") -> None:
        with database.write() as session:
            for state in states:
                transition(
                    session,
                    session.get_one(Share, share_id),
                    state,
                    reason=Phrase("verbatim", text="test"),
                    author="test",
                )

    return move


def list_kinds(notices: list[Notice]) -> list[str]:
    return [notice.kind for notice in notices]


def test_a_share_that_is_ready_is_told(desk: Any, read_notices) -> None:
    share = desk.make_ready()
    (notice,) = read_notices()
    assert (notice.kind, notice.share_id, notice.email) == ("listo", "p1", "alguien@dominio")
    assert notice.data["status"] == "listo"
    assert notice.data["expira"] == share.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert notice.spread_at is None


def test_a_notice_tells_nothing_that_opens_anything(desk: Any, read_notices) -> None:
    desk.make_ready()
    account = desk.account()
    (notice,) = read_notices()
    text = str(notice.data)
    assert "password" not in text
    assert account.token
    assert account.token not in text


def test_what_is_rolled_back_is_told_to_nobody(desk: Any, database: Database, read_notices) -> None:
    with pytest.raises(RuntimeError, match="mind"), database.write() as session:
        transition(
            session,
            session.get_one(Share, "p1"),
            State.LISTO,
            reason=Phrase("verbatim", text="test"),
            author="test",
        )
        session.flush()
        raise RuntimeError("changed its mind")
    assert desk.share().state == State.RECIBIDO
    assert read_notices() == []


def test_a_failure_for_good_is_told_with_its_words(desk: Any, read_notices) -> None:
    desk.step({"state": "failed", "error": {"class": "source_not_found", "message": "no such path"}})
    (notice,) = read_notices()
    assert notice.kind == Kind.ERROR
    assert notice.data["error"] == "source_not_found"
    assert "no such path" in notice.data["mensaje"]


def test_a_failure_that_may_pass_is_not_told(desk: Any, read_notices) -> None:
    desk.step({"state": "failed", "error": {"class": "source_unreachable", "message": "away"}})
    assert read_notices() == []


@pytest.mark.usefixtures("desk")
def test_the_end_is_told_once_it_is_verified(move, read_notices) -> None:
    move(State.LISTO, State.EXPIRANDO)
    assert list_kinds(read_notices()) == ["listo"]
    move(State.EXPIRADO)
    assert list_kinds(read_notices()) == ["listo", "expirado"]


@pytest.mark.usefixtures("desk")
def test_what_is_deleted_or_blocked_is_not_told(move, read_notices) -> None:
    move(State.LISTO, State.BLOQUEADO, State.ELIMINANDO, State.ELIMINADO)
    assert list_kinds(read_notices()) == ["listo"]


@pytest.mark.usefixtures("desk")
def test_the_end_of_a_block_is_no_second_notice(move, read_notices) -> None:
    move(State.LISTO, State.BLOQUEADO, State.LISTO)
    assert list_kinds(read_notices()) == ["listo"]


@pytest.mark.usefixtures("desk")
def test_what_was_delivered_hidden_is_told_when_it_is_shown(move, read_notices) -> None:
    move(State.BLOQUEADO)
    assert read_notices() == []
    move(State.LISTO)
    assert list_kinds(read_notices()) == ["listo"]


@pytest.mark.usefixtures("desk")
def test_a_retry_is_told_anew(database: Database, settings: Settings, move, read_notices) -> None:
    for _ in range(2):
        move(State.ERROR)
        with database.write() as session:
            request_retry(session, settings, "p1", author="test", request_id="r")
    move(State.LISTO)
    assert list_kinds(read_notices()) == ["error", "error", "listo"]


@pytest.mark.usefixtures("desk")
def test_an_id_that_is_asked_for_anew_is_told_anew(
    database: Database, settings: Settings, move, read_notices
) -> None:
    move(State.LISTO, State.EXPIRANDO, State.EXPIRADO)
    request = ShareRequest(usuario="otra@dominio", id="p1", ruta="source1:/srv/datos/b", vigencia=3)
    with database.write() as session:
        create_share(session, settings, request, "tester", "r2")
    move(State.LISTO)
    notices = read_notices()
    assert list_kinds(notices) == ["listo", "expirado", "listo"]
    assert [notice.email for notice in notices] == ["alguien@dominio", "alguien@dominio", "otra@dominio"]
    assert notices[2].generation > notices[0].generation


@pytest.mark.usefixtures("desk")
def test_a_step_on_the_way_is_told_to_nobody(database: Database, move, read_notices) -> None:
    """A restore goes by legal transitions from what a backup says to what the host has: some of it never happened."""
    move(State.EXPIRANDO)
    path = find_path(State.EXPIRANDO, State.LISTO)
    assert State.EXPIRADO in path
    with database.write() as session:
        for state in path:
            share = session.get_one(Share, "p1")
            transition(
                session,
                share,
                state,
                reason=Phrase("verbatim", text="test"),
                author="test",
                notify=state is path[-1],
            )
    assert list_kinds(read_notices()) == ["listo"]


class TestReminders:
    """`por_vencer`: once for each end, while something of the share was not fetched."""

    @pytest.fixture
    def remind(self, database: Database, settings: Settings) -> Callable[..., list[str]]:
        def remind(**changes: Any) -> list[str]:
            with database.write() as session:
                return note_expiring(session, settings.model_copy(update=changes))

        return remind

    def test_the_last_day_is_told_once(self, desk: Any, remind, read_notices) -> None:
        share = desk.make_ready()
        assert remind() == []
        with time_machine.travel(share.expires - timedelta(hours=23), tick=False):
            assert remind() == ["p1"]
            assert remind() == []
        assert list_kinds(read_notices()) == ["listo", "por_vencer"]

    def test_a_moved_end_is_told_again(self, desk: Any, database: Database, remind) -> None:
        share = desk.make_ready()
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False):
            assert remind() == ["p1"]
            with database.write() as session:
                row = session.get_one(Share, "p1")
                row.expires += timedelta(days=2)
                row.lifetime_days = row.lifetime_confirmed = 5
            assert remind() == []
        with time_machine.travel(share.expires + timedelta(days=2, hours=-5), tick=False):
            assert remind() == ["p1"]

    def test_not_while_an_extension_waits_for_its_host(self, desk: Any, database: Database, remind) -> None:
        share = desk.make_ready()
        with database.write() as session:
            session.get_one(Share, "p1").lifetime_days = 9
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False):
            assert remind() == []

    def test_not_in_the_first_half_of_a_short_life(self, desk: Any, database: Database, remind) -> None:
        share = desk.make_ready()
        with database.write() as session:
            session.get_one(Share, "p1").expires = share.ready_at + timedelta(hours=10)
        assert remind() == []
        with time_machine.travel(share.ready_at + timedelta(hours=6), tick=False):
            assert remind() == ["p1"]

    @pytest.mark.parametrize(("complete", "reminded"), [(0, True), (2, True), (3, False)])
    def test_who_has_everything_is_not_reminded(
        self, desk: Any, database: Database, remind, read_notices, complete: int, reminded: bool
    ) -> None:
        share = desk.make_ready()
        with database.write() as session:
            session.add(
                Downloads(
                    share_id="p1",
                    generation=1,
                    counted_at=utc_now(),
                    complete=complete,
                    partial=0,
                    files_total=3,
                    files_complete=complete,
                    never_fetched=[],
                    never_fetched_total=3 - complete,
                    files=[],
                )
            )
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False):
            assert remind() == (["p1"] if reminded else [])
        if reminded:
            assert read_notices()[-1].data["descargas"] == {
                "archivos_total": 3,
                "archivos_completos": complete,
            }

    def test_what_is_blocked_or_over_or_switched_off_is_not(self, desk: Any, move, remind) -> None:
        share = desk.make_ready()
        with time_machine.travel(share.expires + timedelta(seconds=1), tick=False):
            assert remind() == []
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False):
            assert remind(notice_before_hours=0) == []
            move(State.BLOQUEADO)
            assert remind() == []

    def test_two_that_look_at_once_write_one(
        self, desk: Any, database: Database, settings: Settings, remind, read_notices, monkeypatch
    ) -> None:
        share = desk.make_ready()
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False):
            with database.read() as session:
                seen = find_expiring(session, settings)
            assert remind() == ["p1"]
            monkeypatch.setattr("tempoftp.notices.expiring.find_expiring", lambda *_: seen)
            assert remind() == []
        assert list_kinds(read_notices()) == ["listo", "por_vencer"]


class TestCurrent:
    """Whether what a notice tells still is so."""

    @pytest.fixture
    def is_told(self, database: Database) -> Callable[[], list[str]]:
        def tell() -> list[str]:
            with database.read() as session:
                notices = session.scalars(select(Notice).order_by(Notice.number))
                return [notice.kind for notice in notices if is_current(session, notice)]

        return tell

    @pytest.mark.usefixtures("desk")
    def test_ready_until_it_ends(self, move, is_told) -> None:
        move(State.LISTO)
        assert is_told() == ["listo"]
        move(State.BLOQUEADO)
        assert is_told() == ["listo"]
        move(State.EXPIRANDO)
        assert is_told() == []
        move(State.EXPIRADO)
        assert is_told() == ["expirado"]

    @pytest.mark.usefixtures("desk")
    def test_nothing_of_a_deleted_share(self, move, is_told) -> None:
        move(State.LISTO, State.ELIMINANDO)
        assert is_told() == []

    @pytest.mark.usefixtures("desk")
    def test_a_failure_until_it_is_tried_again(
        self, database: Database, settings: Settings, move, is_told
    ) -> None:
        move(State.ERROR)
        assert is_told() == ["error"]
        with database.write() as session:
            request_retry(session, settings, "p1", author="test", request_id="r")
        assert is_told() == []

    def test_nothing_of_an_id_that_was_asked_for_anew(
        self, desk: Any, database: Database, settings: Settings, move, is_told
    ) -> None:
        desk.make_ready()
        move(State.EXPIRANDO, State.EXPIRADO)
        request = ShareRequest(usuario="otra@dominio", id="p1", ruta="source1:/srv/datos/b", vigencia=3)
        with database.write() as session:
            create_share(session, settings, request, "tester", "r2")
        assert is_told() == []

    def test_an_end_until_it_is_moved_or_there(
        self, desk: Any, database: Database, settings: Settings, is_told
    ) -> None:
        share = desk.make_ready()
        with time_machine.travel(share.expires - timedelta(hours=5), tick=False) as clock:
            with database.write() as session:
                note_expiring(session, settings)
            assert is_told() == ["listo", "por_vencer"]
            clock.shift(timedelta(hours=5))
            assert is_told() == ["listo"]
            clock.shift(timedelta(hours=-5))
            with database.write() as session:
                session.get_one(Share, "p1").expires += timedelta(days=2)
            assert is_told() == ["listo"]
