# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is seen of one account, what will be of it, and when its shares end. Pure values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._host.times import format_time
from .._record.accounts import Account
from .._record.manifest import Manifest
from .users_table import ACTIVE, BLOCKED, UserRow

CREATED = "created"
ADOPTED = "adopted"
NO_DELIVERED_SHARE = "no_delivered_share"
LIVE_SHARES = "live_shares"
_DAY = 86400


class SeenAccount(NamedTuple):
    """What there is. ``shares``: the account's live manifests; ``damaged``: manifests nobody can read.

    ``password_verified``: whether a plain password of the wish opens the row; None when unknown.
    """

    rows: tuple[UserRow, ...] = ()
    lookalikes: tuple[str, ...] = ()
    record: Optional[Account] = None
    shares: tuple[Manifest, ...] = ()
    damaged: tuple[str, ...] = ()
    password_verified: Optional[bool] = None

    @property
    def row(self) -> Optional[UserRow]:
        """The account's row, or None."""
        return self.rows[0] if self.rows else None


class ShareTimes(NamedTuple):
    """When a share became ready and when it ends. ``fixed``: by this plan, so the manifest has yet to be written."""

    id: str
    generation: int
    ready_at: str
    expires: str
    fixed: bool


class AccountPlan(NamedTuple):
    """What will be. ``hash_with``: the scheme with which a plain password is yet to be hashed into ``row``."""

    before: Optional[UserRow]
    row: Optional[UserRow]
    record_before: Optional[Account] = None
    record: Optional[Account] = None
    origin: Optional[str] = None
    times: tuple[ShareTimes, ...] = ()
    hash_with: Optional[str] = None
    end_sessions: bool = False
    skipped_reason: Optional[str] = None
    kept_reason: Optional[str] = None

    @property
    def writes_row(self) -> bool:
        """Whether the users table is written."""
        return self.before != self.row or self.hash_with is not None

    @property
    def changed(self) -> bool:
        """Whether anything is written."""
        return self.writes_row or self.record_before != self.record or any(t.fixed for t in self.times)

    @property
    def state(self) -> str:
        """The account's state once the plan is applied."""
        if self.row is None:
            return "absent"
        return "present" if self.row.status == ACTIVE else "blocked"


def list_arrived(shares: Sequence[Manifest], now: float) -> list[Manifest]:
    """Return the shares that are here, seen or blocked, and whose time is not up."""
    return [share for share in shares if share.arrived and not share.is_over(now)]


def plan_times(shares: Sequence[Manifest], now: float) -> tuple[ShareTimes, ...]:
    """Return the times of the shares that are here: from *now* on for a new one, else as once fixed.

    ``ready_at`` stays for ever; the end follows the number of days that is wished.
    """
    times = []
    for share in list_arrived(shares, now):
        if share.ready_at is None or share.expires is None:
            ends = format_time(int(now) + share.lifetime_days * _DAY)
            times.append(ShareTimes(share.id, share.generation, format_time(now), ends, True))
        else:
            ends = share.promised or share.expires
            times.append(ShareTimes(share.id, share.generation, share.ready_at, ends, ends != share.expires))
    return tuple(times)


def choose_status(shares: Sequence[Manifest], now: float) -> str:
    """Return BLOCKED while everything that is here for the account is blocked."""
    arrived = list_arrived(shares, now)
    return BLOCKED if arrived and all(share.hidden for share in arrived) else ACTIVE
