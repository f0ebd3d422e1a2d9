# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The number of a password: a late run does not bring an earlier password back."""

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
    DESIRED,
    HASH,
    NAME,
    NOW,
    OTHER_HASH,
    OURS,
    ROW,
    SHARED,
    build_ready_share,
    refusal,
)


@pytest.mark.parametrize(("number", "error_class"), [(0, "stale"), (1, None), (2, None), (None, None)])
def test_a_late_password_is_refused(number, error_class):
    share = build_ready_share("s1", NOW, 3)
    record = OURS._replace(password_generation=1)
    seen = SeenAccount(rows=(ROW._replace(expires=share.expires),), record=record, shares=(share,))
    desired = DESIRED._replace(password_hash=OTHER_HASH, update_password="always", password_generation=number)
    if error_class:
        assert refusal(desired, seen).error_class == error_class
        assert not plan_account(desired._replace(update_password="on_create"), seen, SHARED).changed
        return
    plan = plan_account(desired, seen, SHARED)
    assert plan.row.password == OTHER_HASH
    assert plan.record.password_generation == max(1, number or 0)
    assert plan.end_sessions


def test_a_late_password_is_refused_while_the_account_is_blocked():
    record = OURS._replace(password_generation=2)
    seen = SeenAccount(rows=(ROW,), record=record, shares=(build_ready_share("s1", NOW, 3),))
    desired = DESIRED._replace(state="blocked", password_hash=OTHER_HASH, update_password="always")
    assert refusal(desired._replace(password_generation=1), seen).error_class == "stale"
    plan = plan_account(desired._replace(password_generation=3), seen, SHARED)
    assert (plan.row.password, plan.state, plan.record.password_generation) == (OTHER_HASH, "blocked", 3)


@pytest.mark.parametrize(
    ("change", "verified"),
    [
        ({"password": "a password", "update_password": "always"}, False),
        ({"password": "a password"}, True),
        ({"password_hash": HASH}, None),
    ],
    ids=["hashed anew", "verified", "the same hash"],
)
def test_the_number_of_the_password_that_the_account_has_is_stored(change, verified):
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(expires=share.expires)
    seen = SeenAccount(rows=(row,), record=OURS, shares=(share,), password_verified=verified)
    plan = plan_account(DesiredAccount(NAME, password_generation=5, **change), seen, SHARED)
    assert plan.record.password_generation == 5


def test_the_number_of_a_password_that_is_not_set_is_not_stored():
    share = build_ready_share("s1", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(expires=share.expires),), record=OURS, shares=(share,))
    plan = plan_account(DESIRED._replace(password_hash=OTHER_HASH, password_generation=5), seen, SHARED)
    assert (plan.changed, plan.record.password_generation) == (False, 0)
