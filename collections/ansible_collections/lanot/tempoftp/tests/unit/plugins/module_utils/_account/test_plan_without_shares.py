# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan does for one account when no root of shares is given."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import (
    DesiredAccount,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    SeenAccount,
    plan_account,
)
from ansible_collections.lanot.tempoftp.tests.unit.plugins.module_utils._account.account_values import (
    ALONE,
    DESIRED,
    HASH,
    NAME,
    OTHER_HASH,
    ROW,
    SHARED,
    build_share,
    refusal,
)


def test_a_missing_account_is_created_with_the_defaults():
    plan = plan_account(DESIRED, SeenAccount(), ALONE)
    assert plan.row == ROW
    assert (plan.changed, plan.state, plan.origin) == (True, "present", None)


def test_a_plain_password_will_be_hashed_with_the_best_scheme():
    plan = plan_account(DesiredAccount(NAME, password="a password"), SeenAccount(), ALONE)
    assert (plan.hash_with, plan.row.password) == ("argon2id", "")


def test_an_account_in_its_requested_state_is_not_changed():
    assert not plan_account(DESIRED, SeenAccount(rows=(ROW,)), ALONE).changed


def test_an_existing_password_is_not_touched():
    plan = plan_account(DESIRED._replace(password_hash=OTHER_HASH), SeenAccount(rows=(ROW,)), ALONE)
    assert (plan.row.password, plan.changed) == (HASH, False)


def test_an_existing_password_is_changed_with_update_password_always():
    desired = DESIRED._replace(password_hash=OTHER_HASH, update_password="always")
    plan = plan_account(desired, SeenAccount(rows=(ROW,)), ALONE)
    assert (plan.row.password, plan.changed) == (OTHER_HASH, True)


@pytest.mark.parametrize(("verified", "hash_with"), [(True, None), (False, "argon2id"), (None, "argon2id")])
def test_a_plain_password_is_hashed_again_only_when_it_differs(verified, hash_with):
    desired = DesiredAccount(NAME, password="a password", update_password="always")
    plan = plan_account(desired, SeenAccount(rows=(ROW,), password_verified=verified), ALONE)
    assert (plan.hash_with, plan.changed) == (hash_with, hash_with is not None)


def test_values_of_an_existing_account_that_are_not_given_do_not_change():
    row = ROW._replace(uid=3000, gid=3000, home=f"/srv/{NAME}", expires="2031-01-01T00:00:00Z")
    assert plan_account(DESIRED, SeenAccount(rows=(row,)), ALONE).row == row


def test_a_blocked_account_may_log_in_again():
    plan = plan_account(DESIRED, SeenAccount(rows=(ROW._replace(status="0"),)), ALONE)
    assert plan.row == ROW


def test_an_end_is_written_when_given():
    plan = plan_account(DESIRED._replace(expires="2031-01-01T00:00:00Z"), SeenAccount(rows=(ROW,)), ALONE)
    assert plan.row.expires == "2031-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "site", "message"),
    [
        ({"uid": 0}, ALONE, "uid 0 is refused"),
        ({"gid": 999}, ALONE, "gid 999 is refused"),
        ({"uid": 2**31}, ALONE, "uid 2147483648 is refused"),
        ({"home": "/"}, ALONE, "home '/' is refused"),
        ({"home": f"/{NAME}"}, ALONE, "is refused"),
        ({"home": f"/data/../etc/{NAME}"}, ALONE, "is refused"),
        ({"home": f"data/x/{NAME}"}, ALONE, "is refused"),
        ({"home": "/data/otra"}, ALONE, "is refused"),
        ({"home": f"/srv/{NAME}"}, SHARED, f"must be /data/{NAME}"),
        ({"name": "Ftp_Alguien"}, ALONE, "must match"),
        ({"name": "../x"}, ALONE, "must match"),
        ({"name": "' OR 1=1 -- "}, ALONE, "must match"),
        ({"name": "a" * 33}, ALONE, "must match"),
        ({"name": "ftp_x\n"}, ALONE, "must match"),
        ({"name": ""}, ALONE, "must match"),
        ({"state": "listo"}, ALONE, "state"),
        ({"password": "a password"}, ALONE, "not both"),
        ({"password_hash": None}, ALONE, "give password_hash or password"),
        ({"expires": "2031-01-01"}, ALONE, "write it in UTC"),
        ({"expires": "2031-01-01T00:00:00Z"}, ALONE._replace(has_expires=False), "no Expires column"),
        ({"expires": "2031-01-01T00:00:00Z"}, SHARED, "refused with shares_root"),
        ({"name": "a" * 20}, ALONE._replace(name_width=16), "longer than the column's 16"),
    ],
)
def test_values_that_no_account_may_have_are_invalid(change, site, message):
    error = refusal(DESIRED._replace(**change), SeenAccount(shares=(build_share(),)), site)
    assert error.error_class == "invalid"
    assert message in error.message


@pytest.mark.parametrize(
    "change", [{"uid": 0}, {"gid": 0}, {"home": "/"}, {"home": "/data"}, {"home": "/data/otra"}]
)
def test_a_dangerous_row_is_never_confirmed(change):
    error = refusal(DESIRED, SeenAccount(rows=(ROW._replace(**change),)), ALONE)
    assert error.error_class == "account_conflict"


def test_a_dangerous_row_may_be_blocked_and_removed():
    seen = SeenAccount(rows=(ROW._replace(uid=0, home="/"),))
    assert plan_account(DESIRED._replace(state="blocked"), seen, ALONE).state == "blocked"
    assert plan_account(DESIRED._replace(state="absent"), seen, ALONE).state == "absent"


@pytest.mark.parametrize("site", [ALONE, SHARED])
@pytest.mark.parametrize("lookalike", ["FTP_ALGUIEN", "ftp_alguien "])
def test_a_name_that_the_collation_confuses_is_a_conflict(site, lookalike):
    error = refusal(DESIRED, SeenAccount(lookalikes=(lookalike,), shares=(build_share(),)), site)
    assert error.error_class == "account_conflict"


@pytest.mark.parametrize("state", ["present", "blocked", "absent"])
def test_an_account_that_stands_twice_is_a_conflict(state):
    error = refusal(DESIRED._replace(state=state), SeenAccount(rows=(ROW, ROW)), ALONE)
    assert error.error_class == "account_conflict"


@pytest.mark.parametrize(
    ("change", "site"),
    [
        ({"password_hash": "clear text"}, ALONE),
        ({}, ALONE._replace(mysql_crypt="md5")),
        ({}, ALONE._replace(mysql_crypt=None)),
        (
            {"password_hash": None, "password": "a password"},
            ALONE._replace(mysql_crypt="argon2", password_width=64),
        ),
    ],
)
def test_a_password_that_cannot_be_stored_safely_is_refused(change, site):
    assert refusal(DESIRED._replace(**change), site=site).error_class == "password_scheme"
