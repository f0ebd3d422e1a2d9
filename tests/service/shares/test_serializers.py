"""Rows as they go over the wire: names of the seed, pages, and no secret in a list."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, Share
from tempoftp.refusals import InvalidRequest, ShareNotFound
from tempoftp.settings import Settings
from tempoftp.shares.messages import say_message
from tempoftp.shares.queries import _read_cursor, _write_cursor, find_share, list_shares
from tempoftp.shares.serializers import describe_share, show_password
from tempoftp.states import State

AcceptShare = Callable[..., Share]
BCRYPT = "$2b$12$" + "abcdefghijklmnopqrstu." + "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


def test_on_its_way(settings: Settings, database: Database, accept_share: AcceptShare) -> None:
    accept_share("p1")
    with database.read() as session:
        answer = describe_share(session, settings, find_share(session, "p1", None))
    assert (answer["id"], answer["status"], answer["vigencia"]) == ("p1", "recibido", 3)
    assert answer["mensaje"]
    assert set(answer["progreso"]) >= {"bytes", "total", "archivos", "porcentaje", "velocidad", "eta"}
    assert not {"password", "usuario", "servidor"} & set(answer)


@pytest.mark.parametrize("state", [state for state in State if state != State.ELIMINADO])
def test_credentials_show_in_ready_only(
    settings: Settings, database: Database, accept_share: AcceptShare, state: State
) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = state
    with database.read() as session:
        answer = describe_share(session, settings, find_share(session, "p1", None))
    assert ("password" in answer) == (state is State.LISTO)


def test_ready(settings: Settings, database: Database, accept_share: AcceptShare, ftp_host: str) -> None:
    accept_share("p1")
    ready_at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    server = {"host": "ftp.example.org", "port": 21, "tls": True, "fingerprint": "sha256:AA"}
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state = State.LISTO
        share.path = "/data/ftp_alguien_dominio/p1"
        share.ready_at, share.expires = ready_at, ready_at + timedelta(days=3)
        session.add(FtpHost(name=ftp_host, facts={"server": server}, paused=False))
    with database.read() as session:
        answer = describe_share(session, settings, find_share(session, "p1", None))
    assert answer["usuario"] == answer["ftpuser"] == "ftp_alguien_dominio"
    assert answer["expira"] == "2026-11-26T12:00:00Z"
    assert answer["servidor"] == {"host": "ftp.example.org", "puerto": 21, "tls": True, "huella": "sha256:AA"}
    assert (answer["homedir"], answer["directorio"]) == (
        "/data/ftp_alguien_dominio",
        "/data/ftp_alguien_dominio/p1",
    )
    assert set(answer["descargas"].values()) == {None}, "not known, which is not zero"


@pytest.mark.parametrize(
    ("token", "exists_since", "asked", "reuse", "expected"),
    [
        ("T", None, 0, False, ("T", "fernet")),
        ("T", 5, 0, False, ("T", "fernet")),
        ("T", 5, 9, False, (BCRYPT, "hash")),
        ("T", 5, 9, True, ("T", "fernet")),
        (None, 5, 0, False, (BCRYPT, "hash")),
        (None, 5, 0, True, (BCRYPT, "hash")),
    ],
)
def test_password_by_when_it_was_asked_for(
    token: str | None, exists_since: int | None, asked: int, reuse: bool, expected: tuple[str, str]
) -> None:
    start = utc_now()
    account = Account(
        name="a",
        token=token,
        password_hash=BCRYPT,
        exists_since=None if exists_since is None else start + timedelta(seconds=exists_since),
    )
    share = Share(id="p1", created_at=start + timedelta(seconds=asked))
    assert show_password(account, share, reuse_password=reuse) == expected


HASHES = [
    BCRYPT,
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "$6$rounds=5000$sal$" + "x" * 86,
    "$5$salsalsal$" + "x" * 43,
    "$1$sal$" + "x" * 22,
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + "x" * 43,
]
NO_HASHES = [
    *(
        "secreta",
        "",
        "$",
        "$6$",
        "$6$sal$corta",
        "$2b$12$corta",
        "clave$6$sal$" + "x" * 86,
        "$6$sal$" + "x" * 87,
        BCRYPT + "\n",
    ),
    *(
        "x" * 13,
        "d41d8cd98f00b204e9800998ecf8427e",
        "*" + "A" * 40,
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        BCRYPT + " ",
    ),
]


@pytest.mark.parametrize("stored", HASHES)
def test_the_hash_of_an_account_that_was_there_is_shown(stored: str) -> None:
    now = utc_now()
    account = Account(token=None, password_hash=stored, exists_since=now)
    assert show_password(account, Share(id="p1", created_at=now), reuse_password=False) == (stored, "hash")


@pytest.mark.parametrize("stored", NO_HASHES)
@pytest.mark.parametrize("reuse", [False, True])
def test_what_may_be_a_password_in_clear_is_not_shown(stored: str, reuse: bool) -> None:
    now = utc_now()
    account = Account(token=None, password_hash=stored, exists_since=now)
    assert show_password(account, Share(id="p1", created_at=now), reuse_password=reuse) == (None, "hash")


@pytest.mark.parametrize("share_id", ["nada", "P1"])
def test_unknown_is_not_found(database: Database, accept_share: AcceptShare, share_id: str) -> None:
    accept_share("p1")
    with pytest.raises(ShareNotFound, match=share_id), database.read() as session:
        find_share(session, share_id, None)


def test_deleted_is_not_found(database: Database, accept_share: AcceptShare) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = State.ELIMINADO
    with pytest.raises(ShareNotFound), database.read() as session:
        find_share(session, "p1", None)


def test_list_has_no_password(settings: Settings, database: Database, accept_share: AcceptShare) -> None:
    accept_share("p1")
    with database.write() as session:
        session.get_one(Share, "p1").state = State.LISTO
        account = session.get_one(Account, "ftp_alguien_dominio")
        account.password_hash = "$argon2id$stored"
        token = account.token
    with database.read() as session:
        text = json.dumps(list_shares(session))
    assert token is not None
    assert token not in text
    assert "argon2id" not in text
    assert "password" not in text


def test_list_filters(database: Database, accept_share: AcceptShare) -> None:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")
    accept_share("p3", usuario="otra@dominio", ruta="source1:/srv/datos/c")
    with database.write() as session:
        session.get_one(Share, "p2").state = State.ERROR
        session.get_one(Share, "p3").state = State.ELIMINADO

    def ids(**filters: str) -> list[str]:
        with database.read() as session:
            answer = list_shares(session, **filters)  # type: ignore[arg-type]
        assert answer["total"] == len(answer["solicitudes"])
        assert answer["sin_created_at"] == 0
        return sorted(row["id"] for row in answer["solicitudes"])

    assert ids() == ["p1", "p2"]
    assert ids(estado="error") == ["p2"]
    assert ids(estado="eliminado") == ["p3"]
    assert ids(usuario="Alguien@dominio") == ["p1"]
    assert ids(usuario="ftp_otra_dominio") == ["p2"]
    assert ids(usuario="nadie@dominio") == []
    with database.read() as session:
        mine = list_shares(session, emails=frozenset({"otra@dominio"}))
    assert [row["id"] for row in mine["solicitudes"]] == ["p2"]


def test_pages_follow_each_other(database: Database, accept_share: AcceptShare) -> None:
    for number in range(7):
        accept_share(f"p{number}")
    with database.write() as session:  # several in one microsecond
        for number in (2, 3, 4):
            session.get_one(Share, f"p{number}").created_at = session.get_one(Share, "p5").created_at
    seen: list[str] = []
    cursor: str | None = None
    while True:
        with database.read() as session:
            page = list_shares(session, limite=2, cursor=cursor)
        assert page["total"] == 7
        seen += [row["id"] for row in page["solicitudes"]]
        cursor = page["siguiente"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert seen == ["p6", "p2", "p3", "p4", "p5", "p1", "p0"]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"estado": "listos"}, "estado"),
        ({"limite": 0}, "limite"),
        ({"limite": 1001}, "limite"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "W10="}, "cursor"),
        ({"cursor": "WyIyMDI2LTAxLTAxIiwgIngiXQ=="}, "cursor"),
    ],
)
def test_list_refuses(database: Database, filters: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught, database.read() as session:
        list_shares(session, **filters)  # type: ignore[arg-type]
    assert caught.value.field == field


# What a cursor holds, and what it might hold: text alone is never base64 of JSON of two values.
MOMENTS = st.datetimes(timezones=st.just(UTC) | st.none()).map(datetime.isoformat) | st.text(max_size=20)
CONTENTS = st.tuples(MOMENTS | st.none() | st.integers(), st.text(max_size=20) | st.none()) | st.text()
CURSORS = CONTENTS.map(lambda content: base64.urlsafe_b64encode(json.dumps(content).encode()).decode())


@given(moment=st.datetimes(timezones=st.just(UTC)), share_id=st.text(max_size=64))
def test_a_cursor_is_read_as_it_was_written(moment: datetime, share_id: str) -> None:
    cursor = _write_cursor(Share(id=share_id, created_at=moment))
    assert _read_cursor(cursor) == (moment, share_id)


@given(CURSORS | st.text())
def test_any_cursor_is_read_or_refused(cursor: str) -> None:
    try:
        created_at, share_id = _read_cursor(cursor)
    except InvalidRequest:
        return
    assert created_at.tzinfo is not None
    assert isinstance(share_id, str)


def test_times_are_utc_with_z() -> None:
    assert write_time(datetime.fromisoformat("2026-01-01T06:00:00.9-06:00")) == "2026-01-01T12:00:00Z"
    assert write_time(None) is None


@pytest.mark.parametrize(("files", "empty"), [(0, True), (1, False), (None, False)])
def test_a_delivery_without_a_file_says_so(desk: Any, files: int | None, empty: bool) -> None:
    desk.make_ready()
    with desk.database.write() as session:
        share = session.get_one(Share, "p1")
        share.files_total = files
        told = describe_share(session, desk.settings, share)
        assert ("está vacía" in told["mensaje"]) == empty
        assert ("está vacía" in say_message(share)) == empty  # in lists and mails
        assert [entry["codigo"] for entry in told.get("advertencias", [])] == ["source_empty"] * empty
