# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with accounts and sessions: the plan that tempoftp_ftpuser applies, compared with what is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from .._account.account_plan import SeenAccount
from .._account.accounts import plan_account
from .._account.desired import DesiredAccount
from .._account.users_table import ACTIVE, BLOCKED, UserRow
from .._host.errors import TempoftpError
from .._host.times import format_time
from .._record.accounts import Account
from .._record.manifest import Manifest
from .world import Finding, World

_COMPARED = ("uid", "gid", "home", "status", "expires")


def find_account_findings(world: World) -> Iterator[Finding]:
    """Yield what is wrong with the accounts in which shares of ours stand, or stood. Nothing without their table."""
    if world.rows is None or world.site is None:
        return
    unreadable = {
        name[len("accounts/") : -len(".json")] for name in world.damaged if name.startswith("accounts/")
    }
    lost = any(name.startswith("shares/") for name in world.damaged)
    records = {record.name: record for record in world.records}
    names = {share.ftpuser for share in world.shares if share.live} | set(records)
    live: dict[str, list[Manifest]] = {}
    for share in world.shares:
        if share.live:
            live.setdefault(share.ftpuser, []).append(share)
    found: dict[str, list[UserRow]] = {}
    for row in world.rows:
        found.setdefault(row.name, []).append(row)
    for name in sorted(names - unreadable):
        shares, rows = tuple(live.get(name, ())), tuple(found.get(name, ()))
        record = records.get(name)
        if shares:
            yield from _find_differences(world, name, rows, record, shares)
        elif record is not None and record.origin == "created" and not lost:
            # A manifest that nobody can read may well be this account's.
            told = "tempoftp made it, and none of its shares is left" if rows else "only its record is left"
            yield Finding("account_without_share", name, told, "safe")


def _find_differences(
    world: World,
    name: str,
    rows: tuple[UserRow, ...],
    record: Optional[Account],
    shares: tuple[Manifest, ...],
) -> Iterator[Finding]:
    ready = [share for share in shares if share.arrived and share.ready_at is not None]
    if not rows:
        for share in ready:
            if not share.is_over(world.now):
                told = (
                    f"its account {name} is not in the users table: wish the account again, with its password"
                )
                yield Finding("share_without_account", share.id, told)
        return
    if not ready or any(share.arrived and share.ready_at is None for share in shares) or world.site is None:
        return  # a share arrived just now: the account follows
    lookalikes = tuple(
        other for other in world.lookalikes if other != name and other.strip().casefold() == name.casefold()
    )
    seen = SeenAccount(rows=rows, lookalikes=lookalikes, record=record, shares=shares)
    try:
        plan = plan_account(DesiredAccount(name, adopt=True), seen, world.site)
    except TempoftpError as error:
        yield Finding("account_differs", name, error.message)
        return
    if plan.row is None:
        return
    wrong = [field for field in _COMPARED if getattr(plan.row, field) != getattr(rows[0], field)]
    if rows[0].status == BLOCKED and "status" in wrong:
        # Somebody blocked the account itself, which no manifest knows: an audit never lets anybody in.
        wrong.remove("status")
    if not wrong:
        return
    told = "; ".join(f"{field} {getattr(rows[0], field)}, not {getattr(plan.row, field)}" for field in wrong)
    # To set a blocked account right would also unblock it.
    safe = plan.row.status == rows[0].status or plan.row.status == BLOCKED
    yield Finding("account_differs", name, told, "safe" if safe else "manual")


def find_session_findings(world: World) -> Iterator[Finding]:
    """Yield the accounts with open sessions that could not log in any more."""
    if world.rows is None or world.sessions is None:
        return
    ours = {record.name for record in world.records if record.origin == "created"}
    ours.update(share.ftpuser for share in world.shares if share.origin == "created")
    ours.update(end.ftpuser for end in world.tombstones if end.ftpuser)
    ours.difference_update(record.name for record in world.records if record.origin == "adopted")
    for name in sorted({session.account for session in world.sessions}):
        # The accounts of others may log in by other means than this table.
        reason = _explain_exclusion(name, world) if name in ours - world.leaving else None
        if reason is not None:
            yield Finding("session_without_access", name, f"{reason}, but it is logged in", "safe")


def _explain_exclusion(name: str, world: World) -> Optional[str]:
    row = next((row for row in world.rows or () if row.name == name), None)
    if row is None:
        return "its account is gone"
    if row.status != ACTIVE:
        return "its account is blocked"
    if row.expires is not None and row.expires <= format_time(world.now):
        return f"its account ended at {row.expires}"
    return None
