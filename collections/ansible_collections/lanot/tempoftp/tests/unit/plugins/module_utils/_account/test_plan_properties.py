# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties that every plan for one account has, whatever was requested and whatever is there."""

from __future__ import annotations

from collections import Counter

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.desired import (
    SWEPT,
    AccountSite,
    DesiredAccount,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.plan import (
    ADOPTED,
    CREATED,
    SeenAccount,
    plan_account,
    plan_times,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._account.users_table import UserRow
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_time, require_time
from ansible_collections.lanot.tempoftp.tests.unit.plugins.module_utils._account.account_values import (
    DAY,
    HASH,
    NAME,
    NOW,
    OTHER_HASH,
    OURS,
    ROW,
    SHARED,
    THEIRS,
    build_share,
)
from hypothesis import given, settings
from hypothesis import strategies as st

TIMES = st.integers(NOW - 40 * DAY, NOW + 40 * DAY).map(format_time)


def build(kind, **fields):
    """Return a strategy for a named tuple. It needs every field: ``st.builds`` invents those that are not listed."""
    assert set(fields) == set(kind._fields), set(fields) ^ set(kind._fields)
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def end_with_its_shares(seen):
    """Write the end of the longest share into the row, as an earlier run did."""
    ends = [share.promised for share in seen.shares if share.arrived and share.promised]
    return seen._replace(rows=tuple(row._replace(expires=max(ends, default=None)) for row in seen.rows))


def mostly(usual, *others):
    """Return a strategy that draws *usual* five times in six: one field at a time is out of the ordinary."""
    return st.sampled_from([*[usual] * 5 * len(others), *others])


@st.composite
def draw_shares(draw):
    shares = []
    for number in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3, 0]))):
        state = draw(st.sampled_from(["delivered", "delivered", "copying", "blocked"]))
        share = build_share(f"s{number}", state, draw(st.integers(1, 90)))
        share = share._replace(hidden=share.state == "blocked")
        if share.arrived and draw(st.sampled_from([True, True, True, False])):
            ready = draw(st.integers(NOW - 30 * DAY, NOW).map(format_time))
            # An end that differs from ready_at plus the days is one whose extension nobody has confirmed yet.
            expires = draw(mostly(share._replace(ready_at=ready).promised, draw(TIMES)))
            share = share._replace(ready_at=ready, expires=expires)
        shares.append(share)
    return tuple(shares)


ROWS = build(
    UserRow,
    name=st.just(NAME),
    password=mostly(HASH, OTHER_HASH, "clear", ""),
    uid=mostly(2001, 0, 999),
    gid=mostly(2001, 0),
    home=mostly(f"/data/{NAME}", "/", "/data", "/etc"),
    status=st.sampled_from(["1", "1", "1", "1", "0", "0", "2", ""]),
    expires=TIMES | TIMES | st.none(),
)
# A password comes as text or as a hash, never as both.
PASSWORDS = st.sampled_from(
    [(None, None), (HASH, None), (HASH, None), (OTHER_HASH, None), (None, "a password")]
)
WISHES = build(
    DesiredAccount,
    name=st.just(NAME),
    state=st.sampled_from(["present", "present", "present", "absent", "blocked", SWEPT]),
    password_hash=PASSWORDS,
    password=st.none(),
    update_password=st.sampled_from(["on_create", "always"]),
    uid=mostly(None, 2001, 3000),
    gid=mostly(None, 2001, 3000),
    home=mostly(None, f"/data/{NAME}"),
    expires=st.none(),
    end_sessions=st.booleans(),
    adopt=st.sampled_from([True, True, False]),
    password_generation=st.sampled_from([None, 0, 0, 1, 2]),
).map(
    lambda desired: desired._replace(
        password_hash=desired.password_hash[0], password=desired.password_hash[1]
    )
)
SEEN = build(
    SeenAccount,
    rows=ROWS.map(lambda row: (row,)) | ROWS.map(lambda row: (row,)) | st.just(()),
    lookalikes=mostly((), ("FTP_ALGUIEN",)),
    record=st.sampled_from([*[OURS, OURS._replace(password_generation=1)] * 4, None, THEIRS]),
    shares=draw_shares(),
    damaged=st.sampled_from([(), (), ("s9.json",)]),
    password_verified=st.none(),
)
SITES = build(
    AccountSite,
    now=st.just(NOW),
    confirmed=mostly(None, NOW - 400 * DAY),
    clock_problem=mostly("", "the clock runs ahead"),
    shares_root=mostly("/data", None),
    default_uid=st.just(2001),
    default_gid=st.just(2001),
    min_uid=st.just(1000),
    has_expires=mostly(True, False),
    mysql_crypt=mostly("any", "md5"),
    argon2=mostly(True, False),
    mysql_conf=st.just("mysql.conf"),
    name_width=st.just(64),
    password_width=st.just(255),
    home_width=st.just(255),
)
SEEN = SEEN | SEEN.map(end_with_its_shares)


@st.composite
def draw_case(draw):
    """Return a wish and what there is. A plain password is compared with the row when there is one."""
    desired, seen = draw(WISHES), draw(SEEN)
    if desired.password and seen.rows:
        seen = seen._replace(password_verified=draw(st.sampled_from([None, True, False])))
    return desired, seen


CASES = draw_case()
many = settings(max_examples=300, deadline=None)


def plan_or_none(desired, seen, site):
    try:
        return plan_account(desired, seen, site)
    except TempoftpError:
        return None


def may_log_in(row):
    """Return what the login query of pure-ftpd finds."""
    return row.status == "1" and (row.expires is None or row.expires > format_time(NOW))


def name_outcome(desired, seen, site):
    """Return in a few words what the plan does. The names are those of ``OUTCOMES``."""
    try:
        plan = plan_account(desired, seen, site)
    except TempoftpError as error:
        return f"{desired.state}: {error.error_class}"
    if plan.skipped_reason or plan.kept_reason:
        written = ", written" if plan.writes_row else ""
        return f"{desired.state}: {plan.skipped_reason or plan.kept_reason}{written}"
    if plan.origin == ADOPTED:
        return f"{desired.state}: adopted"
    if plan.before is None or plan.row is None:
        return f"{desired.state}: {'made' if plan.row else 'removed' if plan.before else 'not there'}"
    return f"{desired.state}: {'changed' if plan.changed else 'unchanged'}, {plan.state}"


OUTCOMES = [
    "present: made",
    "present: changed, present",
    "present: changed, blocked",
    "present: unchanged, present",
    "present: adopted",
    "present: no_delivered_share",
    "blocked: changed, blocked",
    "blocked: unchanged, blocked",
    "blocked: adopted",
    "blocked: not there",
    "absent: removed",
    "absent: not there",
    "absent: live_shares",
    "absent: adopted",
    "swept: removed",
    "swept: not there",
    "swept: live_shares",
    "swept: live_shares, written",
    "swept: adopted",
]


def test_the_examples_reach_every_outcome():
    """The properties below say nothing of an outcome that the examples never reach. Refusals are tested above."""
    counts = Counter()

    @settings(max_examples=1200, deadline=None, derandomize=True, database=None)
    @given(CASES, SITES)
    def count(case, site):
        counts[name_outcome(*case, site)] += 1

    count()
    assert {outcome for outcome in OUTCOMES if not counts[outcome]} == set(), counts
    planned = (
        "present: made",
        "present: changed, present",
        "present: unchanged, present",
        "present: adopted",
    )
    assert sum(counts[outcome] for outcome in planned) > 100, counts


@pytest.mark.parametrize("state", ["present", "absent", "blocked", SWEPT])
@settings(max_examples=150, deadline=None)
@given(case=CASES, site=SITES)
def test_the_second_run_changes_nothing(state, case, site):
    desired, seen = case[0]._replace(state=state), case[1]
    plan = plan_or_none(desired, seen, site)
    if plan is None:
        return
    fixed = {entry.id: entry for entry in plan.times}
    after = SeenAccount(
        # A plain password is hashed into the row once the plan is made.
        rows=() if plan.row is None else (plan.row._replace(password=HASH) if plan.hash_with else plan.row,),
        record=plan.record,
        password_verified=True if plan.hash_with else seen.password_verified,
        shares=tuple(
            share._replace(ready_at=fixed[share.id].ready_at, expires=fixed[share.id].expires)
            if share.id in fixed
            else share
            for share in seen.shares
        ),
    )
    again = plan_account(desired, after, site)
    if any(entry.expires <= format_time(NOW) for entry in plan.times):
        # Made so short that it is over now, and counts no more: a second sweep may take the account away.
        assert state == SWEPT or not again.changed
        return
    assert not again.changed
    assert (again.state, again.skipped_reason, again.kept_reason) == (
        plan.state,
        plan.skipped_reason,
        plan.kept_reason,
    )


@pytest.mark.parametrize("state", ["present", "absent", "blocked", SWEPT])
@settings(max_examples=150, deadline=None)
@given(case=CASES, site=SITES)
def test_an_active_row_that_is_written_is_never_dangerous(state, case, site):
    desired, seen = case[0]._replace(state=state), case[1]
    plan = plan_or_none(desired, seen, site)
    if plan is None or plan.row is None or not plan.writes_row or plan.row.status != "1":
        return
    assert plan.row.uid >= 1000
    assert plan.row.gid >= 1000
    assert plan.row.home == f"/data/{NAME}"


@many
@given(CASES, st.sampled_from([THEIRS, None]), st.booleans())
def test_an_account_that_tempoftp_did_not_create_is_never_written(case, record, fits):
    desired, seen = case
    rows = (ROW,) if fits else seen.rows
    plan = plan_or_none(desired, seen._replace(record=record, rows=rows), SHARED)
    if rows and plan is not None:
        assert not plan.writes_row
        assert not plan.end_sessions


@many
@given(CASES)
def test_an_account_is_active_only_while_a_share_is_visible(case):
    desired, seen = case
    plan = plan_or_none(desired, seen, SHARED)
    if plan is None or plan.origin != CREATED or not plan.times or plan.row is None:
        return
    if all(share.hidden for share in seen.shares if share.arrived and not share.is_over(NOW)):
        assert plan.state == "blocked"
    if desired.state == SWEPT and seen.row is not None and seen.row.status != "1":
        assert plan.state == "blocked"


@many
@given(CASES)
def test_no_late_password_is_ever_set(case):
    desired, seen = case
    plan = plan_or_none(desired, seen, SHARED)
    late = seen.record and desired.password_generation is not None
    if plan is None or not plan.times or not late or seen.row is None:
        return
    if desired.password_generation < seen.record.password_generation:
        assert plan.row.password == seen.row.password
        assert plan.record == seen.record


@many
@given(SEEN)
def test_the_sweep_removes_no_account_with_a_live_share_and_creates_none(seen):
    plan = plan_or_none(DesiredAccount(NAME, SWEPT), seen, SHARED)
    if plan is None:
        return
    live = any(share.live and not share.is_over(NOW) for share in seen.shares)
    assert (plan.row is None) == (seen.row is None or (not live and plan.origin == CREATED))


@many
@given(SEEN, SITES)
def test_the_sweep_allows_no_login_and_changes_only_status_and_end(seen, site):
    plan = plan_or_none(DesiredAccount(NAME, SWEPT), seen, site._replace(shares_root="/data"))
    if plan is None or plan.row is None:
        return
    assert plan.row._replace(status=seen.row.status, expires=seen.row.expires) == seen.row
    if not may_log_in(seen.row):
        assert not may_log_in(plan.row)


@many
@given(CASES)
def test_an_account_that_tempoftp_created_ends_with_its_last_share(case):
    desired, seen = case
    plan = plan_or_none(desired, seen, SHARED)
    if plan is None or plan.origin != CREATED or desired.state != "present" or plan.skipped_reason:
        return
    assert plan.row.expires == max(entry.expires for entry in plan.times)
    for share in seen.shares:
        if share.arrived and not share.is_over(NOW) and share.promised and share.expires:
            assert plan.row.expires >= share.promised


@given(draw_shares())
def test_a_share_lives_its_days_from_the_moment_it_is_ready(shares):
    by_id = {share.id: share for share in shares}
    for entry in plan_times(shares, SHARED):
        share = by_id[entry.id]
        assert share.arrived
        assert require_time(entry.expires) - require_time(entry.ready_at) == share.lifetime_days * DAY
        if share.ready_at and share.expires:
            assert entry.ready_at == share.ready_at
        if not entry.fixed:
            assert (entry.ready_at, entry.expires) == (share.ready_at, share.expires)
