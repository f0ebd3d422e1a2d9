# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that hashes a password on the control host."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.lanot.tempoftp.plugins.filter.ftp_password_hash import FilterModule
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import (
    identify_scheme,
    verify_password,
)

ftp_password_hash = FilterModule().filters()["ftp_password_hash"]


@pytest.mark.parametrize("scheme", ["bcrypt", "argon2id"])
def test_the_hash_is_of_the_scheme_and_opens(scheme):
    hashed = ftp_password_hash("a good password", scheme=scheme)
    assert identify_scheme(hashed) == scheme
    assert verify_password("a good password", hashed)


def test_the_default_fits_the_seeds_column():
    assert len(ftp_password_hash("a good password")) <= 64


@pytest.mark.parametrize(
    ("password", "scheme", "message"),
    [
        ("short", "bcrypt", "less than 8"),
        ("a good password", "md5", "'md5' is not known"),
        (12345678, "bcrypt", "wants a string, not int"),
        (None, "bcrypt", "wants a string, not NoneType"),
    ],
)
def test_what_cannot_be_hashed_is_an_error_of_the_filter(password, scheme, message):
    with pytest.raises(AnsibleFilterError, match=message) as caught:
        ftp_password_hash(password, scheme)
    assert str(password) not in str(caught.value) or password is None
