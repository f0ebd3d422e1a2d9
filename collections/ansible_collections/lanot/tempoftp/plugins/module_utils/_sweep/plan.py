# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The middle part of the sweep's look → plan → apply: which shares, accounts and files are due. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .._account.plan import ADOPTED
from .._host.times import DAY, format_time
from .._record.accounts import Account
from .._record.manifest import Manifest
from .._share.evictions import Eviction

# Seconds.
# Longer than any process that may have been started from it: a run, a copy (RuntimeMaxSec) or a sweep.
_LIBRARY_AGE = 14 * DAY


class Staging(NamedTuple):
    """The staging of one share. Times in seconds since the epoch; ``failed_at`` is None when the copy did not fail."""

    id: str
    changed_at: float
    failed_at: Optional[float] = None
    copying: bool = False


class Library(NamedTuple):
    """One folder of ``lib``. ``wanted_at``: when a module last installed or used it, in seconds since the epoch."""

    name: str
    wanted_at: float
    current: bool


class SweepSeen(NamedTuple):
    """What is on the host and may be due. ``held``: the shares that are kept out of their homes.

    ``now``: the time by which access ends, ``confirmed``: the time by which data may go, in seconds since the epoch;
    ``doubt``: whether the clock is so wrong that the two differ.
    """

    now: float
    confirmed: float
    doubt: bool = False
    held: tuple[str, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    damaged: tuple[str, ...] = ()
    records: tuple[Account, ...] = ()
    trash: tuple[str, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    staging: tuple[Staging, ...] = ()
    libraries: tuple[Library, ...] = ()


class SweepPlan(NamedTuple):
    """What is due. ``shares``: their time is up, or their end has begun. ``moved``: they leave their home
    since the clock is in doubt, or return to it. ``failed``: their copy failed and was not
    tried again in time. ``orphans``: staging without a share. ``next_end``: the next end of a share that is not due.
    """

    shares: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    libraries: tuple[str, ...] = ()
    next_end: Optional[str] = None


def plan_sweep(seen: SweepSeen, staging_days: int) -> SweepPlan:
    """Return what is due now."""
    # How old data is can only be said by a clock that is right.
    staging = () if seen.doubt else seen.staging
    failed = {entry.id for entry in staging if is_abandoned(entry, seen.confirmed, staging_days)}
    known = {manifest.id: manifest for manifest in seen.manifests}
    # The content of a damaged manifest is unknown: its share is not changed.
    unreadable = {name[: -len(".json")] for name in seen.damaged}
    ended = {share.id for share in seen.manifests if not share.live or share.is_over(seen.confirmed)}
    # Access ends by any clock, and comes back when the clock was wrong: the data stays.
    moved = {
        share.id
        for share in seen.manifests
        if share.arrived and not share.hidden and share.is_over(seen.now) != (share.id in seen.held)
    }
    given_up = {share_id for share_id in failed if share_id in known and known[share_id].state == "copying"}
    return SweepPlan(
        shares=tuple(sorted((ended | set(seen.trash) | given_up) - unreadable)),
        moved=tuple(sorted(moved - ended - unreadable)),
        failed=tuple(sorted(given_up - ended)),
        orphans=tuple(sorted(_list_orphans(seen, set(known) | unreadable, staging_days))),
        accounts=tuple(sorted(_list_accounts(seen, ended | given_up))),
        evictions=seen.evictions,
        libraries=tuple(sorted(entry.name for entry in seen.libraries if is_outdated(entry, seen.confirmed))),
        next_end=min(_list_ends(seen, ended), default=None),
    )


def is_abandoned(entry: Staging, now: float, staging_days: int) -> bool:
    """Whether a copy failed more than *staging_days* ago and does not run: it will not be tried again."""
    return entry.failed_at is not None and not entry.copying and is_older(entry.failed_at, now, staging_days)


def is_older(moment: float, now: float, days: int) -> bool:
    """Whether *moment* was more than some days before *now*. A time in the future was written by a wrong clock."""
    return now - moment > days * DAY or moment - now > DAY


def is_outdated(entry: Library, now: float) -> bool:
    """Whether a library is of an earlier release. The caller has to check that no process runs from it."""
    return not entry.current and now - entry.wanted_at > _LIBRARY_AGE


def _list_orphans(seen: SweepSeen, known: set[str], staging_days: int) -> set[str]:
    return {
        entry.id
        for entry in seen.staging
        if not seen.doubt
        and entry.id not in known
        and not entry.copying
        and is_older(entry.changed_at, seen.confirmed, staging_days)
    }


def _list_accounts(seen: SweepSeen, ending: set[str]) -> set[str]:
    """Return the created accounts of which a share ends now, and those that an earlier sweep failed to remove.

    Also those of a share that became ready in the future, by a clock that was wrong: its end is set again.
    """
    ours = {record.name for record in seen.records if record.origin != ADOPTED}
    live = {share.ftpuser for share in seen.manifests if share.live and share.id not in ending}
    losing = {share.ftpuser for share in seen.manifests if share.id in ending}
    if not seen.doubt:
        losing |= {
            share.ftpuser for share in seen.manifests if share.live and share.is_from_future(seen.confirmed)
        }
    return ours & (losing | (ours - live))


def _list_ends(seen: SweepSeen, ended: set[str]) -> list[str]:
    ends = [share.ends_at for share in seen.manifests if share.live and share.id not in ended]
    return [end for end in ends if end is not None and end > format_time(seen.now)]
