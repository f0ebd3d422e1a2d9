# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hashes pure-ftpd accepts. What it does with each ``MYSQLCrypt`` line was measured with pure-ftpd 1.0.50."""

from __future__ import annotations

import builtins

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import (
    ARGON2ID,
    BCRYPT,
    HASH_LENGTHS,
    PasswordSchemeError,
    check_hash,
    choose_schemes,
    hash_password,
    identify_scheme,
    parse_mysql_crypt,
    require_scheme,
    verify_password,
)
from hypothesis import given
from hypothesis import strategies as st

CONF = "/etc/pure-ftpd/db/mysql.conf"
BCRYPT_HASH = "$2b$12$" + "a" * 53
ARGON2ID_HASH = "$argon2id$v=19$m=65536,t=3,p=1$" + "s" * 22 + "$" + "h" * 43
SAFE = ("any", "argon2", "crypt")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("MYSQLCrypt crypt", "crypt"),
        ("mysqlcrypt\tANY  \r\n", "any"),
        ("  MYSQLCrypt   argon2", "argon2"),
        ("MYSQLCrypt argon2\nMYSQLCrypt crypt", "crypt"),
        ("# MYSQLCrypt any\nMYSQLUser root", None),
        ("", None),
        # What follows is clear text to pure-ftpd, so it must not look like one of the good values.
        ("MYSQLCrypt crypt # why", "crypt # why"),
        ('MYSQLCrypt "crypt"', '"crypt"'),
        ("MYSQLCrypt=crypt", "=crypt"),
    ],
)
def test_mysql_crypt_is_read_as_pure_ftpd_reads_it(text, value):
    assert parse_mysql_crypt(text) == value


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text):
    value = parse_mysql_crypt(text)
    assert value is None or value == value.strip().lower()


@pytest.mark.parametrize(
    ("mysql_crypt", "width", "schemes"),
    [
        ("any", 255, [ARGON2ID, BCRYPT]),
        ("any", 97, [ARGON2ID, BCRYPT]),
        ("any", 96, [BCRYPT]),
        ("any", 64, [BCRYPT]),
        ("argon2", 255, [ARGON2ID]),
        ("crypt", 255, [BCRYPT]),
        ("crypt", 60, [BCRYPT]),
        ("crypt", 59, []),
        ("argon2", 64, []),
        ("md5", 255, []),
        (None, 255, []),
    ],
)
def test_the_scheme_follows_width_and_mysql_crypt(mysql_crypt, width, schemes):
    assert choose_schemes(mysql_crypt, width) == schemes


@pytest.mark.parametrize(
    ("mysql_crypt", "schemes"), [("any", [BCRYPT]), ("crypt", [BCRYPT]), ("argon2", []), ("md5", [])]
)
def test_a_pure_ftpd_without_libsodium_gets_no_argon2(mysql_crypt, schemes):
    assert choose_schemes(mysql_crypt, 255, argon2=False) == schemes


def test_where_only_argon2_is_allowed_and_cannot_be_read_it_says_so():
    with pytest.raises(PasswordSchemeError, match=r"without libsodium.*set 'any' or 'crypt'"):
        require_scheme("argon2", 255, CONF, argon2=False)


def test_an_argon2_hash_that_nobody_could_use_is_refused():
    with pytest.raises(PasswordSchemeError, match=r"without libsodium.*give a bcrypt hash") as caught:
        check_hash(ARGON2ID_HASH, "any", 255, CONF, argon2=False)
    assert ARGON2ID_HASH not in caught.value.message
    check_hash(BCRYPT_HASH, "any", 255, CONF, argon2=False)


@given(st.one_of(st.none(), st.text(max_size=20), st.sampled_from(SAFE)), st.integers(0, 300), st.booleans())
def test_a_chosen_scheme_is_always_accepted_and_fits(mysql_crypt, width, argon2):
    try:
        scheme = require_scheme(mysql_crypt, width, CONF, argon2)
    except PasswordSchemeError as error:
        assert choose_schemes(mysql_crypt, width, argon2) == []
        assert error.error_class == "password_scheme"
        assert "column" in error.message or CONF in error.message
        return
    assert mysql_crypt in SAFE
    assert HASH_LENGTHS[scheme] <= width
    assert argon2 or scheme != ARGON2ID


@pytest.mark.parametrize(
    "mysql_crypt", ["cleartext", "md5", "sha1", "password", "scrypt", "crypt # why", "typo"]
)
def test_a_value_that_may_mean_clear_text_is_refused_and_says_what_to_do(mysql_crypt):
    with pytest.raises(PasswordSchemeError, match=r"clear text.*set 'any'.*restart pure-ftpd"):
        require_scheme(mysql_crypt, 255, CONF)


def test_a_missing_value_names_the_file():
    with pytest.raises(PasswordSchemeError, match=CONF):
        require_scheme(None, 255, CONF)


def test_a_narrow_column_says_how_wide_it_must_be():
    with pytest.raises(PasswordSchemeError, match=r"holds 64 characters.*needs 97.*VARCHAR"):
        require_scheme("argon2", 64, CONF)


@pytest.mark.parametrize(
    ("password_hash", "scheme"),
    [
        (BCRYPT_HASH, BCRYPT),
        (ARGON2ID_HASH, ARGON2ID),
        (ARGON2ID_HASH.replace("p=1", "p=4"), None),
        (ARGON2ID_HASH.replace("m=65536", "m=65537"), None),
        (ARGON2ID_HASH.replace("argon2id", "argon2i"), None),
        (ARGON2ID_HASH.replace("t=3", "t=0"), None),
        (BCRYPT_HASH.replace("$12$", "$04$"), None),
        (BCRYPT_HASH.replace("$12$", "$31$"), None),
        (BCRYPT_HASH + "\n", None),
        (BCRYPT_HASH[:-1], None),
        ("5f4dcc3b5aa765d61d8327deb882cf99", None),
        ("secreto", None),
        ("", None),
    ],
)
def test_only_strong_hashes_that_pure_ftpd_accepts_are_identified(password_hash, scheme):
    assert identify_scheme(password_hash) == scheme


@given(st.text(max_size=120))
def test_any_text_is_identified_without_an_exception(text):
    assert identify_scheme(text) in (None, ARGON2ID, BCRYPT)


@pytest.mark.parametrize(
    ("password_hash", "mysql_crypt", "width"),
    [(BCRYPT_HASH, "any", 64), (BCRYPT_HASH, "crypt", 60), (ARGON2ID_HASH, "argon2", 97)],
)
def test_a_hash_that_fits_passes(password_hash, mysql_crypt, width):
    check_hash(password_hash, mysql_crypt, width, CONF)


@pytest.mark.parametrize(
    ("password_hash", "mysql_crypt", "width", "message"),
    [
        (BCRYPT_HASH, "argon2", 255, "give a hash of the scheme argon2id"),
        (ARGON2ID_HASH, "crypt", 255, "give a hash of the scheme bcrypt"),
        (ARGON2ID_HASH, "any", 64, "has 97 characters, the password column holds 64"),
        ("plain-secret", "any", 255, "must be argon2id"),
        (BCRYPT_HASH, "md5", 255, "clear text"),
    ],
)
def test_a_hash_that_would_not_work_is_refused_and_never_shown(password_hash, mysql_crypt, width, message):
    with pytest.raises(PasswordSchemeError, match=message) as caught:
        check_hash(password_hash, mysql_crypt, width, CONF)
    assert password_hash not in caught.value.message


@pytest.mark.parametrize("scheme", [ARGON2ID, BCRYPT])
def test_a_new_hash_is_accepted_and_verified(scheme):
    hashed = hash_password("contraseña larga", scheme)
    assert identify_scheme(hashed) == scheme
    assert len(hashed) == HASH_LENGTHS[scheme]
    assert verify_password("contraseña larga", hashed) is True
    assert verify_password("contraseña lerga", hashed) is False
    assert verify_password("half a \ud800 character", hashed) is False


def test_a_new_argon2id_hash_stays_within_the_limits_of_pure_ftpd() -> None:
    """pure-ftpd computes it at each login: three passes over 64 MiB, in one lane."""
    assert hash_password("long enough", ARGON2ID).startswith("$argon2id$v=19$m=65536,t=3,p=1$")


@pytest.mark.parametrize(
    ("password", "scheme"),
    [("x" * 72, BCRYPT), ("ñ" * 36, BCRYPT), ("x" * 73, ARGON2ID), ("ñ" * 40, ARGON2ID)],
)
def test_only_bcrypt_has_a_limit_of_72_bytes(password: str, scheme: str) -> None:
    assert verify_password(password, hash_password(password, scheme)) is True


@pytest.mark.parametrize("stored", ["$1$salt$hash", "clear", "", BCRYPT_HASH[:-1]])
def test_a_hash_of_another_scheme_cannot_be_verified(stored):
    assert verify_password("contraseña larga", stored) is None


@pytest.mark.parametrize(
    ("password", "scheme", "message"),
    [
        ("short", BCRYPT, "less than 8 characters"),
        ("line\nbreak in it", ARGON2ID, "control characters"),
        ("half a \ud800 character", ARGON2ID, "control characters"),
        ("x" * 73, BCRYPT, "72 bytes"),
        ("ñ" * 37, BCRYPT, "72 bytes"),
        ("long enough", "md5", "not known"),
    ],
)
def test_a_password_that_cannot_be_hashed_well_is_refused_and_never_shown(password, scheme, message):
    with pytest.raises(PasswordSchemeError, match=message) as caught:
        hash_password(password, scheme)
    assert password not in caught.value.message


@pytest.mark.parametrize(("scheme", "library"), [(ARGON2ID, "argon2-cffi"), (BCRYPT, "bcrypt")])
def test_a_missing_library_is_named(monkeypatch, scheme, library):
    real_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name in ("argon2", "bcrypt"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(PasswordSchemeError, match=f"{library} is missing.*install it"):
        hash_password("long enough", scheme)
    assert verify_password("long enough", BCRYPT_HASH) is None
