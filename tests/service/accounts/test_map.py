"""Whose accounts are that were there before: an operator's word, and what it may not be."""

from __future__ import annotations

import pytest

from tempoftp.accounts.accounts import take_account
from tempoftp.accounts.map import find_only_host, list_accounts, map_account, unmap_account
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HostAudit
from tempoftp.refusals import AccountTaken, InvalidRequest
from tempoftp.worker.request import build_request, build_user_item


def take(session, email: str) -> Account:
    account = take_account(session, email, lambda: "ftp1")
    session.flush()
    return account


def test_a_mapped_account_is_the_e_mails_and_may_be_adopted(database: Database) -> None:
    with database.write() as session:
        map_account(session, "Juan@Dominio", "Juan.Perez", "ftp1")
    with database.write() as session:
        account = take(session, "juan@dominio")
        assert (account.name, account.ftp_host, account.adopt) == ("Juan.Perez", "ftp1", True)
        assert build_user_item(account, wanted=True).adopt is True


def test_the_shares_of_a_mapped_account_may_use_its_home_and_no_others(
    database: Database, accept_share
) -> None:
    with database.write() as session:
        account = map_account(session, "alguien@dominio", "juan", "ftp1")
    shares = [accept_share("p1", usuario="alguien@dominio"), accept_share("p2", usuario="otra@dominio")]
    with database.write() as session:
        other = take(session, "otra@dominio")
    request = build_request("r1", "ftp1", 3, shares, [(account, True), (other, True)])
    assert [(share.ftpuser, share.adopt) for share in request.shares] == [("juan", True), (other.name, False)]
    assert [(user.name, user.adopt) for user in request.users] == [("juan", True), (other.name, False)]


def test_an_account_that_nobody_mapped_may_not(database: Database) -> None:
    with database.write() as session:
        assert build_user_item(take(session, "juan@dominio"), wanted=True).adopt is False


def test_mapping_the_name_that_was_chosen_allows_to_adopt_it(database: Database) -> None:
    with database.write() as session:
        name = take(session, "juan@dominio").name
        assert map_account(session, "juan@dominio", name, "ftp1").adopt is True
        assert map_account(session, "juan@dominio", name, "ftp1").adopt is True
        assert len(list_accounts(session)) == 1


@pytest.mark.parametrize(
    ("email", "name", "host", "word"),
    [
        ("otra@dominio", "juan", "ftp1", "account_of_another.*'juan@dominio'"),
        ("juan@dominio", "otra", "ftp1", "email_has_account.*'juan'"),
        ("juan@dominio", "juan", "ftp2", "account_on_other_host.*'ftp1'"),
    ],
)
def test_what_is_taken_is_refused_and_stays(
    database: Database, email: str, name: str, host: str, word: str
) -> None:
    with database.write() as session:
        map_account(session, "juan@dominio", "juan", "ftp1")
    with pytest.raises(AccountTaken, match=word), database.write() as session:
        map_account(session, email, name, host)
    with database.read() as session:
        (account,) = list_accounts(session)
    assert (account.email, account.name, account.ftp_host) == ("juan@dominio", "juan", "ftp1")


@pytest.mark.parametrize(
    ("email", "name"),
    [("juan", "juan"), ("juan@dominio", "../x"), ("juan@dominio", "' OR 1=1"), ("juan@dominio", "")],
)
def test_what_can_be_no_e_mail_or_account_is_refused(database: Database, email: str, name: str) -> None:
    with pytest.raises(InvalidRequest), database.write() as session:
        map_account(session, email, name, "ftp1")


def test_a_name_that_was_mapped_is_never_chosen_for_another_e_mail(database: Database) -> None:
    with database.write() as session:
        map_account(session, "juan@otro", "ftp_juan_dominio", "ftp1")
        assert take(session, "juan@dominio").name not in ("ftp_juan_dominio", "")


def test_a_mapping_that_no_share_used_can_be_taken_back(database: Database) -> None:
    with database.write() as session:
        map_account(session, "juan@dominio", "juna", "ftp1")
        unmap_account(session, "juan@dominio")
        session.flush()
        assert map_account(session, "juan@dominio", "juan", "ftp1").name == "juan"
    with pytest.raises(InvalidRequest), database.write() as session:
        unmap_account(session, "otra@dominio")


def test_an_account_that_shares_used_is_never_given_away(
    database: Database, accept_share, ftp_host: str
) -> None:
    with database.write() as session:
        map_account(session, "alguien@dominio", "juan", ftp_host)
    accept_share("p1", usuario="alguien@dominio")
    with pytest.raises(AccountTaken), database.write() as session:
        unmap_account(session, "alguien@dominio")


@pytest.mark.parametrize(
    ("lists", "host"),
    [
        ({"ftp1": ["ana"], "ftp2": ["eva"]}, "ftp1"),
        ({"ftp1": None, "ftp2": ["eva", "ana"]}, "ftp2"),
        ({"ftp1": ["ana"], "ftp2": ["ana"]}, None),
        ({"ftp1": [], "ftp2": []}, None),
        ({"viejo": ["ana"]}, None),
    ],
    ids=["first", "second", "both", "none", "gone"],
)
def test_the_host_of_an_account_that_one_host_has_alone_is_known(
    database: Database, lists: dict[str, list[str] | None], host: str | None
) -> None:
    with database.write() as session:
        for name, accounts in lists.items():
            session.add(HostAudit(ftp_host=name, unknown_accounts=accounts))
    with database.read() as session:
        assert find_only_host(session, "ana", ("ftp1", "ftp2")) == host


def test_the_host_of_a_mapped_account_is_known(database: Database) -> None:
    with database.write() as session:
        map_account(session, "ana@dominio", "ana", "ftp2")
    with database.read() as session:
        assert find_only_host(session, "ana", ("ftp1", "ftp2")) == "ftp2"
        assert find_only_host(session, "eva", ("ftp1",)) == "ftp1"
