# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan does for one account that has shares: when it is created, when it ends, when it is blocked with them."""

from __future__ import annotations

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    CREATED,
    SeenAccount,
    plan_account,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account
from ansible_collections.lanot.tempoftp.tests.unit.plugins.module_utils._account.account_values import (
    DAY,
    DESIRED,
    NAME,
    NOW,
    OURS,
    ROW,
    SHARED,
    build_ready_share,
    build_share,
    refusal,
)


def test_an_account_waits_for_its_first_delivered_share():
    for shares in ((), (build_share(state="copying"),)):
        plan = plan_account(DESIRED, SeenAccount(shares=shares), SHARED)
        assert (plan.skipped_reason, plan.changed, plan.state) == ("no_delivered_share", False, "absent")


def test_the_first_delivered_share_creates_the_account_and_sets_its_times():
    plan = plan_account(DESIRED, SeenAccount(shares=(build_share(days=3),)), SHARED)
    assert plan.row == ROW._replace(expires=format_time(NOW + 3 * DAY))
    assert plan.record == Account(NAME, CREATED, format_time(NOW))
    assert [(t.id, t.ready_at, t.expires, t.fixed) for t in plan.times] == [
        ("s1", format_time(NOW), format_time(NOW + 3 * DAY), True)
    ]


def test_no_end_is_written_into_a_table_without_expires():
    plan = plan_account(DESIRED, SeenAccount(shares=(build_share(),)), SHARED._replace(has_expires=False))
    assert plan.row.expires is None
    assert plan.times[0].expires == format_time(NOW + 3 * DAY)


def test_times_that_are_set_do_not_change():
    share = build_ready_share("s1", NOW - DAY, 3)
    row = ROW._replace(expires=share.expires)
    plan = plan_account(DESIRED, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert not plan.changed
    assert plan.times[0][2:] == (share.ready_at, share.expires, False)


def test_an_account_lives_as_long_as_its_longest_share():
    long, short = build_ready_share("long", NOW, 30), build_ready_share("short", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(expires=short.expires),), record=OURS, shares=(long, short))
    assert plan_account(DESIRED, seen, SHARED).row.expires == long.expires


def test_a_changed_row_that_tempoftp_created_is_corrected():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(uid=1, gid=0, home="/", status="0", expires=None)
    plan = plan_account(DESIRED, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert plan.row == ROW._replace(expires=share.expires)


def test_a_share_that_is_over_does_not_count():
    share = build_ready_share("s1", NOW - 3 * DAY, 3)
    plan = plan_account(DESIRED, SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED)
    assert plan.skipped_reason == "no_delivered_share"
    assert not plan.changed


def test_after_a_kill_behind_the_record_the_account_still_counts_as_created():
    plan = plan_account(DESIRED, SeenAccount(record=OURS, shares=(build_share(),)), SHARED)
    assert (plan.origin, plan.record, plan.state) == (CREATED, OURS, "present")


def test_an_account_is_not_confirmed_when_its_hash_became_the_password():
    seen = SeenAccount(rows=(ROW,), record=OURS, shares=(build_share(),))
    assert refusal(DESIRED, seen, SHARED._replace(mysql_crypt="md5")).error_class == "password_scheme"


def test_an_invalid_name_is_refused_before_the_copy():
    assert refusal(DESIRED._replace(name="Juan.Perez")).error_class == "invalid"


# ---- extended, shortened and blocked shares


@pytest.mark.parametrize("state", ["delivered", "blocked"])
@pytest.mark.parametrize("days", [2, 9])
def test_a_changed_number_of_days_counts_from_the_start(days, state):
    share = build_ready_share("s1", NOW - DAY, 3)._replace(state=state, hidden=state == "blocked")
    seen = SeenAccount(
        rows=(ROW._replace(expires=share.expires),),
        record=OURS,
        shares=(share._replace(lifetime_days=days),),
    )
    plan = plan_account(DESIRED, seen, SHARED)
    ends = format_time(NOW - DAY + days * DAY)
    assert plan.times[0][2:] == (share.ready_at, ends, True)
    assert plan.row.expires == ends


def test_a_share_is_over_only_when_both_its_old_and_its_new_end_are_past():
    over = build_ready_share("s1", NOW - 5 * DAY, 3)
    plan = plan_account(DESIRED, SeenAccount(rows=(ROW,), record=OURS, shares=(over,)), SHARED)
    assert plan.skipped_reason == "no_delivered_share"
    extended = over._replace(lifetime_days=9)  # written down in time, confirmed late
    plan = plan_account(DESIRED, SeenAccount(rows=(ROW,), record=OURS, shares=(extended,)), SHARED)
    assert plan.times[0].expires == format_time(NOW + 4 * DAY)


def test_a_blocked_share_leaves_the_others_and_the_last_one_blocks_the_login():
    one, other = build_ready_share("s1", NOW, 3), build_ready_share("s2", NOW, 3)
    hidden = one._replace(state="blocked", hidden=True)
    row = ROW._replace(expires=one.expires)
    plan = plan_account(DESIRED, SeenAccount(rows=(row,), record=OURS, shares=(hidden, other)), SHARED)
    assert (plan.state, plan.end_sessions, plan.changed) == ("present", False, False)
    on_its_way = build_share("s3", "copying")
    plan = plan_account(DESIRED, SeenAccount(rows=(row,), record=OURS, shares=(hidden, on_its_way)), SHARED)
    assert (plan.state, plan.end_sessions, plan.row.expires) == ("blocked", True, one.expires)
    back = SeenAccount(rows=(plan.row,), record=OURS, shares=(one,))
    assert plan_account(DESIRED, back, SHARED).state == "present"


def test_a_blocked_account_stays_blocked_and_its_shares_may_be_extended():
    share = build_ready_share("s1", NOW, 3)._replace(lifetime_days=9)
    seen = SeenAccount(rows=(ROW,), record=OURS, shares=(share,))
    plan = plan_account(DESIRED._replace(state="blocked"), seen, SHARED)
    assert (plan.state, plan.row.expires) == ("blocked", format_time(NOW + 9 * DAY))
    assert plan.times[0].fixed


def test_an_account_that_does_not_fit_can_still_be_blocked():
    share = build_ready_share("s1", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(uid=0, home="/"),), record=OURS, shares=(share,))
    plan = plan_account(DESIRED._replace(state="blocked"), seen, SHARED._replace(mysql_crypt="md5"))
    assert plan.state == "blocked"
