"""Leases of rows: taken by one, extended and released by their holder only, and over by the database's time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tempoftp.db.clock import database_now, utc_now
from tempoftp.db.engine import Database
from tempoftp.db.leases import extend_leases, lock_held, release_leases, take_row
from tempoftp.db.models import Share

AcceptShare = Callable[..., Share]


class Leases:
    """The leases of two shares, `p1` and `p2`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, share_id: str, holder: str, seconds: float = 30) -> bool:
        with self._database.write() as session:
            now = database_now(session)
            return take_row(session, Share, Share.id == share_id, holder=holder, now=now, seconds=seconds)

    def extend(self, holder: str, seconds: float = 30) -> int:
        with self._database.write() as session:
            now = database_now(session)
            return extend_leases(session, Share, holder=holder, now=now, seconds=seconds)

    def release(self, holder: str) -> None:
        with self._database.write() as session:
            release_leases(session, Share, holder)

    def end(self, share_id: str) -> None:
        """Let the lease of a share be over."""
        with self._database.write() as session:
            session.get_one(Share, share_id).lease_until = utc_now() - timedelta(seconds=1)

    def held(self, holder: str, *, or_over: bool = False) -> set[str]:
        with self._database.write() as session:
            return {share.id for share in lock_held(session, Share, holder, or_over=or_over)}


@pytest.fixture
def leases(database: Database, accept_share: AcceptShare) -> Leases:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")
    return Leases(database)


def test_a_row_is_taken_by_one_holder(leases: Leases) -> None:
    assert leases.take("p1", "run1")
    assert not leases.take("p1", "run2")
    assert leases.held("run1") == {"p1"}
    assert leases.held("run2") == set()


def test_a_row_that_is_not_there_cannot_be_taken(leases: Leases) -> None:
    assert not leases.take("none", "run1")


def test_a_lease_that_is_over_can_be_taken(leases: Leases) -> None:
    assert leases.take("p1", "run1")
    leases.end("p1")
    assert leases.held("run1") == set()
    assert leases.held("run1", or_over=True) == {"p1"}
    assert leases.take("p1", "run2")
    assert leases.held("run1", or_over=True) == set()


def test_only_its_holder_extends_a_lease_and_only_while_it_lasts(leases: Leases) -> None:
    assert leases.take("p1", "run1")
    assert leases.take("p2", "run2")
    leases.end("p2")
    assert leases.extend("run1") == 1
    assert leases.extend("run2") == 0
    assert leases.extend("run3") == 0


def test_only_its_holder_releases_a_lease(leases: Leases) -> None:
    assert leases.take("p1", "run1")
    assert leases.take("p2", "run2")
    leases.release("run1")
    assert leases.take("p1", "run3")
    assert leases.held("run2") == {"p2"}
