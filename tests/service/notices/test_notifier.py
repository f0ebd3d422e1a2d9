"""The notifier: what happened is told over every channel, once, whatever one of them does."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import yaml
from sqlalchemy import select

from tempoftp.access.links import find_linked_share
from tempoftp.access.recipients import RECIPIENT
from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Notice, NoticeDelivery, Share
from tempoftp.notices.deliveries import Channel
from tempoftp.notices.notifier import DECISION_PATH, Notifier, build_senders
from tempoftp.notices.sending import Message, SendFailed
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.extensions import ask_extension, grant_extension, refuse_extension
from tempoftp.shares.lifecycle import transition
from tempoftp.shares.notices import Kind
from tempoftp.states import State

SECRET = "no-es-un-secreto-de-verdad"


class Notes:
    """A channel that notes what it is to send, and fails as long as it is told to."""

    def __init__(self, name: str = "notas", failures: int = 0) -> None:
        self.channel = Channel(name, frozenset(Kind))
        self.failures = failures
        self.messages: list[Message] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def send(self, message: Message) -> None:
        self.messages.append(message)
        self.may_end.wait(20)
        if len(self.messages) <= self.failures:
            raise SendFailed("not yet")


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def notifying(settings: Settings, database: Database, *senders: Notes) -> Iterator[Notifier]:
    notifier = Notifier(settings, database, senders or build_senders(settings))
    notifier.start()
    try:
        yield notifier
    finally:
        for sender in senders:
            sender.may_end.set()
        notifier.stop()


@pytest.fixture
def read_states(database: Database) -> Callable[[], list[tuple[str, str]]]:
    def read() -> list[tuple[str, str]]:
        with database.read() as session:
            query = select(NoticeDelivery.channel, NoticeDelivery.state).order_by(NoticeDelivery.number)
            return [(channel, state) for channel, state in session.execute(query)]

    return read


def test_without_channels_nothing_is_made(
    settings: Settings, database: Database, make_ready, read_states
) -> None:
    make_ready("p1")
    assert build_senders(settings) == []
    with notifying(settings, database) as notifier:
        notifier.look()
    assert read_states() == []


def test_mail_and_webhook_are_told(
    start_mailbox, start_receiver, with_mail, database: Database, make_ready, read_states, tmp_path, caplog
) -> None:
    mailbox, receiver = start_mailbox(), start_receiver()
    file = tmp_path / "webhooks.yml"
    file.write_text(yaml.safe_dump({"webhooks": [{"name": "portal", "url": receiver.url, "secret": SECRET}]}))
    file.chmod(0o600)
    settings = with_mail(mailbox, webhooks_file=file, public_url="https://datos.example.org")
    make_ready("p1", "p2")
    with caplog.at_level(logging.INFO, "tempoftp"), notifying(settings, database) as notifier:
        assert notifier.channels == ("correo", "portal")
        notifier.look()
        wait_for(lambda: [state for _, state in read_states()] == ["sent"] * 4)
        notifier.look()
    assert sorted(mail["Subject"] for mail in mailbox.mails) == ["Listo: p1", "Listo: p2"]
    assert len(receiver.calls) == 2
    text = mailbox.mails[0].get_body(("plain",)).get_content()
    (link,) = [line for line in text.splitlines() if line.startswith("https://datos.example.org/enlace/")]
    with database.read() as session:
        assert find_linked_share(session, settings, link.rpartition("/")[2]).id in ("p1", "p2")
    said = caplog.text + str([vars(record) for record in caplog.records])
    assert link.rpartition("/")[2] not in said
    assert SECRET not in said


def test_the_last_mail_of_a_share_has_no_link(settings: Settings, database: Database, make_ready) -> None:
    make_ready("p1")
    with database.write() as session:
        for state in (State.EXPIRANDO, State.EXPIRADO):
            transition(
                session,
                session.get_one(Share, "p1"),
                state,
                reason=Phrase("verbatim", text="test"),
                author="test",
            )
    public, notes = settings.model_copy(update={"public_url": "https://datos.example.org"}), Notes()
    with notifying(public, database, notes) as notifier:
        notifier.look()
        wait_for(lambda: len(notes.messages) == 2)
    assert [(message.kind, message.link) for message in notes.messages] == [
        ("listo", None),
        ("expirado", None),
    ]


def test_what_is_soon_to_expire_is_told(settings: Settings, database: Database, make_ready) -> None:
    make_ready("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.expires = utc_now().replace(microsecond=0)
        share.ready_at = share.expires - timedelta(days=365)
        share.expires = share.expires + timedelta(days=365)
    notes = Notes()
    with notifying(
        settings.model_copy(update={"notice_before_hours": 24 * 366}), database, notes
    ) as notifier:
        notifier.look()
        notifier.look()
        wait_for(lambda: len(notes.messages) == 2)
    assert [message.kind for message in notes.messages] == ["listo", "por_vencer"]


def test_a_slow_channel_holds_no_other_up(settings: Settings, database: Database, make_ready) -> None:
    slow, quick = Notes("lento"), Notes("rapido")
    slow.may_end.clear()
    make_ready("p1", "p2", "p3")
    with notifying(settings, database, slow, quick) as notifier:
        begin = time.monotonic()
        notifier.look()
        assert time.monotonic() - begin < 20
        wait_for(lambda: len(quick.messages) == 3)
        wait_for(lambda: len(slow.messages) == 1)
        assert len(quick.messages) == 3
        slow.may_end.set()
        wait_for(lambda: len(slow.messages) == 3)


def test_two_workers_send_each_once(settings: Settings, database: Database, make_ready, read_states) -> None:
    names = [f"p{number}" for number in range(12)]
    make_ready(*names)
    first, second = Notes(), Notes()
    with notifying(settings, database, first) as one, notifying(settings, database, second) as two:
        for notifier in (one, two, one, two):
            notifier.look()
        wait_for(lambda: [state for _, state in read_states()] == ["sent"] * 12)
    told = [message.data["id"] for message in first.messages + second.messages]
    assert sorted(told) == sorted(names)


def test_what_fails_is_tried_again_with_its_name(
    settings: Settings, database: Database, make_ready, monkeypatch, caplog
) -> None:
    monkeypatch.setattr("tempoftp.notices.deliveries.RETRY_SECONDS", 0.01)
    make_ready("p1")
    notes = Notes(failures=2)
    with notifying(settings, database, notes) as notifier:

        def look() -> bool:
            notifier.look()
            return len(notes.messages) == 3

        wait_for(look)
    assert len({message.uid for message in notes.messages}) == 1
    waits = [record for record in caplog.records if record.getMessage() == "notice not sent yet"]
    assert len(waits) == 2
    assert (waits[0].share, waits[0].kind, waits[0].channel) == ("p1", "listo", "notas")
    assert waits[0].notice == notes.messages[0].uid


def test_what_is_given_up_is_said(
    settings: Settings, database: Database, make_ready, caplog, read_states
) -> None:
    make_ready("p1")
    notes = Notes(failures=100)
    with notifying(settings.model_copy(update={"notice_retry_hours": 1e-9}), database, notes) as notifier:
        notifier.look()
        wait_for(lambda: read_states() == [("notas", "given_up")])
    (told,) = [record for record in caplog.records if record.getMessage() == "notice given up"]
    assert (told.share, told.channel) == ("p1", "notas")
    assert "not yet" in told.reason


def test_a_notice_that_cannot_be_made_stands_in_nobodys_way(
    start_mailbox, with_mail, database: Database, make_ready, read_states, monkeypatch
) -> None:
    mailbox = start_mailbox()
    make_ready("p1", "p2")
    original = Notifier._build_message

    def build(self: Notifier, notice):  # type: ignore[no-untyped-def]
        if notice.share_id == "p1":
            raise KeyError("a share that nobody thought of")
        return original(self, notice)

    monkeypatch.setattr(Notifier, "_build_message", build)
    with notifying(with_mail(mailbox), database) as notifier:
        notifier.look()
        mailbox.wait_for(1)
        wait_for(lambda: ("correo", "sent") in read_states())
    assert mailbox.mails[0]["Subject"] == "Listo: p2"
    assert ("correo", "pending") in read_states()


def test_a_notice_that_nothing_can_be_said_of_ends_as_any_that_fails(
    start_mailbox, with_mail, database: Database, make_ready, read_states, monkeypatch
) -> None:
    mailbox = start_mailbox()
    make_ready("p1", "p2")

    def look(session, notice) -> bool:  # type: ignore[no-untyped-def]
        if notice.share_id == "p1":
            raise ValueError("an occasion that nobody thought of")
        return True

    monkeypatch.setattr("tempoftp.notices.notifier.is_current", look)
    with notifying(with_mail(mailbox, notice_retry_hours=1e-9), database) as notifier:
        notifier.look()
        wait_for(lambda: sorted(read_states()) == [("correo", "given_up"), ("correo", "sent")])


@pytest.fixture
def ask_days(settings: Settings, database: Database) -> Callable[[int], None]:
    def ask(days: int) -> None:
        with database.write() as session:
            share = session.get_one(Share, "p1")
            ask_extension(session, settings, share, days, "sigo", author=RECIPIENT, request_id="r")

    return ask


def test_operators_are_told_who_wants_more_days(
    start_mailbox, start_receiver, with_mail, database: Database, make_ready, read_states, ask_days, tmp_path
) -> None:
    mailbox, receiver = start_mailbox(), start_receiver()
    file = tmp_path / "webhooks.yml"
    entry = {"name": "portal", "url": receiver.url, "secret": SECRET, "kinds": ["prorroga"]}
    file.write_text(yaml.safe_dump({"webhooks": [entry]}))
    file.chmod(0o600)
    settings = with_mail(
        mailbox,
        webhooks_file=file,
        operator_email="guardia@x.mx",
        public_url="https://datos.example.org/ftp",
    )
    make_ready("p1")
    ask_days(7)
    ask_days(9)  # changes what waits: nobody is told a second time
    with notifying(settings, database) as notifier:
        assert notifier.channels == ("correo", "correo_operador", "portal")
        notifier.look()
        wait_for(lambda: [state for _, state in read_states()] == ["sent"] * 3)
    (mail,) = [mail for mail in mailbox.mails if mail["To"] == "guardia@x.mx"]
    assert mail["Subject"] == "Piden más días: p1"
    text = mail.as_string()
    assert "https://datos.example.org/ftp/portal/prorrogas" in text
    assert "/enlace/" not in text, "the recipient's link is the recipient's"
    ((_path, _headers, body),) = receiver.calls
    told = json.loads(body)
    assert (told["tipo"], told["solicitud"]["id"]) == ("prorroga", "p1")
    assert told["solicitud"]["prorroga"]["dias"] == 7
    assert "/enlace/" not in body.decode()


def test_the_page_that_operators_are_led_to_is_there(settings: Settings) -> None:
    app = create_app(settings)
    assert DECISION_PATH in {rule.rule for rule in app.url_map.iter_rules()}
    app.extensions["tempoftp"].database.close()


@pytest.mark.parametrize("decide", [grant_extension, refuse_extension])
def test_what_was_decided_meanwhile_is_not_mailed(
    start_mailbox,
    with_mail,
    database: Database,
    settings: Settings,
    make_ready,
    read_states,
    ask_days,
    decide,
) -> None:
    mailbox = start_mailbox()
    make_ready("p1")
    ask_days(7)
    with database.write() as session:
        if decide is grant_extension:
            grant_extension(session, settings, "p1", None, author="jefa", request_id="r")
        else:
            refuse_extension(session, "p1", None, author="jefa", request_id="r")
    with notifying(with_mail(mailbox, operator_email="guardia@x.mx"), database) as notifier:
        notifier.look()
        wait_for(lambda: ("correo_operador", "outdated") in read_states())
    ask_days(2)  # after a decision it is another request
    with database.read() as session:
        assert len(session.scalars(select(Notice).where(Notice.kind == Kind.PRORROGA)).all()) == 2


def test_a_mail_does_not_tell_of_what_is_over(
    start_mailbox, start_receiver, with_mail, database: Database, make_ready, read_states, tmp_path
) -> None:
    """A mail server that was away for hours: who reads "ready" of what was deleted meanwhile is misled."""
    mailbox, receiver = start_mailbox(), start_receiver()
    file = tmp_path / "webhooks.yml"
    file.write_text(yaml.safe_dump({"webhooks": [{"name": "portal", "url": receiver.url, "secret": SECRET}]}))
    file.chmod(0o600)
    make_ready("p1", "p2")
    with database.write() as session:
        transition(
            session,
            session.get_one(Share, "p1"),
            State.ELIMINANDO,
            reason=Phrase("verbatim", text="test"),
            author="test",
        )
    with notifying(with_mail(mailbox, webhooks_file=file), database) as notifier:
        notifier.look()
        wait_for(lambda: "pending" not in [state for _, state in read_states()])
    assert sorted(read_states()) == [
        ("correo", "outdated"),
        ("correo", "sent"),
        ("portal", "sent"),
        ("portal", "sent"),
    ]
    assert [mail["Subject"] for mail in mailbox.mails] == ["Listo: p2"]
