"""What the holder of a link sees and does: the password in clear or why not, a new one, more days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import select

from tempoftp.access.recipients import (
    RECIPIENT,
    describe_for_recipient,
    list_others_opened,
    request_new_password,
    reveal_credentials,
)
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import (
    AccountNotOurs,
    ConfirmationNeeded,
    ExtensionNotFound,
    IllegalTransition,
    InvalidRequest,
    LifetimeInPast,
)
from tempoftp.settings import Settings
from tempoftp.shares.extensions import (
    Decision,
    ask_extension,
    count_extensions,
    find_last_extension,
    grant_extension,
    list_extensions,
    refuse_extension,
)
from tempoftp.shares.history import word_reason
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State

USER = "ftp_alguien_dominio"


@pytest.fixture
def reveal(database: Database, settings: Settings) -> Callable[..., dict[str, Any]]:
    def reveal(share_id: str = "p1", by: Settings = settings) -> dict[str, Any]:
        with database.write() as session:
            return reveal_credentials(session, by, session.get_one(Share, share_id))

    return reveal


@pytest.fixture
def change_account(database: Database) -> Callable[..., None]:
    def change(**values: Any) -> None:
        with database.write() as session:
            for name, value in values.items():
                setattr(session.get_one(Account, USER), name, value)

    return change


class TestPassword:
    """The password in clear for whom it was made, words where it cannot be shown, never a hash."""

    def test_it_is_shown_in_clear(self, desk: Any, reveal, settings: Settings, database: Database) -> None:
        desk.make_ready()
        shown = reveal()
        clear = settings.build_fernet().decrypt(desk.account().token.encode()).decode()
        assert (shown["password"], shown["password_estado"]) == (clear, "visible")
        assert shown["password_mensaje"] is None
        assert shown["usuario"] == USER
        with database.read() as session:
            last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
        assert last is not None
        assert (last.author, last.to_state) == (RECIPIENT, State.LISTO)
        assert clear not in word_reason(last.reason)

    def test_not_before_the_share_is_ready(self, desk: Any, reveal) -> None:
        with pytest.raises(IllegalTransition, match="recibido"):
            reveal()

    def test_where_an_earlier_one_works_words_stand_in_its_place(
        self, desk: Any, reveal, accept_share, database: Database, change_account
    ) -> None:
        desk.make_ready()
        change_account(password_hash="$2b$12$abc")
        accept_share("p2")
        with database.write() as session:
            transition(
                session,
                session.get_one(Share, "p2"),
                State.LISTO,
                reason=Phrase("verbatim", text="test"),
                author="test",
            )
        shown = reveal("p2")
        assert shown["password"] is None
        assert shown["password_estado"] == "anterior"
        assert "sigue valiendo" in shown["password_mensaje"]
        assert "$2b$" not in str(shown)
        assert "gAAAA" not in str(shown)

    def test_an_account_that_was_there_is_somebody_elses(self, desk: Any, reveal, change_account) -> None:
        desk.make_ready()
        change_account(origin="adopted", token=None, password_hash="$2b$12$abc")
        shown = reveal()
        assert (shown["password"], shown["password_estado"]) == (None, "ajena")
        assert "$2b$" not in str(shown)

    def test_a_key_that_is_gone_is_told(self, desk: Any, reveal, settings: Settings) -> None:
        desk.make_ready()
        other = SecretStr(Fernet.generate_key().decode())
        shown = reveal(by=settings.model_copy(update={"encryption_key": other}))
        assert (shown["password"], shown["password_estado"]) == (None, "ilegible")
        assert "gAAAA" not in str(shown)

    def test_the_page_itself_has_none(self, desk: Any, database: Database, settings: Settings) -> None:
        desk.make_ready()
        with database.read() as session:
            page = describe_for_recipient(session, settings, session.get_one(Share, "p1"))
        assert page["status"] == "listo"
        assert not [key for key in page if "password" in key]
        assert desk.account().token not in str(page)


class TestNewPassword:
    """A new one only once it was said what else it opens."""

    def ask(self, database: Database, settings: Settings, *, confirmed: bool) -> str | None:
        with database.write() as session:
            share = session.get_one(Share, "p1")
            account = request_new_password(session, settings, share, confirmed=confirmed, request_id="r")
            return account.token

    def test_it_says_first_what_else_it_opens(
        self, desk: Any, accept_share, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        accept_share("p2")
        before = desk.account().token
        with pytest.raises(ConfirmationNeeded, match="p2") as refused:
            self.ask(database, settings, confirmed=False)
        assert refused.value.opens == ["p2"]
        assert desk.account().token == before
        with database.read() as session:
            assert list_others_opened(session, session.get_one(Share, "p1")) == ["p2"]

    def test_confirmed_it_is_made_and_shown(
        self, desk: Any, database: Database, settings: Settings, reveal
    ) -> None:
        desk.make_ready()
        before = reveal()["password"]
        self.ask(database, settings, confirmed=True)
        shown = reveal()
        assert shown["password_estado"] == "visible"
        assert shown["password"] not in (None, before)
        assert "en cuanto el servidor FTP la confirme" in shown["password_mensaje"]

    def test_not_for_an_account_that_was_there(
        self, desk: Any, database: Database, settings: Settings, change_account
    ) -> None:
        desk.make_ready()
        change_account(origin="adopted", token=None)
        with pytest.raises(AccountNotOurs):
            self.ask(database, settings, confirmed=True)


class TestMoreDays:
    """The recipient asks, an operator answers."""

    @pytest.fixture
    def ask(self, database: Database, settings: Settings) -> Callable[..., None]:
        def ask(days: int, reason: str | None = None) -> None:
            with database.write() as session:
                share = session.get_one(Share, "p1")
                ask_extension(session, settings, share, days, reason, author=RECIPIENT, request_id="pide-1")

        return ask

    @pytest.fixture
    def read_list(self, database: Database) -> Callable[..., list[dict[str, Any]]]:
        def read(decision: Decision = Decision.PENDING) -> list[dict[str, Any]]:
            with database.read() as session:
                return list_extensions(session, decision)

        return read

    def grant(self, database: Database, settings: Settings, days: int | None = None) -> None:
        with database.write() as session:
            grant_extension(session, settings, "p1", days, author="jefa", request_id="r")

    def test_it_waits_for_an_operator(self, desk: Any, ask, read_list, database: Database) -> None:
        desk.make_ready()
        ask(7, "sigo bajando")
        (entry,) = read_list()
        assert (entry["id"], entry["dias"], entry["motivo"]) == ("p1", 7, "sigo bajando")
        assert (entry["estado"], entry["vigencia"]) == ("pendiente", 3)
        assert desk.share().lifetime_days == 3
        with database.read() as session:
            last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
        assert last is not None
        assert (last.author, last.request_id) == (RECIPIENT, "pide-1")

    def test_granted_the_share_is_wanted_longer(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(7)
        self.grant(database, settings)
        share = desk.share()
        assert (share.lifetime_days, share.lifetime_confirmed) == (10, 3)
        assert share.due_at is not None
        assert read_list() == []
        (entry,) = read_list(Decision.GRANTED)
        assert entry["decidida"] is not None
        with pytest.raises(ExtensionNotFound):
            self.grant(database, settings)
        assert desk.share().lifetime_days == 10

    def test_an_operator_may_give_other_days(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(30)
        self.grant(database, settings, 2)
        assert desk.share().lifetime_days == 5
        assert read_list(Decision.GRANTED)[0]["dias"] == 2

    def test_refused_it_is_told_why(self, desk: Any, ask, database: Database) -> None:
        desk.make_ready()
        ask(7)
        with database.write() as session:
            refuse_extension(session, "p1", "no hay espacio", author="jefa", request_id="r")
        with database.read() as session:
            last = find_last_extension(session, session.get_one(Share, "p1"))
        assert last is not None
        assert (last.state, last.answer, last.decided_by) == ("rechazada", "no hay espacio", "jefa")
        assert desk.share().lifetime_days == 3

    def test_asking_again_changes_what_waits(self, desk: Any, ask, read_list) -> None:
        desk.make_ready()
        ask(7)
        ask(2)
        assert [entry["dias"] for entry in read_list()] == [2]

    def test_as_many_days_as_a_share_may_have_are_granted(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(87)
        self.grant(database, settings)
        assert desk.share().lifetime_days == settings.lifetime_max == 90
        with pytest.raises(InvalidRequest, match="90"):
            ask(1)

    def test_a_request_of_an_earlier_share_of_the_id_waits_no_more(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(7)
        with database.write() as session:
            session.get_one(Share, "p1").asked_generation += 1
        assert read_list() == []
        with database.read() as session:
            assert find_last_extension(session, session.get_one(Share, "p1")) is None
            assert count_extensions(session) == 0
        with pytest.raises(ExtensionNotFound):
            self.grant(database, settings)
        assert desk.share().lifetime_days == 3

    def test_the_last_request_is_the_one_that_is_shown(
        self, desk: Any, ask, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(7)
        self.grant(database, settings)
        ask(2, "otra vez")
        with database.read() as session:
            last = find_last_extension(session, session.get_one(Share, "p1"))
            assert count_extensions(session) == 1
        assert last is not None
        assert (last.days, last.reason, last.decided_at) == (2, "otra vez", None)

    @pytest.mark.parametrize("days", [0, -1, 88, 10**9])
    def test_out_of_bounds_is_refused(self, desk: Any, ask, read_list, days: int) -> None:
        desk.make_ready()
        with pytest.raises(InvalidRequest):
            ask(days)
        assert read_list() == []

    def test_what_is_over_gets_none_and_leaves_the_list(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(7)
        with database.write() as session:
            transition(
                session,
                session.get_one(Share, "p1"),
                State.EXPIRANDO,
                reason=Phrase("verbatim", text="t"),
                author="t",
            )
        assert read_list() == []
        with pytest.raises(IllegalTransition):
            self.grant(database, settings)
        with pytest.raises(IllegalTransition):
            ask(7)

    def test_days_that_are_over_already_are_refused_and_it_waits_on(
        self, desk: Any, ask, read_list, database: Database, settings: Settings
    ) -> None:
        desk.make_ready()
        ask(1)
        with database.write() as session:
            share = session.get_one(Share, "p1")
            share.ready_at = utc_now() - timedelta(days=365)
        with pytest.raises(LifetimeInPast):
            self.grant(database, settings)
        assert len(read_list()) == 1
