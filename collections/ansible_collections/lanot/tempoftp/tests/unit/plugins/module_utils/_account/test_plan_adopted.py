# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts that tempoftp did not create: they may hold shares, and are never written."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    ADOPTED,
    SeenAccount,
    plan_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.tests.unit.plugins.module_utils._account.account_values import (
    DESIRED,
    NAME,
    NOW,
    OTHER_HASH,
    OURS,
    ROW,
    SHARED,
    THEIRS,
    build_ready_share,
    build_share,
    refusal,
)

MAPPED = DESIRED._replace(adopt=True)


def test_an_account_that_fits_is_adopted_and_never_written():
    plan = plan_account(
        MAPPED._replace(update_password="always", password_hash=OTHER_HASH),
        SeenAccount(rows=(ROW,), shares=(build_share(),)),
        SHARED,
    )
    assert (plan.origin, plan.record.origin, plan.writes_row, plan.row) == (ADOPTED, ADOPTED, False, ROW)
    assert plan.times[0].fixed


@pytest.mark.parametrize("record", [None, THEIRS])
@pytest.mark.parametrize("shares", [(), (build_share(),)])
def test_an_account_that_fits_is_adopted_only_if_its_owner_is_known(record, shares):
    error = refusal(DESIRED, SeenAccount(rows=(ROW,), record=record, shares=shares))
    assert (error.error_class, error.transient) == ("account_conflict", False)
    assert f"tempoftp account map EMAIL {NAME}" in error.message


def test_an_account_that_tempoftp_created_needs_no_known_owner():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(expires=share.expires)
    for desired in (DESIRED, MAPPED):
        assert not plan_account(
            desired, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED
        ).changed


@pytest.mark.parametrize("record", [None, THEIRS])
@pytest.mark.parametrize(
    "change", [{"home": "/srv/x"}, {"uid": 2002}, {"gid": 33}, {"status": "0"}, {"expires": format_time(NOW)}]
)
def test_an_account_that_does_not_fit_is_a_conflict_even_before_the_copy(record, change):
    error = refusal(MAPPED, SeenAccount(rows=(ROW._replace(**change),), record=record))
    assert error.error_class == "account_conflict"
    assert next(iter(change)) in error.message or "expired" in error.message


def test_an_adopted_account_that_is_gone_is_not_created():
    assert (
        refusal(MAPPED, SeenAccount(record=THEIRS, shares=(build_share(),))).error_class == "account_conflict"
    )


@pytest.mark.parametrize("state", ["absent", "blocked"])
@pytest.mark.parametrize("record", [None, THEIRS])
def test_an_account_that_tempoftp_did_not_create_is_neither_blocked_nor_removed(state, record):
    plan = plan_account(DESIRED._replace(state=state), SeenAccount(rows=(ROW,), record=record), SHARED)
    assert (plan.kept_reason, plan.changed, plan.end_sessions) == ("adopted", False, False)
