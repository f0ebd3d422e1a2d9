# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts that are blocked, removed, or changed by the sweep after shares have ended."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import (
    SWEPT,
    DesiredAccount,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    SeenAccount,
    plan_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.tests.unit.plugins.module_utils._account.account_values import (
    ALONE,
    DAY,
    DESIRED,
    NAME,
    NOW,
    OURS,
    ROW,
    SHARED,
    THEIRS,
    build_ready_share,
    build_share,
    refusal,
)


def test_blocking_keeps_the_row_and_its_password_and_ends_the_sessions():
    plan = plan_account(DESIRED._replace(state="blocked"), SeenAccount(rows=(ROW,), record=OURS), SHARED)
    assert plan.row == ROW._replace(status="0")
    assert (plan.state, plan.end_sessions) == ("blocked", True)


def test_blocking_a_missing_account_creates_nothing():
    plan = plan_account(DESIRED._replace(state="blocked"), SeenAccount(), SHARED)
    assert (plan.state, plan.changed) == ("absent", False)


def test_removing_an_account_removes_row_and_record_and_ends_sessions():
    plan = plan_account(DESIRED._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS), SHARED)
    assert (plan.row, plan.record, plan.state, plan.end_sessions) == (None, None, "absent", True)


def test_sessions_are_not_ended_without_end_sessions():
    for state in ("blocked", "absent"):
        desired = DESIRED._replace(state=state, end_sessions=False)
        assert not plan_account(desired, SeenAccount(rows=(ROW,)), ALONE).end_sessions


def test_a_kill_after_the_delete_leaves_a_record_that_the_next_run_removes():
    plan = plan_account(DESIRED._replace(state="absent"), SeenAccount(record=OURS), SHARED)
    assert (plan.record, plan.changed, plan.writes_row) == (None, True, False)


@pytest.mark.parametrize(
    "share", [build_share(), build_share(state="copying"), build_ready_share("s1", NOW, 1)]
)
def test_an_account_with_a_live_share_is_not_removed(share):
    plan = plan_account(
        DESIRED._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED
    )
    assert (plan.kept_reason, plan.changed, plan.end_sessions) == ("live_shares", False, False)


def test_an_account_whose_shares_are_over_is_removed():
    share = build_ready_share("s1", NOW - DAY, 1)
    plan = plan_account(
        DESIRED._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED
    )
    assert plan.state == "absent"


def test_an_account_is_not_removed_while_a_manifest_cannot_be_read():
    error = refusal(
        DESIRED._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, damaged=("s9.json",))
    )
    assert (error.error_class, "s9.json" in error.message) == ("run_failed", True)


# ---- the sweep, after shares have ended

SWEEP = DesiredAccount(NAME, SWEPT)


def test_the_sweep_shortens_an_account_to_what_is_left():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(expires=format_time(NOW + 30 * DAY))
    plan = plan_account(SWEEP, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert plan.row == row._replace(expires=share.expires)
    assert (plan.kept_reason, plan.end_sessions) == ("live_shares", False)


@pytest.mark.parametrize("change", [{"uid": 0}, {"gid": 0}, {"home": "/"}, {"home": "/data/otra"}])
def test_the_sweep_does_not_write_an_active_row_that_grants_more_than_a_share(change):
    seen = SeenAccount(rows=(ROW._replace(**change),), record=OURS, shares=(build_ready_share("s1", NOW, 3),))
    assert refusal(SWEEP, seen).error_class == "account_conflict"


def test_the_sweep_writes_a_blocked_row_even_if_it_is_unsafe():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(uid=0, home="/", status="0")
    plan = plan_account(SWEEP, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert plan.row == row._replace(expires=share.expires)


@pytest.mark.parametrize("ago", [0, DAY])
def test_the_sweep_does_not_change_an_end_that_is_past(ago):
    row = ROW._replace(expires=format_time(NOW - ago))
    seen = SeenAccount(rows=(row,), record=OURS, shares=(build_ready_share("s1", NOW - DAY, 9),))
    plan = plan_account(SWEEP, seen, SHARED)
    assert (plan.row, plan.writes_row, plan.kept_reason) == (row, False, "live_shares")


def test_the_sweep_keeps_the_record_of_an_adopted_account_whose_row_is_gone():
    """Without the record the next run would make the account, as if tempoftp had created it before."""
    seen = SeenAccount(record=THEIRS, shares=(build_ready_share("s1", NOW, 3),))
    plan = plan_account(SWEEP, seen, SHARED)
    assert (plan.record, plan.changed, plan.kept_reason) == (THEIRS, False, "live_shares")
    assert plan_account(SWEEP, SeenAccount(record=THEIRS), SHARED).record is None
