"""Account names, and what a password becomes."""

from __future__ import annotations

import re
from datetime import timedelta

import argon2
import bcrypt
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from tempoftp.accounts.accounts import (
    ALPHABET,
    choose_scheme,
    ensure_password,
    forget_account,
    generate_password,
    hash_password,
    name_account,
    scheme_of,
    take_account,
)
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account
from tempoftp.settings import Settings, load_settings

EMAILS = st.builds(
    "{}@{}".format,
    st.text(alphabet="ab.-_+ñç字", min_size=1, max_size=40),
    st.text(alphabet="ab.-字", min_size=1, max_size=40),
)


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("alguien@dominio", "ftp_alguien_dominio"),
        ("da.nae@lanot.unam.mx", "ftp_da_nae_lanot"),
        ("da-nae@lanot.unam.mx", "ftp_da_nae_lanot"),
        ("ñandú+x@ejemplo.mx", "ftp_nandu_x_ejemplo"),
        ("a" * 60 + "@ejemplo.mx", "ftp_" + "a" * 28),
    ],
)
def test_name_is_what_one_expects(email: str, name: str) -> None:
    assert name_account(email) == name


@given(EMAILS, st.sampled_from([0, 6, 12, 20]))
def test_name_always_fits(email: str, hash_digits: int) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name_account(email, hash_digits))


def test_never_one_account_for_two_emails(settings: Settings, database: Database) -> None:
    @given(st.lists(EMAILS, min_size=2, max_size=12))
    def check(emails: list[str]) -> None:
        with database.write() as session:
            names: dict[str, str] = {}
            for email in emails:
                account = take_account(session, email, lambda: "ftp1")
                session.flush()
                assert account.email == email
                names[email] = account.name
            assert len(set(names.values())) == len(set(emails))
            # The second look finds the same one.
            assert {email: take_account(session, email, lambda: "x").name for email in names} == names

    check()


def test_passwords_differ_and_can_be_read_aloud() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 20 and set(password) <= set(ALPHABET) for password in made)
    assert not set("0O1lIo") & set(ALPHABET)


def test_argon2id_hash_is_what_pureftpd_verifies() -> None:
    made = hash_password("clave", "argon2id")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(made) == 97
    assert argon2.PasswordHasher().verify(made, "clave")
    assert scheme_of(made) == "argon2id"


def test_bcrypt_hash_fits_the_seeds_column() -> None:
    made = hash_password("clave", "bcrypt")
    assert made.startswith("$2b$12$")
    assert len(made) == 60
    assert bcrypt.checkpw(b"clave", made.encode())
    assert scheme_of(made) == "bcrypt"


@pytest.mark.parametrize(
    ("schemes", "scheme"),
    [(["argon2id", "bcrypt"], "argon2id"), (["bcrypt"], "bcrypt"), ([], "bcrypt"), (None, "bcrypt")],
)
def test_scheme_follows_what_the_host_verifies(schemes: list[str] | None, scheme: str) -> None:
    assert choose_scheme(schemes) == scheme


def test_password_is_made_once(settings: Settings) -> None:
    account = Account(name="ftp_a", email="a@b", ftp_host="ftp1", created_at=utc_now(), password_generation=0)
    fernet = settings.build_fernet()
    ensure_password(account, fernet, utc_now())
    first = account.token
    assert first is not None
    assert len(fernet.decrypt(first.encode())) == 20
    ensure_password(account, fernet, utc_now())
    assert account.token == first
    account.exists_since = utc_now() - timedelta(days=1)
    account.token = None  # adopted
    ensure_password(account, fernet, utc_now())
    assert account.token is None


def test_forgotten_account_gets_a_new_password(settings: Settings) -> None:
    account = Account(name="ftp_a", email="a@b", ftp_host="ftp1", created_at=utc_now(), password_generation=0)
    ensure_password(account, settings.build_fernet(), utc_now())
    before = account.token
    account.exists_since = utc_now()
    forget_account(account)
    assert (account.token, account.password_hash, account.exists_since) == (None, None, None)
    ensure_password(account, settings.build_fernet(), utc_now())
    assert account.token not in (None, before)


def test_rotated_keys_still_read_old_tokens() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    account = Account(name="ftp_a", email="a@b", ftp_host="ftp1", created_at=utc_now(), password_generation=0)
    secret = Fernet.generate_key().decode()
    before = load_settings(simulacro=True, encryption_key=old, secret_key=secret)
    ensure_password(account, before.build_fernet(), utc_now())
    rotated = load_settings(simulacro=True, encryption_key=f"{new},{old}", secret_key=secret).build_fernet()
    assert account.token is not None
    assert len(rotated.decrypt(account.token.encode())) == 20
