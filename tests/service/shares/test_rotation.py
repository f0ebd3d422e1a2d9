"""A new password: a number of its own tells late runs apart, and no crash loses one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import AccountNotOurs, IllegalTransition
from tempoftp.shares.credentials import list_opened, request_rotation
from tempoftp.shares.desired_state import list_pending
from tempoftp.shares.serializers import show_password
from tempoftp.states import State
from tempoftp.worker.request import build_user_item


def rotate(desk: Any) -> None:
    with desk.database.write() as session:
        request_rotation(session, desk.settings, "p1", author="ana", request_id="r-new")


def pending(desk: Any) -> list[str]:
    with desk.database.read() as session:
        share = session.get_one(Share, "p1")
        return [str(word) for word in list_pending(share, session.get_one(Account, share.ftpuser))]


def report(desk: Any, claim: Any = None, **user: Any) -> Any:
    times = desk.write_times(generation=desk.share().generation)
    values = {"name": desk.account().name, "state": "present", "origin": "created", "shares": [times]} | user
    return desk.report(claim or desk.claim(), {"state": "delivered"}, users=[values])


def read_password(desk: Any) -> str:
    token = desk.account().token
    return desk.settings.build_fernet().decrypt(token.encode()).decode()


def test_it_is_another_one_and_confirmed_by_an_outcome(desk: Any) -> None:
    desk.make_ready()
    before = read_password(desk)
    rotate(desk)
    account = desk.account()
    assert read_password(desk) != before
    assert (account.password_hash, account.password_generation, account.password_confirmed) == (None, 2, 1)
    assert (desk.share().generation, pending(desk)) == (1, ["password"])
    item = build_user_item(account, wanted=True)
    assert (item.update_password, item.password_generation) == ("always", 2)
    report(desk, password_matches=True)
    assert (desk.account().password_confirmed, desk.share().due_at, pending(desk)) == (2, None, [])
    assert build_user_item(desk.account(), wanted=True).update_password is None
    assert desk.read_history()[-1].reason == Phrase("new_password_requested")


def test_a_run_with_the_old_one_says_nothing_of_the_new_one(desk: Any) -> None:
    desk.make_ready()
    with desk.database.write() as session:
        session.get_one(Share, "p1").due_at = utc_now()
    claim = desk.claim()
    rotate(desk)
    report(desk, claim, password_matches=True)
    account = desk.account()
    assert (account.password_confirmed, account.token is not None) == (1, True)
    assert pending(desk) == ["password"]
    assert desk.share().due_at is not None


def test_a_late_run_that_the_host_refused_ends_nothing(desk: Any, accept_share: Callable[..., Share]) -> None:
    """The share that it carried is on its way still; it must not be an error because a password is newer."""
    claim = desk.claim()
    rotate(desk)
    report(desk, claim, state="present", error={"class": "stale", "message": "older password"})
    assert (desk.share().state, desk.share().error_class) == (State.TRASLADO, None)


@pytest.mark.parametrize("error_class", ["database_unavailable", "stale", "invalid"])
def test_it_is_never_given_up(desk: Any, error_class: str) -> None:
    desk.make_ready()
    rotate(desk)
    with desk.database.write() as session:
        session.get_one(Share, "p1").retry_until = utc_now()
    report(desk, error={"class": error_class, "message": "m"})
    assert (desk.share().state, desk.share().error_class, pending(desk)) == (
        State.LISTO,
        error_class,
        ["password"],
    )
    assert desk.share().due_at is not None


def test_before_the_account_is_there_it_is_simply_the_password(desk: Any) -> None:
    rotate(desk)
    assert pending(desk) == []
    # An account that a lost outcome left there has the first one: it is told in any case.
    assert build_user_item(desk.account(), wanted=True).update_password == "always"
    report(desk, password_matches=True, created=True)
    assert (desk.share().state, desk.account().password_confirmed) == (State.LISTO, 2)


def test_every_share_from_before_it_is_told_the_token(desk: Any, accept_share: Callable[..., Share]) -> None:
    desk.make_ready()
    accept_share("p2", ruta="source1:/srv/datos/b")
    with desk.database.read() as session:
        assert show_password(desk.account(), session.get_one(Share, "p2"), reuse_password=False)[1] == "hash"
    rotate(desk)
    accept_share("p3", ruta="source1:/srv/datos/c")
    with desk.database.read() as session:
        kinds = {
            name: show_password(desk.account(), session.get_one(Share, name), reuse_password=False)[1]
            for name in ("p1", "p2", "p3")
        }
        assert list_opened(session, desk.account()) == ["p1", "p2", "p3"]
    assert kinds == {"p1": "fernet", "p2": "fernet", "p3": "hash"}


def test_of_an_account_that_was_there_before_it_is_refused(desk: Any) -> None:
    desk.make_ready()
    with desk.database.write() as session:
        session.get_one(Account, desk.account().name).origin = "adopted"
    with pytest.raises(AccountNotOurs):
        rotate(desk)
    assert desk.account().password_generation == 1


def test_of_an_account_that_an_operator_mapped_it_is_refused_before_any_run_has_seen_it(desk: Any) -> None:
    with desk.database.write() as session:
        account = session.get_one(Account, desk.account().name)
        assert (account.origin, account.exists_since) == (None, None)
        account.adopt = True
    with pytest.raises(AccountNotOurs):
        rotate(desk)
    assert desk.account().password_generation == 1


@pytest.mark.parametrize("state", [State.ERROR, State.EXPIRANDO, State.EXPIRADO, State.ELIMINANDO])
def test_there_must_be_something_to_open(desk: Any, state: State) -> None:
    with desk.database.write() as session:
        session.get_one(Share, "p1").state = state
    with pytest.raises(IllegalTransition):
        rotate(desk)
