# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pure plan of a sweep: what is due by the host's own time, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import add_days, format_time
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.accounts import Account
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.evictions import Eviction
from ansible_collections.lanot.tempoftp.plugins.module_utils._sweep.plan import (
    Library,
    Staging,
    SweepPlan,
    SweepSeen,
    plan_sweep,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000
DAY = 86400
DAYS = 7
SEEN = SweepSeen(NOW, NOW)
OURS = Account("ftp_x", "created", "then")


def build_share(share_id: str = "p1", ago: int = 2, days: int = 1, **changes: Any) -> Manifest:
    """Return a share that became ready some days ago."""
    ready = format_time(NOW - ago * DAY)
    share = Manifest(share_id, 1, "ftp_x", "h:/x", state="delivered", lifetime_days=days, ready_at=ready)
    return share._replace(**{"expires": add_days(ready, days), **changes})


def plan(**changes: Any) -> SweepPlan:
    return plan_sweep(SEEN._replace(**changes), DAYS)


def test_an_empty_host_has_nothing_due() -> None:
    assert plan() == SweepPlan()


@pytest.mark.parametrize(
    ("share", "due"),
    [
        (build_share(ago=2, days=1), True),
        (build_share(ago=1, days=1), True),
        (build_share(ago=1, days=2), False),
        (build_share(ago=2, days=1, state="blocked", hidden=True), True),
        (build_share(ago=2, days=1, state="absent"), True),
        (build_share(ago=0, days=9, state="absent"), True),
        (build_share(ready_at=None, expires=None, state="copying"), False),
        (build_share(ready_at=None, expires=None), False),
        # Extended, and not yet confirmed with its account.
        (build_share(ago=2, days=1)._replace(lifetime_days=5), False),
        # Shortened, and not yet confirmed: what was promised holds.
        (build_share(ago=2, days=5)._replace(lifetime_days=1), False),
    ],
)
def test_a_share_is_due_when_its_time_is_up(share: Manifest, due: bool) -> None:
    found = plan(manifests=(share,), records=(OURS,))
    assert (found.shares == ("p1",)) is due
    assert (found.accounts == ("ftp_x",)) is due
    ends = share.ends_at if not due and share.expires else None
    assert found.next_end == ends


def test_the_next_end_is_the_first_of_those_that_live_on() -> None:
    shares = (build_share("p1", 2, 1), build_share("p2", 1, 5), build_share("p3", 1, 3))
    assert plan(manifests=shares).next_end == format_time(NOW + 2 * DAY)


def test_an_account_that_outlived_its_shares_is_finished() -> None:
    assert plan(records=(OURS,)).accounts == ("ftp_x",)
    assert plan(records=(OURS,), manifests=(build_share(ago=0),)).accounts == ()
    assert plan(records=(OURS._replace(origin="adopted"),)).accounts == ()
    assert plan(manifests=(build_share(),)).accounts == ()


def test_a_damaged_manifest_is_left_alone_and_stops_no_other() -> None:
    seen: dict[str, Any] = {
        "damaged": ("p1.json",),
        "manifests": (build_share("p2"),),
        "trash": ("p1",),
        "staging": (Staging("p1", 0.0, 0.0),),
    }
    found = plan(**seen)
    assert (found.shares, found.orphans, found.failed) == (("p2",), (), ())


COPYING = Manifest("p1", 1, "ftp_x", "h:/x")


@pytest.mark.parametrize(
    ("staged", "failed"),
    [
        (Staging("p1", NOW - 9 * DAY, NOW - 8 * DAY), ("p1",)),
        (Staging("p1", NOW - 9 * DAY, NOW - 6 * DAY), ()),
        (Staging("p1", NOW - 9 * DAY, NOW - 8 * DAY, copying=True), ()),
        (Staging("p1", NOW - 9 * DAY, None), ()),
    ],
)
def test_a_share_whose_copy_failed_long_ago_is_given_up(staged: Staging, failed: tuple[str, ...]) -> None:
    found = plan(manifests=(COPYING,), staging=(staged,), records=(OURS,))
    assert found.failed == found.shares == failed
    assert bool(found.accounts) == bool(failed)
    delivered = plan(manifests=(build_share(ago=0),), staging=(staged,))
    assert delivered.failed == delivered.shares == ()


@pytest.mark.parametrize(
    ("staged", "orphan"),
    [
        (Staging("p9", NOW - 8 * DAY), True),
        (Staging("p9", NOW - 6 * DAY), False),
        (Staging("p9", NOW - 8 * DAY, copying=True), False),
        (Staging("p1", NOW - 8 * DAY), False),
    ],
)
def test_staging_without_a_share_is_due_after_some_days(staged: Staging, orphan: bool) -> None:
    assert (plan(manifests=(COPYING,), staging=(staged,)).orphans == ("p9",)) is orphan


@pytest.mark.parametrize(
    ("library", "goes"),
    [
        (Library("a", NOW - 15 * DAY, current=False), True),
        (Library("a", NOW - 13 * DAY, current=False), False),
        (Library("a", NOW - 99 * DAY, current=True), False),
    ],
)
def test_programs_of_earlier_releases_go(library: Library, goes: bool) -> None:
    assert (plan(libraries=(library,)).libraries == ("a",)) is goes


# ---- whatever comes

days = st.integers(1, 9)
shares = st.builds(
    build_share,
    st.sampled_from([f"p{number}" for number in range(5)]),
    st.integers(0, 9),
    days,
    ftpuser=st.sampled_from(["ftp_x", "ftp_y"]),
    lifetime_days=days,
    state=st.sampled_from(["copying", "delivered", "blocked", "absent"]),
)
seens = st.builds(
    SEEN._replace,
    manifests=st.lists(shares, max_size=5, unique_by=lambda share: share.id).map(tuple),
    damaged=st.sampled_from([(), ("p5.json",)]),
    records=st.lists(
        st.builds(
            Account, st.sampled_from(["ftp_x", "ftp_y"]), st.sampled_from(["created", "adopted"]), st.just("")
        ),
        max_size=2,
        unique_by=lambda record: record.name,
    ).map(tuple),
    trash=st.sampled_from([(), ("p1",), ("p5", "p6")]),
    evictions=st.sampled_from([(), (Eviction("p1", "ftp_x"),)]),
    staging=st.lists(
        st.builds(
            Staging,
            st.sampled_from(["p0", "p1", "p5", "p7"]),
            st.integers(0, 20).map(lambda ago: NOW - ago * DAY),
            st.none() | st.integers(0, 20).map(lambda ago: NOW - ago * DAY),
            st.booleans(),
        ),
        max_size=3,
        unique_by=lambda staged: staged.id,
    ).map(tuple),
)


@given(seens)
def test_nothing_is_ended_before_both_its_ends(seen: SweepSeen) -> None:
    found = plan_sweep(seen, DAYS)
    known = {share.id: share for share in seen.manifests}
    for share_id in found.shares:
        share = known.get(share_id)
        if share is None or not share.live or share_id in found.failed:
            continue
        assert share.expires is not None and share.promised is not None
        ended = max(share.expires, share.promised) <= format_time(NOW)
        assert ended or share_id in seen.trash


@given(seens)
def test_everything_that_is_over_is_due_unless_it_is_unreadable(seen: SweepSeen) -> None:
    found = plan_sweep(seen, DAYS)
    for share in seen.manifests:
        if not share.live or share.is_over(NOW):
            assert share.id in found.shares
        elif share.ends_at is not None and share.id not in found.shares:
            assert found.next_end is not None and found.next_end <= share.ends_at
    assert set(seen.trash) - set(found.shares) <= {"p5"}


@given(seens)
def test_accounts_that_tempoftp_did_not_create_are_never_due(seen: SweepSeen) -> None:
    ours = {record.name for record in seen.records if record.origin == "created"}
    assert set(plan_sweep(seen, DAYS).accounts) <= ours


@given(seens)
def test_staging_of_what_is_copied_is_never_touched(seen: SweepSeen) -> None:
    found = plan_sweep(seen, DAYS)
    for staged in seen.staging:
        if staged.copying:
            assert staged.id not in (*found.failed, *found.orphans)
