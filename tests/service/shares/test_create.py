"""A request becomes a row and a history row, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, HistoryEntry, Share
from tempoftp.phrases import Phrase
from tempoftp.refusals import IdInUse, InvalidRequest, SourceNotAllowed
from tempoftp.settings import Settings, load_settings
from tempoftp.shares.changes import request_lifetime
from tempoftp.shares.create import choose_ftp_host, create_share
from tempoftp.shares.lifecycle import transition
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State

AcceptShare = Callable[..., Share]


def build(**changes: object) -> ShareRequest:
    body = {"usuario": "alguien@dominio", "id": "p1", "ruta": "source1:/srv/datos/a", "vigencia": 3}
    return ShareRequest.model_validate(body | changes)


def count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_writes_what_is_wanted(settings: Settings, database: Database) -> None:
    with database.write() as session:
        accepted = create_share(session, settings, build(), "tester", "req1")
    assert accepted.created
    with database.read() as session:
        share = session.get_one(Share, "p1")
        account = session.get_one(Account, "ftp_alguien_dominio")
        history = session.scalars(select(HistoryEntry)).one()
    assert (share.state, share.generation) == (State.RECIBIDO, 1)
    assert share.source == "lanotadm@source1:/srv/datos/a"
    assert (share.source_root, share.ssh_key_file) == ("/srv/datos", "/etc/tempoftp/ssh/source1-datos")
    assert (share.lifetime_days, share.email, share.ftpuser) == (3, "alguien@dominio", account.name)
    assert share.due_at is not None
    assert account.token is not None
    assert (history.from_state, history.to_state, history.author, history.request_id) == (
        None,
        State.RECIBIDO,
        "tester",
        "req1",
    )


def test_lifetime_has_a_default(settings: Settings, database: Database) -> None:
    with database.write() as session:
        share = create_share(session, settings, build(vigencia=None), "tester", "r").share
        assert share.lifetime_days == settings.lifetime_default


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"usuario": "Alguien@Dominio"},
        {"ruta": "lanotadm@source1:/srv/datos/a/"},
        {"ruta": "datos.example.org:/srv/datos//a"},
    ],
)
def test_same_body_again_changes_nothing(
    settings: Settings, database: Database, accept_share: AcceptShare, again: dict[str, object]
) -> None:
    accept_share("p1")
    with database.write() as session:
        transition(
            session,
            session.get_one(Share, "p1"),
            State.TRASLADO,
            reason=Phrase("verbatim", text="x"),
            author="x",
        )
    with database.write() as session:
        accepted = create_share(session, settings, build(**again), "tester", "req2")
    assert not accepted.created
    assert (accepted.share.state, accepted.share.generation) == (State.TRASLADO, 1)
    assert count(database, HistoryEntry) == 2


@pytest.mark.parametrize(
    "other",
    [{"usuario": "otro@dominio"}, {"ruta": "source1:/srv/datos/b"}, {"vigencia": 4}, {"vigencia": None}],
)
def test_same_id_with_another_body_is_refused(
    settings: Settings, database: Database, accept_share: AcceptShare, other: dict[str, object]
) -> None:
    accept_share("p1")
    with pytest.raises(IdInUse, match="p1"), database.write() as session:
        create_share(session, settings, build(**other), "tester", "req2")
    assert (count(database, Share), count(database, HistoryEntry), count(database, Account)) == (1, 1, 1)


@pytest.mark.parametrize("vigencia", [3, None], ids=["said", "left_out"])
@pytest.mark.parametrize("days", [9, 1], ids=["extended", "shortened"])
def test_the_same_body_after_another_lifetime_answers_the_present_state(
    settings: Settings, database: Database, accept_share: AcceptShare, vigencia: int | None, days: int
) -> None:
    accept_share("p1", vigencia=vigencia)
    with database.write() as session:
        request_lifetime(session, settings, "p1", days, author="tester", request_id="r")
    with database.write() as session:
        accepted = create_share(session, settings, build(vigencia=vigencia), "tester", "req2")
    assert (accepted.created, accepted.share.lifetime_days) == (False, days)


@pytest.mark.parametrize(
    ("vigencia", "changes"),
    [
        (None, {"lifetime_default": 21}),
        (60, {"lifetime_max": 30}),
        (2, {"lifetime_min": 5}),
        (None, {"rsync_ssh_user": "datos"}),
    ],
    ids=["default", "most", "least", "ssh_user"],
)
def test_the_same_body_after_changed_settings_answers_the_present_state(
    settings: Settings,
    database: Database,
    accept_share: AcceptShare,
    vigencia: int | None,
    changes: dict[str, object],
) -> None:
    settings.sources_file.write_text(settings.sources_file.read_text().replace("ssh_user: lanotadm", ""))
    accept_share("p1", vigencia=vigencia)
    changed = settings.model_copy(update=changes)
    with database.write() as session:
        accepted = create_share(session, changed, build(vigencia=vigencia), "tester", "req2")
    assert (accepted.created, accepted.share.state) == (False, State.RECIBIDO)
    assert count(database, HistoryEntry) == 1


@pytest.mark.parametrize("content", ["sources: {}\n", "sources: [\n"], ids=["source_gone", "file_broken"])
def test_the_same_body_after_the_sources_changed_answers_the_present_state(
    settings: Settings, database: Database, accept_share: AcceptShare, content: str
) -> None:
    accept_share("p1")
    settings.sources_file.write_text(content)
    with database.write() as session:
        assert not create_share(session, settings, build(), "tester", "req2").created


@pytest.mark.parametrize("other", [{"vigencia": 9}, {"vigencia": None}, {"ruta": "source1:/srv/datos/b"}])
def test_another_body_is_refused_also_when_it_is_what_the_share_has_become(
    settings: Settings, database: Database, accept_share: AcceptShare, other: dict[str, object]
) -> None:
    accept_share("p1")
    with database.write() as session:
        request_lifetime(session, settings, "p1", 9, author="tester", request_id="r")
    with pytest.raises(IdInUse), database.write() as session:
        create_share(session, settings, build(**other), "tester", "req2")


def test_the_body_of_an_ended_share_is_not_that_of_the_next_one(
    settings: Settings, database: Database, accept_share: AcceptShare
) -> None:
    accept_share("p1", vigencia=3)
    with database.write() as session:
        session.get_one(Share, "p1").state = State.EXPIRADO
    accept_share("p1", vigencia=5)
    with pytest.raises(IdInUse), database.write() as session:
        create_share(session, settings, build(vigencia=3), "tester", "req2")


@pytest.mark.parametrize("terminal", [State.ELIMINADO, State.EXPIRADO])
def test_terminal_id_begins_a_new_generation(
    settings: Settings, database: Database, accept_share: AcceptShare, terminal: State
) -> None:
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state = terminal
        share.generation = 4
        share.message = (Phrase("verbatim", text="old"),)
        share.bytes_total = 5
        share.due_at = None
    with database.write() as session:
        request = build(usuario="otra@dominio", ruta="source1:/srv/datos/b")
        accepted = create_share(session, settings, request, "tester", "req2")
    share = accepted.share
    assert accepted.created
    assert (share.state, share.generation, share.email) == (State.RECIBIDO, 5, "otra@dominio")
    assert (share.message, share.bytes_total, share.ftpuser) == ((), None, "ftp_otra_dominio")
    assert share.due_at is not None


def test_ids_that_differ_in_case_are_two(accept_share: AcceptShare, database: Database) -> None:
    accept_share("Proyecto")
    accept_share("proyecto", ruta="source1:/srv/datos/b")
    assert count(database, Share) == 2


def test_simultaneous_requests_make_one_share(settings: Settings, database: Database) -> None:
    def accept(number: int) -> bool:
        with database.write() as session:
            return create_share(session, settings, build(), "tester", f"req{number}").created

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(accept, range(24)))
    assert created.count(True) == 1
    assert (count(database, Share), count(database, HistoryEntry)) == (1, 1)


@pytest.mark.parametrize("vigencia", [0, -1, 91, 10**9])
def test_lifetime_out_of_bounds(settings: Settings, database: Database, vigencia: int) -> None:
    with (
        pytest.raises(InvalidRequest, match=r"lifetime_out_of_bounds \(least=1, most=90\)") as caught,
        database.write() as session,
    ):
        create_share(session, settings, build(vigencia=vigencia), "tester", "r")
    assert caught.value.field == "vigencia"
    assert count(database, Share) == 0


def test_source_off_the_list_leaves_nothing(settings: Settings, database: Database) -> None:
    with pytest.raises(SourceNotAllowed), database.write() as session:
        create_share(session, settings, build(ruta="localhost:/etc"), "tester", "r")
    assert (count(database, Share), count(database, Account)) == (0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"id": value}
            for value in ("", ".", "..", "../x", "/etc", "-x", "a b", "a\n", "ñ", "a" * 65, "a\0")
        ),
        *({"id": value} for value in ("expired", "user", "auditoria", "{{x}}", None, 7)),
        *({"usuario": value} for value in ("", "x", "@dominio", "a@", "a b@c", "a@b\n", "a" * 300 + "@b", 7)),
        *({"vigencia": value} for value in ("3", 3.5, True, [])),
        {"ruta": None},
        {"ruta": ""},
        {"otra": 1},
    ],
)
def test_schema_refuses(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        build(**changes)


def test_new_account_goes_where_most_space_is_free(settings: Settings, database: Database) -> None:
    several = load_settings(
        encryption_key=settings.encryption_key,
        secret_key=settings.secret_key,
        ftp_hosts=("a", "b", "c"),
        state_dir=settings.state_dir,
    )
    with database.write() as session:
        session.add(FtpHost(name="a", facts={"space_free": 5}, paused=False))
        session.add(FtpHost(name="b", facts={"space_free": 9}, paused=False))
        session.add(FtpHost(name="c", facts={"space_free": 99}, paused=True))
        session.flush()
        assert choose_ftp_host(session, several) == "b"
