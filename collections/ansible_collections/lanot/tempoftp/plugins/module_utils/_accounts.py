# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about one account: a pure plan, the same for check mode, diff and apply. Step 7 of docs/dataflow.md.

Without ``shares_root`` the wish alone counts. With it, the manifests of the account's shares count too, and an
account that tempoftp did not create is never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ._account_wish import ALWAYS, AccountSite, AccountWish, build_home, check_new_name, check_row, check_wish
from ._errors import AccountConflictError, InvalidValueError, TempoftpError
from ._manifest import Account, Manifest, format_time
from ._passwords import check_hash, require_scheme
from ._users_table import ACTIVE, BLOCKED, UserRow

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


def plan_account(wish: AccountWish, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    """Return what to do; raise TempoftpError when the wish is refused or what is there does not fit."""
    check_wish(wish, site)
    if len(seen.rows) > 1:
        raise AccountConflictError(
            f"account {wish.name} stands {len(seen.rows)} times in the users table: remove all but one"
        )
    if wish.state == "absent":
        return _plan_absent(seen, site, wish)
    if wish.state == "blocked":
        return _plan_blocked(seen, site, wish)
    if seen.lookalikes:
        raise AccountConflictError(
            f"account {wish.name} cannot be told from {', '.join(map(ascii, seen.lookalikes))} in the users table: "
            "rename that account, or choose another name"
        )
    if site.shares_root is None:
        return _plan_present(wish, seen, site)
    return _plan_present_for_shares(wish, seen, site)


def plan_times(shares: Sequence[Manifest], now: float) -> tuple[ShareTimes, ...]:
    """Return the times of the delivered, unexpired shares: those once fixed, else from *now* on."""
    times = []
    for share in shares:
        if share.state != "delivered" or _is_over(share, now):
            continue
        if share.ready_at is not None and share.expires is not None:
            times.append(ShareTimes(share.id, share.generation, share.ready_at, share.expires, False))
        else:
            ends = format_time(int(now) + share.lifetime_days * _DAY)
            times.append(ShareTimes(share.id, share.generation, format_time(now), ends, True))
    return tuple(times)


def _plan_absent(seen: SeenAccount, site: AccountSite, wish: AccountWish) -> AccountPlan:
    plan = _keep(seen, site)
    if site.shares_root is not None and seen.row is not None:
        if plan.origin == ADOPTED:
            return plan._replace(kept_reason=ADOPTED)
        if any(share.live and not _is_over(share, site.now) for share in seen.shares):
            return plan._replace(kept_reason=LIVE_SHARES)
        if seen.damaged:
            raise TempoftpError(
                f"account {wish.name} is kept: {', '.join(seen.damaged)} under {site.shares_root}/.tempoftp/shares "
                "cannot be read and may belong to it: look at it, then move it away"
            )
    return plan._replace(row=None, record=None, end_sessions=wish.end_sessions)


def _plan_blocked(seen: SeenAccount, site: AccountSite, wish: AccountWish) -> AccountPlan:
    plan = _keep(seen, site)
    if seen.row is None:
        return plan
    if plan.origin == ADOPTED:
        return plan._replace(kept_reason=ADOPTED)
    return plan._replace(row=seen.row._replace(status=BLOCKED), end_sessions=wish.end_sessions)


def _plan_present(wish: AccountWish, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    if seen.row is None:
        row, hash_with = _build_new_row(wish, site)
    else:
        row, hash_with = _build_kept_row(wish, seen, site)
        row = row._replace(
            uid=row.uid if wish.uid is None else wish.uid,
            gid=row.gid if wish.gid is None else wish.gid,
            home=row.home if wish.home is None else wish.home,
            status=ACTIVE,
        )
    if wish.expires is not None:
        row = row._replace(expires=wish.expires)
    check_row(row, site)
    return _keep(seen, site)._replace(row=row, hash_with=hash_with)


def _plan_present_for_shares(wish: AccountWish, seen: SeenAccount, site: AccountSite) -> AccountPlan:
    plan = _keep(seen, site)
    if plan.origin == ADOPTED:
        _check_adopted(wish, seen, site)
    elif seen.row is None:
        # Said before anything is copied for an account that can never be.
        check_new_name(wish.name)
    times = plan_times(seen.shares, site.now)
    if not times:
        return plan._replace(skipped_reason=NO_DELIVERED_SHARE)
    record = seen.record or Account(wish.name, plan.origin or CREATED, format_time(site.now))
    plan = plan._replace(origin=record.origin, record=record, times=times)
    if plan.origin == ADOPTED:
        return plan
    if seen.row is None:
        row, hash_with = _build_new_row(wish, site)
    else:
        row, hash_with = _build_kept_row(wish, seen, site)
        if hash_with is None:
            # A MYSQLCrypt changed behind us would make the hash itself the password, or lock the account out.
            check_hash(row.password, site.mysql_crypt, site.password_width, site.mysql_conf)
    row = row._replace(
        uid=site.default_uid if wish.uid is None else wish.uid,
        gid=site.default_gid if wish.gid is None else wish.gid,
        home=build_home(wish.name, site),
        status=ACTIVE,
        expires=max(entry.expires for entry in times) if site.has_expires else None,
    )
    check_row(row, site)
    return plan._replace(row=row, hash_with=hash_with)


def _keep(seen: SeenAccount, site: AccountSite) -> AccountPlan:
    """Return the plan that writes nothing."""
    origin = None
    if site.shares_root is not None:
        if seen.record is not None:
            origin = seen.record.origin
        elif seen.row is not None:
            origin = ADOPTED
    return AccountPlan(seen.row, seen.row, seen.record, seen.record, origin)


def _build_new_row(wish: AccountWish, site: AccountSite) -> tuple[UserRow, Optional[str]]:
    check_new_name(wish.name)
    password, hash_with = _choose_password(wish, site)
    if password is None and hash_with is None:
        raise InvalidValueError(
            f"account {wish.name} does not exist: give password_hash or password to create it"
        )
    row = UserRow(
        name=wish.name,
        password=password or "",
        uid=site.default_uid if wish.uid is None else wish.uid,
        gid=site.default_gid if wish.gid is None else wish.gid,
        home=wish.home or build_home(wish.name, site),
        status=ACTIVE,
    )
    return row, hash_with


def _build_kept_row(wish: AccountWish, seen: SeenAccount, site: AccountSite) -> tuple[UserRow, Optional[str]]:
    """Return the present row, its password changed only when that is asked for and it differs."""
    row = seen.rows[0]
    if wish.update_password != ALWAYS or seen.password_verified or wish.password_hash == row.password:
        return row, None
    password, hash_with = _choose_password(wish, site)
    return (row if password is None else row._replace(password=password)), hash_with


def _choose_password(wish: AccountWish, site: AccountSite) -> tuple[Optional[str], Optional[str]]:
    if wish.password_hash is not None:
        check_hash(wish.password_hash, site.mysql_crypt, site.password_width, site.mysql_conf)
        return wish.password_hash, None
    if wish.password is not None:
        return None, require_scheme(site.mysql_crypt, site.password_width, site.mysql_conf)
    return None, None


def _check_adopted(wish: AccountWish, seen: SeenAccount, site: AccountSite) -> None:
    row = seen.row
    if row is None:
        raise AccountConflictError(
            f"account {wish.name} was there before tempoftp and is gone now: make it again, or remove "
            f"{site.shares_root}/.tempoftp/accounts/{wish.name}.json to let tempoftp create it"
        )
    if not wish.adopt:
        # That the name is the one we would have chosen is no proof of whose account it is.
        raise AccountConflictError(
            f"account {wish.name} was there before tempoftp, and nobody has said whose it is: map it to its owner's "
            f"e-mail (tempoftp account map EMAIL {wish.name}; with share.yml, adopt: true), or choose another name"
        )
    wanted = {
        "home": build_home(wish.name, site),
        "uid": site.default_uid if wish.uid is None else wish.uid,
        "gid": site.default_gid if wish.gid is None else wish.gid,
        "status": ACTIVE,
    }
    wrong = [
        f"{key} {getattr(row, key)!r}, not {value!r}"
        for key, value in wanted.items()
        if getattr(row, key) != value
    ]
    if row.expires is not None and row.expires <= format_time(site.now):
        wrong.append(f"expired at {row.expires}")
    if wrong:
        raise AccountConflictError(
            f"account {wish.name} was there before tempoftp and does not fit: {'; '.join(wrong)}. It is left as it is: "
            "change it by hand, or choose another name"
        )


def _is_over(share: Manifest, now: float) -> bool:
    return share.expires is not None and share.expires <= format_time(now)
