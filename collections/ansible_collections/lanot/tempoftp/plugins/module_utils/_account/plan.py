# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans one account: what is requested and what is there → what will be. Pure. Step 7 of docs/dataflow.md.

Check mode, diff and apply use the same plan. Without ``shares_root``, only the requested values count. With it, the
manifests of the account's shares count as well, and an account that tempoftp did not create is never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._host.errors import (
    AccountConflictError,
    ClockUnsureError,
    InvalidValueError,
    StaleGenerationError,
    TempoftpError,
)
from .._host.times import DAY, format_time
from .._record.accounts import Account
from .._record.manifest import Manifest
from .desired import (
    ALWAYS,
    SWEPT,
    AccountSite,
    DesiredAccount,
    build_home,
    check_desired,
    check_new_name,
    check_row,
)
from .passwords import check_hash, require_scheme
from .users_table import ACTIVE, BLOCKED, UserRow

CREATED = "created"
ADOPTED = "adopted"
NO_DELIVERED_SHARE = "no_delivered_share"
LIVE_SHARES = "live_shares"


class SeenAccount(NamedTuple):
    """What is there. ``shares``: the account's live manifests; ``damaged``: manifests that cannot be read.

    ``password_verified``: whether the requested plain password matches the stored hash; None when unknown.
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
    """When a share became ready and when it ends. ``fixed``: this plan sets the times, the manifest lacks them."""

    id: str
    generation: int
    ready_at: str
    expires: str
    fixed: bool


class AccountPlan(NamedTuple):
    """What will be written. ``hash_with``: the scheme by which the caller hashes the plain password into ``row``."""

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


def plan_account(desired: DesiredAccount, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    """Return the plan; raise TempoftpError when a requested value is refused or the present row does not fit."""
    check_desired(desired, site)
    if len(seen.rows) > 1:
        raise AccountConflictError(
            f"account {desired.name} stands {len(seen.rows)} times in the users table: remove all but one"
        )
    if desired.state == "absent":
        return _plan_absent(seen, site, desired)
    if desired.state == "blocked":
        return _plan_blocked(seen, site, desired)
    if desired.state == SWEPT:
        return _plan_swept(seen, site, desired)
    if seen.lookalikes:
        raise AccountConflictError(
            f"account {desired.name} cannot be distinguished from {', '.join(map(ascii, seen.lookalikes))} "
            "in the users table: rename that account, or choose another name"
        )
    if site.shares_root is None:
        return _plan_present(desired, seen, site)
    return _plan_present_for_shares(desired, seen, site)


def _plan_absent(seen: SeenAccount, site: AccountSite, desired: DesiredAccount) -> AccountPlan:
    plan = _keep(seen, site)
    if site.shares_root is not None and seen.row is not None:
        if plan.origin == ADOPTED:
            return plan._replace(kept_reason=ADOPTED)
        if _has_live_share(seen, site):
            return plan._replace(kept_reason=LIVE_SHARES)
        if seen.damaged:
            raise TempoftpError(
                f"account {desired.name} is kept: {', '.join(seen.damaged)} under {site.shares_root}/.tempoftp/shares "
                "cannot be read and may belong to it: look at it, then move it away"
            )
    return plan._replace(row=None, record=None, end_sessions=desired.end_sessions)


def _plan_blocked(seen: SeenAccount, site: AccountSite, desired: DesiredAccount) -> AccountPlan:
    plan = _keep(seen, site)
    if seen.row is None:
        return plan
    if plan.origin == ADOPTED:
        return plan._replace(kept_reason=ADOPTED)
    # A share that has no end yet gets none while the clock is in doubt; blocking does not wait for that.
    shares = [share for share in seen.shares if share.expires is not None or not site.clock_problem]
    times = plan_times(shares, site) if site.shares_root is not None else ()
    plan = plan._replace(row=seen.row._replace(status=BLOCKED), end_sessions=desired.end_sessions)
    if not times:
        return plan
    # The ends of its shares and its password are still updated. The rest of the row is not checked: an account whose
    # row does not fit must be blocked all the same.
    _check_password_generation(desired, plan.record)
    row, hash_with = _build_kept_row(desired, seen, site)
    row = row._replace(status=BLOCKED, expires=_choose_end(times, site))
    record = _note_password(plan.record, desired, row, seen, hash_with)
    return plan._replace(row=row, times=times, hash_with=hash_with, record=record)


def _plan_swept(seen: SeenAccount, site: AccountSite, desired: DesiredAccount) -> AccountPlan:
    """Plan an account after shares have ended: it is removed with its last share, else its end is the latest one left.

    The sweep never creates or unblocks an account, since it does not know what was requested. It does not write a row
    that grants more than access to a share: a person has to look at that row.
    """
    plan = _keep(seen, site)
    if not _has_live_share(seen, site) or (plan.origin == ADOPTED and seen.row is not None):
        return _plan_absent(seen, site, desired)
    times = plan_times([share for share in seen.shares if share.ready_at and share.expires], site)
    if seen.row is None or not times:
        return plan._replace(kept_reason=LIVE_SHARES)
    closed = seen.row.status != ACTIVE or choose_status(seen.shares, site.now) == BLOCKED
    row = seen.row._replace(
        status=BLOCKED if closed else ACTIVE,
        expires=_choose_end(times, site),
    )
    if row.status == ACTIVE:
        if _is_expired(seen.row, site):
            # A later end would allow logins again.
            row = seen.row
        else:
            check_row(row, site)
    return plan._replace(row=row, times=times, kept_reason=LIVE_SHARES)


def _plan_present(desired: DesiredAccount, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    if seen.row is None:
        row, hash_with = _build_new_row(desired, site)
    else:
        row, hash_with = _build_kept_row(desired, seen, site)
        row = row._replace(
            uid=row.uid if desired.uid is None else desired.uid,
            gid=row.gid if desired.gid is None else desired.gid,
            home=row.home if desired.home is None else desired.home,
            status=ACTIVE,
        )
    if desired.expires is not None:
        row = row._replace(expires=desired.expires)
    check_row(row, site)
    return _keep(seen, site)._replace(row=row, hash_with=hash_with)


def _plan_present_for_shares(desired: DesiredAccount, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    plan = _keep(seen, site)
    if plan.origin == ADOPTED:
        _check_adopted(desired, seen, site)
    elif seen.row is None:
        # Refuse the name now, before data is copied for an account that cannot be created.
        check_new_name(desired.name)
    times = plan_times(seen.shares, site)
    if not times:
        return plan._replace(skipped_reason=NO_DELIVERED_SHARE)
    record = seen.record or Account(desired.name, plan.origin or CREATED, format_time(site.now))
    plan = plan._replace(origin=record.origin, record=record, times=times)
    return plan if plan.origin == ADOPTED else _plan_created(plan, desired, seen, site)


def _plan_created(
    plan: AccountPlan, desired: DesiredAccount, seen: SeenAccount, site: AccountSite
) -> AccountPlan:
    """Return the plan with the whole row of an account that tempoftp created and that has a share here."""
    times = plan_times(seen.shares, site)
    _check_password_generation(desired, plan.record)
    if seen.row is None:
        row, hash_with = _build_new_row(desired, site)
    else:
        row, hash_with = _build_kept_row(desired, seen, site)
        if hash_with is None:
            # If MYSQLCrypt was changed meanwhile, the hash itself would be the password, or no login would work.
            check_hash(row.password, site.mysql_crypt, site.password_width, site.mysql_conf, site.argon2)
    row = row._replace(
        uid=site.default_uid if desired.uid is None else desired.uid,
        gid=site.default_gid if desired.gid is None else desired.gid,
        home=build_home(desired.name, site),
        status=choose_status(seen.shares, site.now),
        expires=_choose_end(times, site),
    )
    check_row(row, site)
    # Sessions end that began with a password which is replaced now, or in an account which is blocked now.
    access_lost = row.status == BLOCKED or (
        seen.row is not None and (hash_with or seen.row.password != row.password)
    )
    return plan._replace(
        row=row,
        times=times,
        hash_with=hash_with,
        record=_note_password(plan.record, desired, row, seen, hash_with),
        end_sessions=desired.end_sessions and bool(access_lost),
    )


def _choose_end(times: Sequence[ShareTimes], site: AccountSite) -> Optional[str]:
    """Return the end of the account, which is the end of its longest share; None without a column for it."""
    return max(entry.expires for entry in times) if site.has_expires else None


def _check_password_generation(desired: DesiredAccount, record: Optional[Account]) -> None:
    if desired.update_password != ALWAYS or desired.password_generation is None or record is None:
        return
    if desired.password_generation < record.password_generation:
        raise StaleGenerationError(
            f"account {desired.name}: password {desired.password_generation} is late, this host knows password "
            f"{record.password_generation}: nothing was changed"
        )


def _note_password(
    record: Optional[Account],
    desired: DesiredAccount,
    row: UserRow,
    seen: SeenAccount,
    hash_with: Optional[str],
) -> Optional[Account]:
    """Return the record with the number of the requested password, if the account will have that password."""
    if record is None or desired.password_generation is None:
        return record
    has_it = hash_with is not None or bool(seen.password_verified) or row.password == desired.password_hash
    if not has_it or desired.password_generation <= record.password_generation:
        return record
    return record._replace(password_generation=desired.password_generation)


def _has_live_share(seen: SeenAccount, site: AccountSite) -> bool:
    # By the confirmed time: an account of a share that may come back is not removed.
    now = site.now if site.confirmed is None else site.confirmed
    return any(share.live and not share.is_over(now) for share in seen.shares)


def _is_expired(row: UserRow, site: AccountSite) -> bool:
    return row.expires is not None and row.expires <= format_time(site.now)


def _keep(seen: SeenAccount, site: AccountSite) -> AccountPlan:
    """Return the plan that writes nothing."""
    origin = None
    if site.shares_root is not None:
        if seen.record is not None:
            origin = seen.record.origin
        elif seen.row is not None:
            origin = ADOPTED
    return AccountPlan(seen.row, seen.row, seen.record, seen.record, origin)


def _build_new_row(desired: DesiredAccount, site: AccountSite) -> tuple[UserRow, Optional[str]]:
    check_new_name(desired.name)
    password, hash_with = _choose_password(desired, site)
    if password is None and hash_with is None:
        raise InvalidValueError(
            f"account {desired.name} does not exist: give password_hash or password to create it"
        )
    row = UserRow(
        name=desired.name,
        password=password or "",
        uid=site.default_uid if desired.uid is None else desired.uid,
        gid=site.default_gid if desired.gid is None else desired.gid,
        home=desired.home or build_home(desired.name, site),
        status=ACTIVE,
    )
    return row, hash_with


def _build_kept_row(
    desired: DesiredAccount, seen: SeenAccount, site: AccountSite
) -> tuple[UserRow, Optional[str]]:
    """Return the present row. Its password is changed only when ``update_password`` asks for it and it differs."""
    row = seen.rows[0]
    if desired.update_password != ALWAYS or seen.password_verified or desired.password_hash == row.password:
        return row, None
    password, hash_with = _choose_password(desired, site)
    return (row if password is None else row._replace(password=password)), hash_with


def _choose_password(desired: DesiredAccount, site: AccountSite) -> tuple[Optional[str], Optional[str]]:
    if desired.password_hash is not None:
        check_hash(desired.password_hash, site.mysql_crypt, site.password_width, site.mysql_conf, site.argon2)
        return desired.password_hash, None
    if desired.password is not None:
        return None, require_scheme(site.mysql_crypt, site.password_width, site.mysql_conf, site.argon2)
    return None, None


def _check_adopted(desired: DesiredAccount, seen: SeenAccount, site: AccountSite) -> None:
    row = seen.row
    if row is None:
        raise AccountConflictError(
            f"account {desired.name} was there before tempoftp and is gone now: make it again, or remove "
            f"{site.shares_root}/.tempoftp/accounts/{desired.name}.json to let tempoftp create it"
        )
    if not desired.adopt:
        # An account with the name that tempoftp would choose may still belong to another person.
        raise AccountConflictError(
            f"account {desired.name} was there before tempoftp, and nobody has said whose it is: map it to its owner's "
            f"e-mail (tempoftp account map EMAIL {desired.name}; with share.yml, adopt: true), or choose another name"
        )
    wanted = {
        "home": build_home(desired.name, site),
        "uid": site.default_uid if desired.uid is None else desired.uid,
        "gid": site.default_gid if desired.gid is None else desired.gid,
        "status": ACTIVE,
    }
    wrong = [
        f"{key} {getattr(row, key)!r}, not {value!r}"
        for key, value in wanted.items()
        if getattr(row, key) != value
    ]
    if _is_expired(row, site):
        wrong.append(f"expired at {row.expires}")
    if wrong:
        raise AccountConflictError(
            f"account {desired.name} was there before tempoftp and does not fit: "
            f"{'; '.join(wrong)}. It is left as it is: "
            "change it by hand, or choose another name"
        )


def list_arrived(shares: Sequence[Manifest], now: float) -> list[Manifest]:
    """Return the shares whose data is here, visible or blocked, and whose time is not up."""
    return [share for share in shares if share.arrived and not share.is_over(now)]


def plan_times(shares: Sequence[Manifest], site: AccountSite) -> tuple[ShareTimes, ...]:
    """Return the times of the shares that are here. A new share is ready now; the others keep their ``ready_at``.

    ``ready_at`` changes only when it lies in the future, where a clock that was wrong has put it. The end is computed
    again when the requested number of days has changed. Raises ClockUnsureError for a new share while the clock is in
    doubt, since nobody could say when it ends.
    """
    times, now = [], site.now
    for share in list_arrived(shares, now):
        if share.ready_at is None or share.expires is None or share.is_from_future(now):
            if site.clock_problem:
                raise ClockUnsureError(f"share {share.id} gets no end yet: {site.clock_problem}")
            ends = format_time(int(now) + share.lifetime_days * DAY)
            times.append(ShareTimes(share.id, share.generation, format_time(now), ends, True))
        else:
            ends = share.promised or share.expires
            times.append(ShareTimes(share.id, share.generation, share.ready_at, ends, ends != share.expires))
    return tuple(times)


def choose_status(shares: Sequence[Manifest], now: float) -> str:
    """Return BLOCKED when every share that is here for the account is blocked, else ACTIVE."""
    arrived = list_arrived(shares, now)
    return BLOCKED if arrived and all(share.hidden for share in arrived) else ACTIVE
