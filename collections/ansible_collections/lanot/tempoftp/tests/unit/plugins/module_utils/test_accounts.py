# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for one account: what is wished and what is there → what will be."""

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
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = 1_900_000_000
DAY = 86400
NAME = "ftp_alguien"
HASH = "$2b$12$" + "a" * 53
OTHER_HASH = "$2b$12$" + "b" * 53
ALONE = AccountSite(now=NOW, has_expires=True, mysql_crypt="any", password_width=255)
SHARED = ALONE._replace(shares_root="/data")
ROW = UserRow(NAME, HASH, 2001, 2001, f"/data/{NAME}", "1")
OURS = Account(NAME, CREATED, "2030-01-01T00:00:00Z")
THEIRS = Account(NAME, ADOPTED, "2030-01-01T00:00:00Z")
WISH = DesiredAccount(NAME, password_hash=HASH)


def build_share(share_id="s1", state="delivered", days=3, ready_at=None, expires=None):
    return Manifest(
        share_id, 1, NAME, "source1:/x", state=state, lifetime_days=days, ready_at=ready_at, expires=expires
    )


def build_ready_share(share_id, ready, days):
    return build_share(
        share_id, days=days, ready_at=format_time(ready), expires=format_time(ready + days * DAY)
    )


NOTHING = SeenAccount()


def refusal(desired, seen=NOTHING, site=SHARED):
    with pytest.raises(TempoftpError) as caught:
        plan_account(desired, seen, site)
    return caught.value


# ---- present, alone


def test_a_missing_account_is_made_with_the_defaults():
    plan = plan_account(WISH, SeenAccount(), ALONE)
    assert plan.row == ROW
    assert (plan.changed, plan.state, plan.origin) == (True, "present", None)


def test_a_plain_password_is_left_to_be_hashed_with_the_best_scheme():
    plan = plan_account(DesiredAccount(NAME, password="a password"), SeenAccount(), ALONE)
    assert (plan.hash_with, plan.row.password) == ("argon2id", "")


def test_an_account_as_wished_is_left_alone():
    assert not plan_account(WISH, SeenAccount(rows=(ROW,)), ALONE).changed


def test_an_existing_password_is_not_touched():
    plan = plan_account(WISH._replace(password_hash=OTHER_HASH), SeenAccount(rows=(ROW,)), ALONE)
    assert (plan.row.password, plan.changed) == (HASH, False)


def test_an_existing_password_is_changed_when_that_is_asked_for():
    desired = WISH._replace(password_hash=OTHER_HASH, update_password="always")
    plan = plan_account(desired, SeenAccount(rows=(ROW,)), ALONE)
    assert (plan.row.password, plan.changed) == (OTHER_HASH, True)


@pytest.mark.parametrize(("verified", "hash_with"), [(True, None), (False, "argon2id"), (None, "argon2id")])
def test_a_plain_password_is_hashed_again_only_when_it_is_another_one(verified, hash_with):
    desired = DesiredAccount(NAME, password="a password", update_password="always")
    plan = plan_account(desired, SeenAccount(rows=(ROW,), password_verified=verified), ALONE)
    assert (plan.hash_with, plan.changed) == (hash_with, hash_with is not None)


def test_what_is_not_said_of_an_existing_account_stays():
    row = ROW._replace(uid=3000, gid=3000, home=f"/srv/{NAME}", expires="2031-01-01T00:00:00Z")
    assert plan_account(WISH, SeenAccount(rows=(row,)), ALONE).row == row


def test_a_blocked_account_may_log_in_again():
    plan = plan_account(WISH, SeenAccount(rows=(ROW._replace(status="0"),)), ALONE)
    assert plan.row == ROW


def test_an_end_is_written_when_given():
    plan = plan_account(WISH._replace(expires="2031-01-01T00:00:00Z"), SeenAccount(rows=(ROW,)), ALONE)
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
    error = refusal(WISH._replace(**change), SeenAccount(shares=(build_share(),)), site)
    assert error.error_class == "invalid"
    assert message in error.message


@pytest.mark.parametrize(
    "change", [{"uid": 0}, {"gid": 0}, {"home": "/"}, {"home": "/data"}, {"home": "/data/otra"}]
)
def test_a_dangerous_row_is_never_confirmed(change):
    error = refusal(WISH, SeenAccount(rows=(ROW._replace(**change),)), ALONE)
    assert error.error_class == "account_conflict"


def test_a_dangerous_row_may_be_blocked_and_removed():
    seen = SeenAccount(rows=(ROW._replace(uid=0, home="/"),))
    assert plan_account(WISH._replace(state="blocked"), seen, ALONE).state == "blocked"
    assert plan_account(WISH._replace(state="absent"), seen, ALONE).state == "absent"


@pytest.mark.parametrize("site", [ALONE, SHARED])
@pytest.mark.parametrize("lookalike", ["FTP_ALGUIEN", "ftp_alguien "])
def test_a_name_that_the_collation_confuses_is_a_conflict(site, lookalike):
    error = refusal(WISH, SeenAccount(lookalikes=(lookalike,), shares=(build_share(),)), site)
    assert error.error_class == "account_conflict"


@pytest.mark.parametrize("state", ["present", "blocked", "absent"])
def test_an_account_that_stands_twice_is_a_conflict(state):
    error = refusal(WISH._replace(state=state), SeenAccount(rows=(ROW, ROW)), ALONE)
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
    assert refusal(WISH._replace(**change), site=site).error_class == "password_scheme"


# ---- present, for shares


def test_an_account_waits_for_its_first_delivered_share():
    for shares in ((), (build_share(state="copying"),)):
        plan = plan_account(WISH, SeenAccount(shares=shares), SHARED)
        assert (plan.skipped_reason, plan.changed, plan.state) == ("no_delivered_share", False, "absent")


def test_the_first_delivered_share_makes_the_account_and_fixes_its_times():
    plan = plan_account(WISH, SeenAccount(shares=(build_share(days=3),)), SHARED)
    assert plan.row == ROW._replace(expires=format_time(NOW + 3 * DAY))
    assert plan.record == Account(NAME, CREATED, format_time(NOW))
    assert [(t.id, t.ready_at, t.expires, t.fixed) for t in plan.times] == [
        ("s1", format_time(NOW), format_time(NOW + 3 * DAY), True)
    ]


def test_a_table_without_expires_gets_none():
    plan = plan_account(WISH, SeenAccount(shares=(build_share(),)), SHARED._replace(has_expires=False))
    assert plan.row.expires is None
    assert plan.times[0].expires == format_time(NOW + 3 * DAY)


def test_times_once_fixed_stay():
    share = build_ready_share("s1", NOW - DAY, 3)
    row = ROW._replace(expires=share.expires)
    plan = plan_account(WISH, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert not plan.changed
    assert plan.times[0][2:] == (share.ready_at, share.expires, False)


def test_an_account_lives_as_long_as_its_longest_share():
    long, short = build_ready_share("long", NOW, 30), build_ready_share("short", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(expires=short.expires),), record=OURS, shares=(long, short))
    assert plan_account(WISH, seen, SHARED).row.expires == long.expires


def test_a_row_of_ours_that_drifted_is_put_right():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(uid=1, gid=0, home="/", status="0", expires=None)
    plan = plan_account(WISH, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert plan.row == ROW._replace(expires=share.expires)


def test_a_share_that_is_over_does_not_count():
    share = build_ready_share("s1", NOW - 3 * DAY, 3)
    plan = plan_account(WISH, SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED)
    assert plan.skipped_reason == "no_delivered_share"
    assert not plan.changed


def test_a_kill_after_the_record_does_not_make_the_account_a_foreign_one():
    plan = plan_account(WISH, SeenAccount(record=OURS, shares=(build_share(),)), SHARED)
    assert (plan.origin, plan.record, plan.state) == (CREATED, OURS, "present")


def test_an_account_of_ours_whose_hash_became_the_password_is_not_confirmed():
    seen = SeenAccount(rows=(ROW,), record=OURS, shares=(build_share(),))
    assert refusal(WISH, seen, SHARED._replace(mysql_crypt="md5")).error_class == "password_scheme"


def test_a_name_that_can_never_be_is_said_before_anything_is_copied():
    assert refusal(WISH._replace(name="Juan.Perez")).error_class == "invalid"


# ---- accounts that were there before

MAPPED = WISH._replace(adopt=True)


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
def test_an_account_that_fits_is_not_taken_over_unless_somebody_said_whose_it_is(record, shares):
    error = refusal(WISH, SeenAccount(rows=(ROW,), record=record, shares=shares))
    assert (error.error_class, error.transient) == ("account_conflict", False)
    assert f"tempoftp account map EMAIL {NAME}" in error.message


def test_an_account_of_ours_needs_nobody_to_say_so():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(expires=share.expires)
    for desired in (WISH, MAPPED):
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


def test_an_adopted_account_that_is_gone_is_not_made():
    assert (
        refusal(MAPPED, SeenAccount(record=THEIRS, shares=(build_share(),))).error_class == "account_conflict"
    )


@pytest.mark.parametrize("state", ["absent", "blocked"])
@pytest.mark.parametrize("record", [None, THEIRS])
def test_an_account_that_tempoftp_did_not_create_is_neither_blocked_nor_removed(state, record):
    plan = plan_account(WISH._replace(state=state), SeenAccount(rows=(ROW,), record=record), SHARED)
    assert (plan.kept_reason, plan.changed, plan.end_sessions) == ("adopted", False, False)


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
    plan = plan_account(WISH, seen, SHARED)
    ends = format_time(NOW - DAY + days * DAY)
    assert plan.times[0][2:] == (share.ready_at, ends, True)
    assert plan.row.expires == ends


def test_a_share_that_is_over_is_not_extended_once_it_ended_by_both_ends():
    over = build_ready_share("s1", NOW - 5 * DAY, 3)
    plan = plan_account(WISH, SeenAccount(rows=(ROW,), record=OURS, shares=(over,)), SHARED)
    assert plan.skipped_reason == "no_delivered_share"
    extended = over._replace(lifetime_days=9)  # written down in time, confirmed late
    plan = plan_account(WISH, SeenAccount(rows=(ROW,), record=OURS, shares=(extended,)), SHARED)
    assert plan.times[0].expires == format_time(NOW + 4 * DAY)


def test_a_blocked_share_leaves_the_others_and_the_last_one_blocks_the_login():
    one, other = build_ready_share("s1", NOW, 3), build_ready_share("s2", NOW, 3)
    hidden = one._replace(state="blocked", hidden=True)
    row = ROW._replace(expires=one.expires)
    plan = plan_account(WISH, SeenAccount(rows=(row,), record=OURS, shares=(hidden, other)), SHARED)
    assert (plan.state, plan.end_sessions, plan.changed) == ("present", False, False)
    on_its_way = build_share("s3", "copying")
    plan = plan_account(WISH, SeenAccount(rows=(row,), record=OURS, shares=(hidden, on_its_way)), SHARED)
    assert (plan.state, plan.end_sessions, plan.row.expires) == ("blocked", True, one.expires)
    back = SeenAccount(rows=(plan.row,), record=OURS, shares=(one,))
    assert plan_account(WISH, back, SHARED).state == "present"


def test_a_blocked_account_stays_blocked_and_its_shares_may_be_extended():
    share = build_ready_share("s1", NOW, 3)._replace(lifetime_days=9)
    seen = SeenAccount(rows=(ROW,), record=OURS, shares=(share,))
    plan = plan_account(WISH._replace(state="blocked"), seen, SHARED)
    assert (plan.state, plan.row.expires) == ("blocked", format_time(NOW + 9 * DAY))
    assert plan.times[0].fixed


def test_an_account_that_does_not_fit_can_still_be_blocked():
    share = build_ready_share("s1", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(uid=0, home="/"),), record=OURS, shares=(share,))
    plan = plan_account(WISH._replace(state="blocked"), seen, SHARED._replace(mysql_crypt="md5"))
    assert plan.state == "blocked"


# ---- passwords, counted


@pytest.mark.parametrize(("number", "error_class"), [(0, "stale"), (1, None), (2, None), (None, None)])
def test_a_late_password_is_refused(number, error_class):
    share = build_ready_share("s1", NOW, 3)
    record = OURS._replace(password_generation=1)
    seen = SeenAccount(rows=(ROW._replace(expires=share.expires),), record=record, shares=(share,))
    desired = WISH._replace(password_hash=OTHER_HASH, update_password="always", password_generation=number)
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
    desired = WISH._replace(state="blocked", password_hash=OTHER_HASH, update_password="always")
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
def test_the_number_of_the_password_that_the_account_has_is_kept(change, verified):
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(expires=share.expires)
    seen = SeenAccount(rows=(row,), record=OURS, shares=(share,), password_verified=verified)
    plan = plan_account(DesiredAccount(NAME, password_generation=5, **change), seen, SHARED)
    assert plan.record.password_generation == 5


def test_the_number_of_a_password_that_is_not_set_is_not_kept():
    share = build_ready_share("s1", NOW, 3)
    seen = SeenAccount(rows=(ROW._replace(expires=share.expires),), record=OURS, shares=(share,))
    plan = plan_account(WISH._replace(password_hash=OTHER_HASH, password_generation=5), seen, SHARED)
    assert (plan.changed, plan.record.password_generation) == (False, 0)


# ---- blocked and absent


def test_blocking_keeps_the_row_and_its_password_and_ends_the_sessions():
    plan = plan_account(WISH._replace(state="blocked"), SeenAccount(rows=(ROW,), record=OURS), SHARED)
    assert plan.row == ROW._replace(status="0")
    assert (plan.state, plan.end_sessions) == ("blocked", True)


def test_blocking_what_is_not_there_makes_nothing():
    plan = plan_account(WISH._replace(state="blocked"), SeenAccount(), SHARED)
    assert (plan.state, plan.changed) == ("absent", False)


def test_removing_takes_the_row_the_record_and_the_sessions():
    plan = plan_account(WISH._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS), SHARED)
    assert (plan.row, plan.record, plan.state, plan.end_sessions) == (None, None, "absent", True)


def test_sessions_are_left_when_that_is_asked_for():
    for state in ("blocked", "absent"):
        desired = WISH._replace(state=state, end_sessions=False)
        assert not plan_account(desired, SeenAccount(rows=(ROW,)), ALONE).end_sessions


def test_a_kill_after_the_delete_leaves_a_record_that_the_next_run_removes():
    plan = plan_account(WISH._replace(state="absent"), SeenAccount(record=OURS), SHARED)
    assert (plan.record, plan.changed, plan.writes_row) == (None, True, False)


@pytest.mark.parametrize(
    "share", [build_share(), build_share(state="copying"), build_ready_share("s1", NOW, 1)]
)
def test_an_account_with_a_live_share_is_kept(share):
    plan = plan_account(
        WISH._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED
    )
    assert (plan.kept_reason, plan.changed, plan.end_sessions) == ("live_shares", False, False)


def test_an_account_whose_shares_are_over_may_go():
    share = build_ready_share("s1", NOW - DAY, 1)
    plan = plan_account(
        WISH._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, shares=(share,)), SHARED
    )
    assert plan.state == "absent"


def test_an_account_is_not_removed_while_a_manifest_cannot_be_read():
    error = refusal(
        WISH._replace(state="absent"), SeenAccount(rows=(ROW,), record=OURS, damaged=("s9.json",))
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
def test_the_sweep_does_not_write_an_open_row_that_gives_more_than_a_share(change):
    seen = SeenAccount(rows=(ROW._replace(**change),), record=OURS, shares=(build_ready_share("s1", NOW, 3),))
    assert refusal(SWEEP, seen).error_class == "account_conflict"


def test_the_sweep_writes_a_closed_row_whatever_it_gives():
    share = build_ready_share("s1", NOW, 3)
    row = ROW._replace(uid=0, home="/", status="0")
    plan = plan_account(SWEEP, SeenAccount(rows=(row,), record=OURS, shares=(share,)), SHARED)
    assert plan.row == row._replace(expires=share.expires)


@pytest.mark.parametrize("ago", [0, DAY])
def test_the_sweep_leaves_an_end_that_is_past(ago):
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


# ---- whatever comes

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
    shares_root=mostly("/data", None),
    default_uid=st.just(2001),
    default_gid=st.just(2001),
    min_uid=st.just(1000),
    has_expires=mostly(True, False),
    mysql_crypt=mostly("any", "md5"),
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
def test_what_is_written_to_log_in_is_never_dangerous(state, case, site):
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
def test_an_account_is_open_only_while_it_has_something_to_show(case):
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
def test_the_sweep_removes_no_account_that_has_a_live_share_and_makes_none(seen):
    plan = plan_or_none(DesiredAccount(NAME, SWEPT), seen, SHARED)
    if plan is None:
        return
    live = any(share.live and not share.is_over(NOW) for share in seen.shares)
    assert (plan.row is None) == (seen.row is None or (not live and plan.origin == CREATED))


@many
@given(SEEN, SITES)
def test_the_sweep_lets_nobody_in_and_changes_only_the_end_of_an_account(seen, site):
    plan = plan_or_none(DesiredAccount(NAME, SWEPT), seen, site._replace(shares_root="/data"))
    if plan is None or plan.row is None:
        return
    assert plan.row._replace(status=seen.row.status, expires=seen.row.expires) == seen.row
    if not may_log_in(seen.row):
        assert not may_log_in(plan.row)


@many
@given(CASES)
def test_an_account_of_ours_ends_with_its_last_share(case):
    desired, seen = case
    plan = plan_or_none(desired, seen, SHARED)
    if plan is None or plan.origin != CREATED or desired.state != "present" or plan.skipped_reason:
        return
    assert plan.row.expires == max(entry.expires for entry in plan.times)
    for share in seen.shares:
        if share.arrived and not share.is_over(NOW) and share.promised and share.expires:
            assert plan.row.expires >= share.promised


@given(st.integers(0, 2**33))
def test_a_time_is_read_as_it_is_written(seconds):
    assert require_time(format_time(seconds)) == seconds


@given(st.text(max_size=24))
def test_any_text_is_a_time_or_invalid(text):
    try:
        seconds = require_time(text, canonical=True)
    except TempoftpError as error:
        assert error.error_class == "invalid"
    else:
        assert format_time(seconds) == text


@given(draw_shares())
def test_a_share_lives_its_days_from_the_moment_it_is_ready(shares):
    by_id = {share.id: share for share in shares}
    for entry in plan_times(shares, NOW):
        share = by_id[entry.id]
        assert share.arrived
        assert require_time(entry.expires) - require_time(entry.ready_at) == share.lifetime_days * DAY
        if share.ready_at and share.expires:
            assert entry.ready_at == share.ready_at
        if not entry.fixed:
            assert (entry.ready_at, entry.expires) == (share.ready_at, share.expires)
