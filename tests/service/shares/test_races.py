"""Two who change the same at once, on a database that lets both look first (MariaDB): one after the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tempoftp.access.identities import Identity, admit_identity
from tempoftp.access.tokens import Principal, Role
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database, open_database
from tempoftp.db.models import Account, Preview, Share, Token
from tempoftp.errors import ShareError
from tempoftp.notices.deliveries import Channel, ClaimedDelivery, claim_delivery, fan_out, mark_sent
from tempoftp.previews.previews import ask_preview, claim_previews, fail_previews, release_previews
from tempoftp.refusals import IllegalTransition, QuotaReached
from tempoftp.settings import Settings
from tempoftp.shares.changes import request_account_deletion, request_deletion, request_lifetime
from tempoftp.shares.claims import claim_shares, lock_accounts, lock_claimed, release_claim
from tempoftp.shares.create import create_share
from tempoftp.shares.expiry import sweep_expired
from tempoftp.shares.notices import Kind, build_notice
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State
from tests.support.hosts import hear_of
from tests.support.mariadb_server import Server
from tests.support.on_mariadb import NEEDS, database, race, settings
from tests.support.race import Race

__all__ = ["database", "race", "settings"]

pytestmark = NEEDS
AUTHOR = {"author": "tester", "request_id": "r1"}


@pytest.fixture
def ripe(database: Database, accept_share: Callable[..., Share]) -> str:
    """The id of a share that is ready and over its time."""
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.due_at, share.lifetime_confirmed = State.LISTO, None, share.lifetime_days
        share.ready_at, share.expires = utc_now() - timedelta(days=3), utc_now() - timedelta(seconds=1)
        hear_of(session, share.ftp_host)
    return "p1"


def test_an_extension_that_comes_during_a_sweep_is_refused(
    settings: Settings, race: Race, ripe: str, read_share: Callable[[str], Share]
) -> None:
    race.run(
        lambda session: sweep_expired(session, settings),
        lambda session: request_lifetime(session, settings, ripe, 9, **AUTHOR),
    )
    assert isinstance(race.refusal, IllegalTransition)
    assert read_share(ripe).state == State.EXPIRANDO
    assert read_share(ripe).lifetime_days == 3


def test_a_sweep_that_comes_during_an_extension_leaves_it_alone(
    settings: Settings, race: Race, ripe: str, read_share: Callable[[str], Share]
) -> None:
    race.run(
        lambda session: request_lifetime(session, settings, ripe, 9, **AUTHOR),
        lambda session: sweep_expired(session, settings),
    )
    assert race.refusal is None
    assert read_share(ripe).state == State.LISTO
    assert read_share(ripe).lifetime_days == 9


def test_an_extension_that_comes_during_a_deletion_is_refused(
    settings: Settings, race: Race, ripe: str, read_share: Callable[[str], Share]
) -> None:
    race.run(
        lambda session: request_deletion(session, ripe, **AUTHOR),
        lambda session: request_lifetime(session, settings, ripe, 9, **AUTHOR),
    )
    assert isinstance(race.refusal, IllegalTransition)
    assert read_share(ripe).state == State.ELIMINANDO


def test_the_deletion_of_an_account_that_comes_during_a_sweep_ends_what_the_sweep_left(
    settings: Settings, database: Database, race: Race, ripe: str, read_share: Callable[[str], Share]
) -> None:
    with database.read() as session:
        account = session.get_one(Share, ripe).ftpuser
        assert session.get(Account, account) is not None
    race.run(
        lambda session: sweep_expired(session, settings),
        lambda session: request_account_deletion(session, account, **AUTHOR),
    )
    assert race.refusal is None
    assert read_share(ripe).state == State.ELIMINANDO


def test_the_same_terminal_id_asked_for_twice_at_once_is_one_new_generation(
    database: Database, ripe: str, accept_share: Callable[..., Share], read_share: Callable[[str], Share]
) -> None:
    with database.write() as session:
        share = session.get_one(Share, ripe)
        share.state, share.generation = State.EXPIRADO, 1
    callers = [threading.Thread(target=accept_share, args=(ripe,)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert read_share(ripe).state == State.RECIBIDO
    assert read_share(ripe).generation == 2


def test_a_lock_that_is_not_given_back_is_not_waited_for_for_ever(
    settings: Settings, database: Database, ripe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempoftp.db.engine.BUSY_SECONDS", 1)
    hurried = open_database(settings)
    try:
        with database.write() as session:
            request_deletion(session, ripe, **AUTHOR)
            session.flush()
            with pytest.raises(OperationalError, match="Lock wait timeout"), hurried.write() as other:
                request_deletion(other, ripe, **AUTHOR)
    finally:
        hurried.close()


def test_a_server_that_hangs_is_given_up(settings: Settings, mariadb: Server, ripe: str) -> None:
    impatient = open_database(settings, answer_seconds=1)
    mariadb.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(OperationalError, match="timed out"), impatient.read() as session:
            session.get(Share, ripe)
    finally:
        mariadb.process.send_signal(signal.SIGCONT)
        impatient.close()


@pytest.mark.parametrize(
    "changes",
    [{"due_at": None}, {"due_at": utc_now() + timedelta(hours=1)}, {"state": State.ERROR}],
    ids=["no_longer_due", "due_later", "settled"],
)
def test_a_share_that_a_run_has_finished_meanwhile_is_not_claimed(
    race: Race,
    accept_share: Callable[..., Share],
    read_share: Callable[[str], Share],
    changes: dict[str, Any],
) -> None:
    """The second run has read the share as due and waits for its account; then the first is done with the share."""
    host = accept_share("p1").ftp_host
    claimed: list[str] = []

    def work(session: Session) -> None:
        (share,) = claim_shares(session, host, "run1", 50, 30)
        for name, value in changes.items():
            setattr(share, name, value)
        session.flush()
        release_claim(session, "run1")

    race.run(
        work,
        lambda session: claimed.extend(share.id for share in claim_shares(session, host, "run2", 50, 30)),
    )
    assert race.refusal is None
    assert claimed == []
    assert read_share("p1").lease_run_id is None


def test_a_deletion_waits_until_a_run_has_written_its_outcome(
    race: Race, accept_share: Callable[..., Share], database: Database, read_share: Callable[[str], Share]
) -> None:
    share = accept_share("p1")
    with database.write() as session:
        claim_shares(session, share.ftp_host, "run1", 50, 30)
    race.run(
        lambda session: lock_claimed(session, "run1", {"p1": 1}),
        lambda session: request_deletion(session, "p1", **AUTHOR),
    )
    assert race.refusal is None
    assert read_share("p1").state == State.ELIMINANDO


def test_an_account_that_a_run_reports_on_is_not_changed_at_once(
    race: Race, accept_share: Callable[..., Share], database: Database
) -> None:
    share = accept_share("p1")
    with database.write() as session:
        claim_shares(session, share.ftp_host, "run1", 50, 30)
    race.run(
        lambda session: lock_accounts(session, "run1"),
        lambda session: release_claim(session, "run1"),
    )
    assert race.refusal is None


def test_two_first_sign_ins_of_a_person_are_one_row(database: Database, race: Race) -> None:
    person = Identity("https://login.example.org", "u-1", Role.CLIENTE, "ana@dominio.example")

    def admit(session: Session) -> Token:
        return admit_identity(session, person, timedelta(hours=8))

    race.run(admit, admit)
    assert race.refusal is None
    with database.read() as session:
        assert session.query(Token).count() == 1


def test_a_delivery_that_another_worker_has_sent_meanwhile_is_not_sent_again(
    race: Race, accept_share: Callable[..., Share], database: Database
) -> None:
    """The second worker has read the delivery as due; then the first one has sent it."""
    share = accept_share("p1")
    with database.write() as session:
        session.add(build_notice(session, share, Kind.LISTO, "1"))
    with database.write() as session:
        fan_out(session, [Channel("correo", frozenset(Kind))], retry_hours=1)
    claimed: list[ClaimedDelivery | None] = []

    def send(session: Session) -> None:
        mine = claim_delivery(session, "correo", "a", lease_seconds=30)
        assert mine is not None
        assert mark_sent(session, mine)

    race.run(send, lambda session: claimed.append(claim_delivery(session, "correo", "b", lease_seconds=30)))
    assert race.refusal is None
    assert claimed == [None]


def test_a_preview_that_another_worker_has_answered_meanwhile_is_not_measured_again(
    race: Race, settings: Settings, database: Database
) -> None:
    """The second worker has read the preview as waiting; then the first one has answered it."""
    asker = Principal("tester", Role.CLIENTE, None)
    with database.write() as session:
        preview = ask_preview(session, settings, "source1:/srv/datos/a", asker, "r1")
    host, error = preview.ftp_host, ShareError.of("run_failed", "it failed")
    claimed: list[Preview] = []

    def answer(session: Session) -> None:
        assert len(claim_previews(session, settings, host, "run1")) == 1
        fail_previews(session, host, [preview.source_key], error)
        release_previews(session, "run1")

    race.run(answer, lambda session: claimed.extend(claim_previews(session, settings, host, "run2")))
    assert race.refusal is None
    assert claimed == []


@pytest.mark.parametrize(
    ("quota", "same", "code"),
    [
        ("quota_person_shares", {"usuario": "ana@dominio"}, "quota_person_shares"),
        ("quota_token_open", {"author": "aplicacion"}, "quota_token_open"),
    ],
)
def test_two_requests_at_the_limit_at_once_are_counted_one_after_the_other(
    settings: Settings, race: Race, quota: str, same: dict[str, str], code: str
) -> None:
    limited = settings.model_copy(update={quota: 1})

    def ask(name: str) -> Callable[[Session], object]:
        usuario = same.get("usuario", f"{name}@dominio")
        request = ShareRequest(usuario=usuario, id=name, ruta="source1:/srv/datos/a", vigencia=3)
        author = same.get("author", f"token-{name}")
        return lambda session: create_share(session, limited, request, author, "r")

    race.run(ask("s1"), ask("s2"))
    assert isinstance(race.refusal, QuotaReached)
    assert race.refusal.code == code
