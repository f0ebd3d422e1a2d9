"""Undelete: an ended share comes back while its FTP host keeps the data, as a new generation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.models import Account, Share
from tempoftp.refusals import HostGone, IllegalTransition, ShareNotFound
from tempoftp.shares.restore import request_restore
from tempoftp.shares.serializers import describe_share
from tempoftp.states import TERMINAL, State
from tempoftp.worker.request import build_share_item

NOBODY: frozenset[str] = frozenset()


def end(desk: Any, state: State = State.ELIMINADO, until: datetime | None = None) -> None:
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.restorable_until, share.due_at = state, until, None
        share.ready_at = share.expires = utc_now()


def restore(desk: Any, **changes: Any) -> None:
    with desk.database.write() as session:
        request_restore(session, desk.settings, "p1", **({"author": "ana", "request_id": "r-back"} | changes))


def read_item(desk: Any) -> Any:
    with desk.database.read() as session:
        share = session.get_one(Share, "p1")
        return build_share_item(share, session.get_one(Account, share.ftpuser))


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_ended_share_is_wanted_again_from_the_trash(desk: Any, state: State) -> None:
    end(desk, state, utc_now() + timedelta(hours=1))
    restore(desk)
    share = desk.share()
    assert (share.state, share.generation, share.ready_at, share.expires) == (State.RECIBIDO, 2, None, None)
    assert share.due_at is not None
    assert desk.read_history()[-1].author == "ana"
    item = read_item(desk)
    assert (item.restore, item.state, item.generation, item.require_existing) == (True, "present", 2, False)


@pytest.mark.parametrize("until", [None, timedelta(seconds=-1), timedelta(days=-400)])
def test_what_the_host_has_removed_cannot_be_restored(desk: Any, until: timedelta | None) -> None:
    end(desk, until=None if until is None else utc_now() + until)
    with pytest.raises(IllegalTransition):
        restore(desk)
    assert desk.share().state == State.ELIMINADO


@pytest.mark.parametrize("state", sorted(set(State) - TERMINAL))
def test_what_has_not_ended_is_not_restored(desk: Any, state: State) -> None:
    end(desk, state, utc_now() + timedelta(hours=1))
    with pytest.raises(IllegalTransition):
        restore(desk)


def test_another_persons_share_is_not_found(desk: Any) -> None:
    end(desk, until=utc_now() + timedelta(hours=1))
    with pytest.raises(ShareNotFound):
        restore(desk, emails=NOBODY)


def test_a_share_of_a_host_that_is_gone_is_refused(desk: Any) -> None:
    end(desk, until=utc_now() + timedelta(hours=1))
    with desk.database.write() as session:
        session.get_one(Share, "p1").ftp_host = "gone"
    with pytest.raises(HostGone):
        restore(desk)


def test_a_new_request_wants_the_present_data_of_its_source(desk: Any) -> None:
    assert read_item(desk).restore is False


def test_the_host_says_until_when(desk: Any) -> None:
    until = (utc_now() + timedelta(hours=5)).replace(microsecond=0)
    with desk.database.write() as session:
        session.get_one(Share, "p1").state = State.ELIMINANDO
    user = {"state": "absent"}
    share = desk.step({"state": "absent", "restorable_until": until.isoformat()}, user=user)
    assert (share.state, share.restorable_until) == (State.ELIMINADO, until)


def describe(desk: Any) -> str | None:
    with desk.database.read() as session:
        until: str | None = describe_share(session, desk.settings, session.get_one(Share, "p1"))[
            "restaurable_hasta"
        ]
        return until


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_the_answer_says_until_when(desk: Any, state: State) -> None:
    until = (utc_now() + timedelta(hours=5)).replace(microsecond=0)
    end(desk, state, until)
    assert describe(desk) == write_time(until)


def test_the_answer_says_nothing_where_a_restore_would_be_refused(desk: Any) -> None:
    later = utc_now() + timedelta(hours=5)
    for state in sorted(set(State) - TERMINAL):
        end(desk, state, later)
        assert describe(desk) is None
    for until in (None, utc_now() - timedelta(seconds=1)):
        end(desk, until=until)
        assert describe(desk) is None
    end(desk, until=later)
    with desk.database.write() as session:
        session.get_one(Share, "p1").ftp_host = "gone"
    assert describe(desk) is None
