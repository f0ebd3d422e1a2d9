"""Tokens in the database: made, found, noted, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from tempoftp.access.tokens import (
    USE_NOTED_EVERY,
    Principal,
    Role,
    TokenRefused,
    build_principal,
    create_token,
    describe_state,
    find_token,
    is_use_to_be_noted,
    list_tokens,
    note_use,
    revoke_token,
)
from tempoftp.db.engine import Database
from tempoftp.db.models import Token

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def create(database: Database, name: str = "portal", role: Role = Role.CLIENTE, *emails: str, **more) -> str:
    with database.write() as session:
        return create_token(session, name, role, emails or ("ana@dominio",), **more)


def find(database: Database, secret: str) -> Principal | None:
    with database.read() as session:
        token = find_token(session, secret)
        return None if token is None else build_principal(token)


def test_a_token_is_found_by_what_was_shown_once(database: Database) -> None:
    secret = create(database, "portal", Role.CLIENTE, "Ana@Dominio", "luis@dominio")
    assert find(database, secret) == Principal(
        "portal", Role.CLIENTE, frozenset({"ana@dominio", "luis@dominio"})
    )
    with database.read() as session:
        row = session.execute(text("SELECT * FROM tokens")).one()
    assert secret not in " ".join(map(str, row))
    assert secret.removeprefix("tempoftp_") not in " ".join(map(str, row))


def test_two_tokens_are_never_the_same(database: Database) -> None:
    secrets = {create(database, f"app{number}") for number in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) > 40


@pytest.mark.parametrize("emails", [("*",), ("*", "ana@dominio")])
def test_a_trusted_application_acts_for_everybody(database: Database, emails: tuple[str, ...]) -> None:
    principal = find(database, create(database, "app", Role.CLIENTE, *emails))
    assert principal is not None
    assert principal.emails is None
    assert principal.may_act_for("quien@sea")


def test_an_operator_acts_for_everybody(database: Database) -> None:
    with database.write() as session:
        secret = create_token(session, "jefa", Role.OPERADOR, ())
    assert find(database, secret) == Principal("jefa", Role.OPERADOR, None)


@pytest.mark.parametrize(
    "changed", [lambda s: s + "A", lambda s: s[:-1], lambda s: s.swapcase(), lambda s: "", lambda s: "ñ" + s]
)
def test_another_text_is_nobody(database: Database, changed) -> None:
    secret = create(database)
    assert find(database, changed(secret)) is None


def test_a_digest_is_no_token(database: Database) -> None:
    create(database)
    with database.read() as session:
        digest = list_tokens(session)[0].digest
    assert find(database, digest) is None


def test_a_token_ends_with_its_days(database: Database) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        secret = create(database, lifetime=timedelta(days=2))
        clock.move_to(NOW + timedelta(days=2, seconds=-1))
        assert find(database, secret) is not None
        clock.move_to(NOW + timedelta(days=2))
        assert find(database, secret) is None
        with database.read() as session:
            assert describe_state(list_tokens(session)[0], datetime.now(UTC)) == "expired"


def test_a_revoked_token_is_nobody_and_stays_so(database: Database) -> None:
    secret = create(database)
    with database.write() as session:
        first = revoke_token(session, "portal").revoked_at
    with database.write() as session:
        assert revoke_token(session, "portal").revoked_at == first
    assert find(database, secret) is None


def test_a_use_is_noted_once_in_a_while(database: Database) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        create(database)
        noted = []
        for seconds in (0, 1, 299, 300, 301):
            clock.move_to(NOW + timedelta(seconds=seconds))
            with database.write() as session:
                token = session.get_one(Token, "portal")
                expected = is_use_to_be_noted(token, datetime.now(UTC))
                note_use(session, "portal")
                session.refresh(token)
                assert (token.last_used_at == datetime.now(UTC)) == expected
                noted.append(token.last_used_at)
    assert timedelta(seconds=300) == USE_NOTED_EVERY
    assert noted == [NOW, NOW, NOW, *[NOW + USE_NOTED_EVERY] * 2]


@pytest.mark.parametrize("name", ["", "-a", "con espacio", "a/b", "a" * 65, "ñ", "address 127.0.0.1", "a\n"])
def test_refuses_a_name_that_is_none(database: Database, name: str) -> None:
    with pytest.raises(TokenRefused, match=r"^token_name_malformed$"):
        create(database, name)


def test_refuses_a_name_that_was_taken_even_by_a_revoked_token(database: Database) -> None:
    create(database)
    with database.write() as session:
        revoke_token(session, "portal")
    with pytest.raises(TokenRefused, match=r"token_name_used.*portal"):
        create(database)


@pytest.mark.parametrize(
    ("role", "emails"), [(Role.CLIENTE, ()), (Role.CLIENTE, ("nada",)), (Role.OPERADOR, ("ana@dominio",))]
)
def test_refuses_what_it_cannot_act_for(database: Database, role: Role, emails: tuple[str, ...]) -> None:
    with database.write() as session, pytest.raises(TokenRefused, match=r"^token_email"):
        create_token(session, "app", role, emails)


def test_refuses_to_revoke_what_is_not_there(database: Database) -> None:
    with database.write() as session, pytest.raises(TokenRefused, match=r"token_not_found.*nadie"):
        revoke_token(session, "nadie")


def test_roles_are_ordered() -> None:
    assert Role.OPERADOR.includes(Role.CLIENTE)
    assert Role.OPERADOR.includes(Role.OPERADOR)
    assert Role.CLIENTE.includes(Role.CLIENTE)
    assert not Role.CLIENTE.includes(Role.OPERADOR)
