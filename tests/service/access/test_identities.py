"""People whom a provider vouches for: one row each among the tokens, that nobody has the text of."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from tempoftp.access.identities import (
    Identity,
    IdentityRevoked,
    admit_identity,
    end_identity_sessions,
    is_identity,
    readmit_identity,
    show_holder,
)
from tempoftp.access.tokens import (
    Role,
    TokenRefused,
    create_token,
    find_named_token,
    list_tokens,
    revoke_token,
)
from tempoftp.db.models import Token

ISSUER = "https://login.example.org"
HOURS = timedelta(hours=12)
ANA = Identity(ISSUER, "1", Role.CLIENTE, "ana@dominio.example")


@pytest.fixture
def admit(database):
    def admit(identity: Identity = ANA) -> Token:
        with database.write() as session:
            return admit_identity(session, identity, HOURS)

    return admit


def test_one_person_is_one_row(admit, database) -> None:
    first = admit()
    second = admit(Identity(ISSUER, "1", Role.OPERADOR, "nueva@dominio.example"))
    assert first.name == second.name
    assert first.digest == second.digest  # what is open goes on
    assert (second.role, second.emails) == ("operador", ["*"])
    with database.read() as session:
        assert len(list_tokens(session)) == 1


@pytest.mark.parametrize(
    "other",
    [
        Identity(ISSUER, "2", Role.CLIENTE, "ana@dominio.example"),
        Identity(f"{ISSUER}/", "1", Role.CLIENTE, "ana@dominio.example"),
    ],
)
def test_another_subject_or_issuer_is_another_person(admit, other: Identity) -> None:
    assert admit().name != admit(other).name


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        (ANA, "ana@dominio.example"),
        (Identity(ISSUER, "x/../%_<b>", Role.OPERADOR, None), "x_..____b_"),
        (Identity(ISSUER, "1" * 300, Role.OPERADOR, None), "1" * 34),
        (Identity(ISSUER, "a:b", Role.OPERADOR, None), "a_b"),
    ],
)
def test_its_name_fits_and_says_who(admit, identity: Identity, shown: str) -> None:
    name = admit(identity).name
    assert len(name) <= 64
    assert is_identity(name)
    assert show_holder(name) == shown
    assert show_holder("portal") == "portal"


def test_no_made_token_has_such_a_name(admit, database) -> None:
    with database.write() as session, pytest.raises(TokenRefused):
        create_token(session, "oidc:ana", Role.OPERADOR, ())


def test_what_has_ended_stays_so(admit, database) -> None:
    first = admit()
    with database.write() as session:
        end_identity_sessions(session, first.name)
    with database.read() as session:
        assert find_named_token(session, first.name) is None
    assert admit().digest != first.digest
    with time_machine.travel(timedelta(hours=13), tick=False), database.read() as session:
        assert find_named_token(session, first.name) is None


def test_who_was_revoked_stays_out_until_readmitted(admit, database) -> None:
    first = admit()
    with database.write() as session:
        revoke_token(session, first.name)
    with pytest.raises(IdentityRevoked, match=rf"identity_revoked.*{first.name}"):
        admit(Identity(ISSUER, "1", Role.CLIENTE, "otra@dominio.example"))
    with database.write() as session:
        readmit_identity(session, first.name)
    with database.read() as session:
        assert find_named_token(session, first.name) is None  # nothing of before comes back
    assert admit().digest != first.digest


def test_a_token_is_not_readmitted(database) -> None:
    with database.write() as session:
        create_token(session, "portal", Role.OPERADOR, ())
        revoke_token(session, "portal")
        for name in ("portal", "nadie", "oidc:nadie"):
            with pytest.raises(TokenRefused):
                readmit_identity(session, name)
