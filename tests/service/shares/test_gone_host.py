"""The FTP host of a person's account left the configuration: another one when nothing lives there, else a refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from tempoftp.accounts.map import map_account
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Share
from tempoftp.refusals import HostGone
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_retry
from tempoftp.shares.create import create_share
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import TERMINAL, State
from tempoftp.worker.request import build_user_item

MAIL = "ana@dominio.example"


@pytest.fixture
def before(settings: Settings) -> Settings:
    return settings.model_copy(update={"ftp_hosts": ("viejo",)})


@pytest.fixture
def after(settings: Settings) -> Settings:
    return settings.model_copy(update={"ftp_hosts": ("nuevo",)})


@pytest.fixture
def ask(database: Database) -> Callable[..., Share]:
    def ask(settings: Settings, share_id: str) -> Share:
        request = ShareRequest(usuario=MAIL, id=share_id, ruta="source1:/srv/datos/a")
        return database.transact(
            lambda session: create_share(session, settings, request, "tester", "r1")
        ).share

    return ask


def settle(database: Database, state: State) -> None:
    """Bring all shares to a state, with the account as their FTP host had it."""
    with database.write() as session:
        for share in session.scalars(select(Share)):
            share.state = state
        account = session.scalars(select(Account)).one()
        account.exists_since, account.origin, account.status = utc_now(), "created", "present"
        account.password_confirmed = account.password_generation


def read_account(database: Database) -> Account:
    with database.read() as session:
        return session.scalars(select(Account)).one()


@pytest.mark.parametrize("ended", sorted(TERMINAL))
def test_who_has_nothing_there_gets_a_new_account_elsewhere(
    database: Database, before: Settings, after: Settings, ask: Callable[..., Share], ended: State
) -> None:
    ask(before, "p1")
    settle(database, ended)
    old = read_account(database)
    share = ask(after, "p2")
    account = read_account(database)
    assert (share.ftp_host, account.ftp_host, account.name) == ("nuevo", "nuevo", old.name)
    assert (account.exists_since, account.origin, account.status) == (None, None, None)
    assert account.token not in (None, old.token), "the password of the other host is not taken along"
    assert account.password_hash is None
    assert build_user_item(account, wanted=True).password_generation == old.password_generation + 1


def test_the_same_id_again_is_delivered_elsewhere_too(
    database: Database, before: Settings, after: Settings, ask: Callable[..., Share]
) -> None:
    ask(before, "p1")
    settle(database, State.EXPIRADO)
    share = ask(after, "p1")
    assert (share.ftp_host, share.generation) == ("nuevo", 2)


@pytest.mark.parametrize("living", sorted(set(State) - TERMINAL))
def test_who_has_something_there_is_told_what_to_do(
    database: Database, before: Settings, after: Settings, ask: Callable[..., Share], living: State
) -> None:
    ask(before, "p1")
    settle(database, living)
    with pytest.raises(HostGone, match="p1") as refused:
        ask(after, "p2")
    assert refused.value.params == {"name": "ftp_ana_dominio", "ftp_host": "viejo", "shares": "p1"}
    assert read_account(database).ftp_host == "viejo"
    assert ask(after, "p1").state == living, "the same body again is answered as ever"


def test_a_block_stays_and_a_mapping_does_not(
    database: Database, before: Settings, after: Settings, ask: Callable[..., Share]
) -> None:
    """On the other host the name may belong to somebody else, whom no operator has named."""
    with database.write() as session:
        map_account(session, MAIL, "ana", "viejo").blocked = True
    assert ask(after, "p1").ftp_host == "nuevo"
    account = read_account(database)
    assert (account.name, account.adopt, account.blocked) == ("ana", False, True)


def test_a_host_that_stays_keeps_its_people(
    database: Database, before: Settings, ask: Callable[..., Share]
) -> None:
    ask(before, "p1")
    settle(database, State.EXPIRADO)
    both = before.model_copy(update={"ftp_hosts": ("nuevo", "viejo")})
    assert ask(both, "p2").ftp_host == "viejo"


def test_a_failed_share_of_a_gone_host_is_not_tried_again_there(
    database: Database, before: Settings, after: Settings, ask: Callable[..., Share]
) -> None:
    ask(before, "p1")
    settle(database, State.ERROR)
    with pytest.raises(HostGone), database.write() as session:
        request_retry(session, after, "p1", author="tester", request_id="r2")
    with database.write() as session:
        assert request_retry(session, before, "p1", author="tester", request_id="r2").state == State.RECIBIDO
