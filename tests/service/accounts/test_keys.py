"""Keys are rotated without losing, changing or clobbering a password."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet, MultiFernet
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tempoftp.accounts import keys as keys_module
from tempoftp.accounts.keys import (
    CHECK_EVERY_SECONDS,
    KeyCheck,
    Rotation,
    describe_unreadable,
    find_unreadable,
    rotate_stored,
)
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account

KEYS = [Fernet(Fernet.generate_key()) for _ in range(3)]


def store(database: Database, name: str, key: Fernet | None) -> None:
    token = None if key is None else key.encrypt(f"clave de {name}".encode()).decode()
    with database.write() as session:
        session.add(
            Account(name=name, email=f"{name}@dominio", ftp_host="ftp1", token=token, created_at=utc_now())
        )


def read(database: Database, name: str) -> str | None:
    with database.read() as session:
        return session.get_one(Account, name).token


def test_every_password_is_brought_to_the_first_key_and_stays_the_same(database: Database) -> None:
    new, old, _lost = KEYS
    for name, key in {"ftp_a": old, "ftp_b": new, "ftp_c": old, "ftp_d": None}.items():
        store(database, name, key)
    untouched = read(database, "ftp_b")
    assert rotate_stored(database, [new, old]) == Rotation(2, 1, [])
    for name in ("ftp_a", "ftp_b", "ftp_c"):
        assert new.decrypt((read(database, name) or "").encode()).decode() == f"clave de {name}"
    assert read(database, "ftp_b") == untouched
    assert read(database, "ftp_d") is None
    # Now the old key is not needed any more, and a second time changes nothing.
    before = [read(database, name) for name in ("ftp_a", "ftp_b", "ftp_c")]
    assert rotate_stored(database, [new]) == Rotation(0, 3, [])
    assert [read(database, name) for name in ("ftp_a", "ftp_b", "ftp_c")] == before


def test_what_no_key_opens_is_named_and_left(database: Database) -> None:
    new, old, lost = KEYS
    store(database, "ftp_perdida", lost)
    store(database, "ftp_vieja", old)
    before = read(database, "ftp_perdida")
    assert rotate_stored(database, [new, old]) == Rotation(1, 0, ["ftp_perdida"])
    assert read(database, "ftp_perdida") == before
    with database.read() as session:
        assert find_unreadable(session, MultiFernet([new, old])) == ["ftp_perdida"]
        assert find_unreadable(session, MultiFernet([new, lost])) == []


def test_a_password_that_is_changed_meanwhile_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old, _lost = KEYS
    store(database, "ftp_a", old)
    fresh = old.encrypt(b"otra clave").decode()
    replace = keys_module._replace

    def change_first(session, value: keys_module.Stored, after: str) -> int:
        session.get_one(Account, value.name).token = fresh
        session.flush()
        return replace(session, value, after)

    monkeypatch.setattr(keys_module, "_replace", change_first)
    assert rotate_stored(database, [new, old]) == Rotation(0, 0, [])
    assert read(database, "ftp_a") == fresh


def test_more_than_one_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "BATCH", 2)
    for number in range(5):
        store(database, f"ftp_{number}", KEYS[1])
    assert rotate_stored(database, KEYS[:2]) == Rotation(5, 0, [])


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stored=st.lists(st.integers(0, 2), max_size=8),
    configured=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
)
def test_after_it_the_first_key_opens_what_any_opened(
    database: Database, stored: list[int], configured: list[int]
) -> None:
    with database.write() as session:
        session.execute(delete(Account))
    for number, key in enumerate(stored):
        store(database, f"ftp_{number}", KEYS[key])
    done = rotate_stored(database, [KEYS[key] for key in configured])
    assert done.unreadable == [f"ftp_{n}" for n, key in enumerate(stored) if key not in configured]
    assert done.rotated + done.current + len(done.unreadable) == len(stored)
    with database.read() as session:
        first = MultiFernet([KEYS[configured[0]]])
        assert find_unreadable(session, first) == done.unreadable


def test_the_check_is_made_once_in_a_while(database: Database) -> None:
    now = [0.0]
    check = KeyCheck(MultiFernet(KEYS[:1]), clock=lambda: now[0])
    for moment, found in ((0, []), (CHECK_EVERY_SECONDS - 1, []), (CHECK_EVERY_SECONDS, ["ftp_a"])):
        now[0] = moment
        with database.read() as session:
            assert check.read(session) == found
        if moment == 0:
            store(database, "ftp_a", KEYS[1])


def test_what_is_said_names_some_and_not_thousands() -> None:
    text = describe_unreadable([f"ftp_{number}" for number in range(5000)])
    assert "5000" in text
    assert "ftp_0" in text
    assert len(text) < 400
