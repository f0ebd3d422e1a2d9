# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the inconsistencies of an FTP host: a pure comparison of what one look saw.

A consistent host gives no finding, and one damage gives one kind of finding: the mere consequences of an unreadable
file are not reported. Work that is in progress is not a finding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Optional

from .._account.desired import DesiredAccount
from .._account.plan import SeenAccount, plan_account
from .._account.users_table import ACTIVE, BLOCKED, UserRow
from .._copy.bind import choose_folder_mode, is_bind
from .._host.errors import InvalidValueError, TempoftpError
from .._host.names import parse_id
from .._host.root import STATE_DIRECTORY
from .._host.times import format_time
from .._host.tree import HOME_MODE
from .._host.units import COPY_PREFIX, PURGE_PREFIX
from .._record.accounts import Account
from .._record.manifest import OPERATOR, Manifest
from .._sweep.plan import is_outdated
from .world import (
    ACCESS_LIST_DETAIL,
    ExpectedRow,
    Finding,
    Home,
    Place,
    World,
    list_adopted_names,
    list_own_names,
)

KINDS = (
    "not_looked_at",
    "shares_lost",
    "damaged_manifest",
    "share_past_expiry",
    "session_without_access",
    "account_without_share",
    "share_without_account",
    "account_differs",
    "half_deleted",
    "share_out_of_place",
    "share_without_directory",
    "directory_without_manifest",
    "mount_without_share",
    "wrong_owner_or_mode",
    "staging_left_over",
    "unit_without_share",
    "library_left_over",
    "row_without_share",
    "share_without_row",
    "row_older_than_host",
    "row_differs",
)
_COMPARED = ("uid", "gid", "home", "status", "expires")
# Seconds that the minute timer has to end a share whose time is up. After them the share is a finding.
EXPIRY_SLACK = 150
# Seconds that the sweep has to remove a program of an earlier release, and that writing a program may take.
LIBRARY_SLACK, UNFINISHED_AGE = 86400, 3600
STATE_MODE = 0o700
# Folders at the top of a filesystem that are no homes.
_IGNORED_HOMES = frozenset({STATE_DIRECTORY, "lost+found"})
# States of an expected row whose share should be here, and of one whose share should be gone. A row with any other
# state is still changing and is not compared.
LIVE_STATES = frozenset({"listo", "bloqueado", "present", "blocked"})
ENDED_STATES = frozenset({"expirado", "eliminado", "absent"})


def find_findings(world: World, expected: Optional[Sequence[ExpectedRow]] = None) -> list[Finding]:
    """Return all findings, ordered by kind and subject. With *expected*, those rows are compared as well."""
    found = [
        *(Finding("not_looked_at", "host", problem) for problem in world.problems),
        *_find_lost(world),
        *_find_damaged(world),
        *_find_expired(world),
        *_find_sessions(world),
        *_find_accounts(world),
        *_find_half_deleted(world),
        *_find_places(world),
        *_find_homes(world),
        *_find_mounts(world),
        *_find_modes(world),
        *_find_left_over(world),
        *(() if expected is None else compare_rows(world, expected)),
    ]
    return sorted(
        set(found), key=lambda finding: (KINDS.index(finding.kind), finding.subject, finding.detail)
    )


def list_damaged_ids(world: World) -> frozenset[str]:
    """Return the ids of the manifests that cannot be read. The files of these shares are not judged."""
    return frozenset(
        name[len("shares/") : -len(".json")] for name in world.damaged if name.startswith("shares/")
    )


def is_id(name: str) -> bool:
    """Whether *name* is a valid id of a share."""
    try:
        parse_id(name)
    except InvalidValueError:
        return False
    return True


def has_lost(findings: Sequence[Finding]) -> bool:
    """Whether a host lost all or most of its shares at once. Then nothing is repaired before a person has looked."""
    return any(finding.kind == "shares_lost" for finding in findings)


def _find_lost(world: World) -> Iterator[Finding]:
    """Yield a finding when the data of most shares is gone, or of most accounts every sign that they had shares.

    One share that is gone was removed by somebody. Most of them at once are rather a disk that was emptied, or that is
    of another time.
    """
    arrived = [share for share in world.shares if share.arrived]
    places = {finding.subject for finding in _find_places(world) if finding.kind == "share_without_directory"}
    if is_most(len(places), len(arrived)):
        detail = f"{len(places)} of {len(arrived)} delivered shares have no data: {_LOOK_FIRST}"
        yield Finding("shares_lost", world.root, detail)
    # An ended share leaves a tombstone, and the account is removed with its last share.
    ours = {record.name for record in world.records if record.origin == "created"}
    known = {share.ftpuser for share in world.shares} | {end.ftpuser for end in world.tombstones}
    unexplained = ours - known
    if not world.damaged and is_most(len(unexplained), len(ours)):
        detail = f"{len(unexplained)} of {len(ours)} accounts have neither a share nor the end of one: {_LOOK_FIRST}"
        yield Finding("shares_lost", world.root, detail)


_LOOK_FIRST = "is it the right disk, and of today? Nothing is repaired here"


def is_most(lost: int, total: int) -> bool:
    """Whether *lost* are all of *total*, or more than half."""
    return lost > 0 and 2 * lost > total


def _find_damaged(world: World) -> Iterator[Finding]:
    for name in world.damaged:
        detail = "cannot be read: look at it, then move it away; what it knew has to be put right by hand"
        yield Finding("damaged_manifest", f"{world.root}/{STATE_DIRECTORY}/{name}", detail)


def get_confirmed(world: World) -> float:
    """Return the time by which data may go."""
    return world.now if world.confirmed is None else world.confirmed


def list_suspended(world: World) -> frozenset[str]:
    """Return the shares whose time is up by a clock that is in doubt: access has ended, and the data is kept."""
    confirmed = get_confirmed(world)
    return frozenset(
        share.id
        for share in world.shares
        if share.live and share.is_over(world.now) and not share.is_over(confirmed)
    )


def _find_expired(world: World) -> Iterator[Finding]:
    for share in world.shares:
        if share.live and share.is_over(get_confirmed(world) - EXPIRY_SLACK):
            detail = (
                f"of {share.ftpuser}, its time was up at {share.ends_at}: does tempoftp-expire.timer run?"
            )
            yield Finding("share_past_expiry", share.id, detail, "safe")


def _find_accounts(world: World) -> Iterator[Finding]:
    """Yield the findings about accounts that have or had shares. Without the users table there are none."""
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
            yield from _compare_account(world, name, rows, record, shares)
        elif record is not None and record.origin == "created" and not lost:
            # A manifest that cannot be read may belong to this account: then nothing is reported.
            detail = "tempoftp made it, and none of its shares is left" if rows else "only its record is left"
            yield Finding("account_without_share", name, detail, "safe")


def _compare_account(
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
                detail = f"its account {name} is not in the users table: request the account again, with its password"
                yield Finding("share_without_account", share.id, detail)
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
        # The account itself was blocked, which no manifest records: an audit never unblocks an account.
        wrong.remove("status")
    if not wrong:
        return
    detail = "; ".join(
        f"{field} {getattr(rows[0], field)}, not {getattr(plan.row, field)}" for field in wrong
    )
    # A repair of a blocked account would also unblock it.
    safe = plan.row.status == rows[0].status or plan.row.status == BLOCKED
    yield Finding("account_differs", name, detail, "safe" if safe else "manual")


def _find_sessions(world: World) -> Iterator[Finding]:
    """Yield the accounts that have open sessions, but could not log in any more."""
    if world.rows is None or world.sessions is None:
        return
    ours = {record.name for record in world.records if record.origin == "created"}
    ours.update(share.ftpuser for share in world.shares if share.origin == "created")
    ours.update(end.ftpuser for end in world.tombstones if end.ftpuser)
    ours.difference_update(record.name for record in world.records if record.origin == "adopted")
    for name in sorted({session.account for session in world.sessions}):
        # Accounts that tempoftp did not create may log in by other means than this table.
        reason = _explain_no_login(name, world) if name in ours - world.in_grace else None
        if reason is not None:
            yield Finding("session_without_access", name, f"{reason}, but it is logged in", "safe")


def _explain_no_login(name: str, world: World) -> Optional[str]:
    row = next((row for row in world.rows or () if row.name == name), None)
    if row is None:
        return "its account is gone"
    if row.status != ACTIVE:
        return "its account is blocked"
    if row.expires is not None and row.expires <= format_time(world.now):
        return f"its account ended at {row.expires}"
    return None


def _find_half_deleted(world: World) -> Iterator[Finding]:
    ends = {tombstone.id: tombstone for tombstone in world.tombstones}
    reported: set[str] = set()
    for share in world.shares:
        end = ends.get(share.id)
        if not share.live:
            detail = f"generation {share.generation} is being taken away and is still in {share.path}"
        elif end is not None and end.generation >= share.generation:
            detail = f"generation {end.generation} ended at {end.ended_at}, but its manifest stands"
        else:
            continue
        reported.add(share.id)
        yield Finding("half_deleted", share.id, detail, "safe")
    for name in world.trash:
        share_id = name.partition(".")[0]
        if not is_id(share_id):
            yield Finding(
                "directory_without_manifest", f"{world.root}/{STATE_DIRECTORY}/trash/{name}", _UNKNOWN
            )
        elif share_id not in reported and PURGE_PREFIX + share_id not in world.units:
            reported.add(share_id)
            yield Finding("half_deleted", share_id, f"trash/{name} waits for its removal", "safe")


_UNKNOWN = "tempoftp knows nothing of it: it is left as it is"


def _find_places(world: World) -> Iterator[Finding]:
    """Yield the shares whose data is complete, but is not in its place."""
    homes, ends = {home.name: home for home in world.homes}, _find_ends(world)
    for share in world.shares:
        if not share.arrived or ends.get(share.id, 0) >= share.generation:
            continue
        home = homes.get(share.ftpuser)
        seen = home is not None and share.id in (home.entries or {})
        held = share.id in world.held
        if held and not seen and share.is_over(world.now) and not share.is_over(get_confirmed(world)):
            continue  # kept out of its home while the clock is in doubt
        if (seen and not share.hidden) or (held and share.hidden and not seen):
            if seen and is_bind(share) and home is not None and not (home.entries or {})[share.id].mounted:
                detail = f"of {share.ftpuser} is to be a mount of its source, and is none"
                yield Finding("share_out_of_place", share.id, detail, "safe")
            continue
        if seen or held:
            detail = f"of {share.ftpuser} is {share.state}, but its data is {'in' if seen else 'kept out of'} the home"
            yield Finding("share_out_of_place", share.id, detail, "safe")
        elif home is None or home.place.kind == "directory":
            detail = (
                f"of {share.ftpuser} is {share.state}, but there is no {share.path}: "
                "request the share again to copy it again"
            )
            yield Finding("share_without_directory", share.id, detail)


def _find_ends(world: World) -> dict[str, int]:
    return {end.id: end.generation for end in world.tombstones}


def _find_homes(world: World) -> Iterator[Finding]:
    own, adopted, damaged = list_own_names(world), list_adopted_names(world), list_damaged_ids(world)
    # pure-ftpd also accepts /data/./name and /data/name/./.
    rows = None if world.rows is None else {os.path.normpath(row.home) for row in world.rows}
    ids: dict[str, set[str]] = {}
    for share in world.shares:
        ids.setdefault(share.ftpuser, set()).add(share.id)
    for home in world.homes:
        path = f"{world.root}/{home.name}"
        if home.name in _IGNORED_HOMES or home.name in adopted or home.place.kind != "directory":
            continue
        if home.name in own:
            yield from _find_entries(world, home, path, ids.get(home.name, set()), damaged)
        elif rows is not None and path not in rows and not damaged:
            # Without the users table, or with an unreadable manifest, the folder may be the home of an account.
            yield Finding("directory_without_manifest", path, _UNKNOWN)
    known = {share.id for share in world.shares}
    for name in world.held:
        if name not in damaged | known:
            yield Finding(
                "directory_without_manifest", f"{world.root}/{STATE_DIRECTORY}/held/{name}", _UNKNOWN
            )


def _find_entries(
    world: World, home: Home, path: str, ours: set[str], damaged: frozenset[str]
) -> Iterator[Finding]:
    for name in home.entries or {}:
        if name not in ours | damaged:
            yield Finding("directory_without_manifest", f"{path}/{name}", _UNKNOWN)
    if home.entries == {} and not ours and not damaged and home.place.uid == world.uid:
        detail = "the empty home of an account whose shares have ended"
        yield Finding("directory_without_manifest", path, detail, "safe")


def _find_mounts(world: World) -> Iterator[Finding]:
    own = list_own_names(world) | list_adopted_names(world)
    places = [place for share in world.shares for place in list_share_paths(world.root, share)]
    for mount in world.mounts:
        top = mount[len(world.root) + 1 :].partition("/")[0]
        if top not in own | {STATE_DIRECTORY} or any(_is_in(mount, place) for place in places):
            continue
        detail = "is mounted where no share is: a deletion there is refused until it is unmounted"
        ours = mount.startswith(f"{world.root}/{STATE_DIRECTORY}/binds/") and is_id(mount.rpartition("/")[2])
        yield Finding("mount_without_share", mount, detail, "safe" if ours else "manual")


def list_share_paths(root: str, share: Manifest) -> tuple[str, ...]:
    """Return where data of a share may be: its home, the held folder, staging, and the mount of its source."""
    state = f"{root}/{STATE_DIRECTORY}"
    folders = [f"{state}/{name}/{share.id}" for name in ("held", "staging", "binds")]
    return f"{root}/{share.ftpuser}/{share.id}", *folders


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _find_modes(world: World) -> Iterator[Finding]:
    for name, place in world.folders.items():
        yield from _compare_place(f"{world.root}/{STATE_DIRECTORY}{name}", place, world.uid, None, STATE_MODE)
    live = [share for share in world.shares if share.live and share.origin == "created"]
    groups = {share.ftpuser: share.gid for share in live}
    for home in world.homes:
        path = f"{world.root}/{home.name}"
        if home.name in groups:
            yield from _compare_place(path, home.place, world.uid, groups[home.name], HOME_MODE)
    homes = {home.name: home.entries or {} for home in world.homes}
    for share in world.shares:
        entries = world.held if share.hidden else homes.get(share.ftpuser, {})
        standing = entries.get(share.id)
        # A mount is the source itself: its owner and mode are not compared and never changed.
        if share.arrived and standing is not None and not standing.mounted:
            path = list_share_paths(world.root, share)[1 if share.hidden else 0]
            yield from _compare_place(path, standing, share.uid, share.gid, choose_folder_mode(share))
    for entry in world.irregular:
        yield Finding("wrong_owner_or_mode", entry.path, entry.detail, "safe")


def _compare_place(path: str, place: Place, uid: int, gid: Optional[int], mode: int) -> Iterator[Finding]:
    if place.kind != "directory":
        yield Finding("wrong_owner_or_mode", path, f"is a {place.kind}, not a directory: move it away")
        return
    seen = (place.uid, place.gid if gid is not None else None, place.mode)
    if seen != (uid, gid, mode):
        expected_gid = place.gid if gid is None else gid
        detail = f"is {place.uid}:{place.gid} {place.mode:04o}, not {uid}:{expected_gid} {mode:04o}"
        yield Finding("wrong_owner_or_mode", path, detail, "safe")
    elif place.listed:
        yield Finding("wrong_owner_or_mode", path, ACCESS_LIST_DETAIL, "safe")


def _find_left_over(world: World) -> Iterator[Finding]:
    shares = {share.id: share for share in world.shares}
    damaged = list_damaged_ids(world)
    state = f"{world.root}/{STATE_DIRECTORY}"
    for staged in world.staged:
        share = shares.get(staged.name)
        if staged.name in damaged or (share is not None and not share.arrived):
            continue
        safe = is_id(staged.name) and staged.place.kind == "directory"
        detail = "belongs to no copy" if safe else _UNKNOWN
        yield Finding(
            "staging_left_over", f"{state}/staging/{staged.name}", detail, "safe" if safe else "manual"
        )
    for name in world.temporary:
        yield Finding(
            "staging_left_over", f"{state}/{name}", "was being written when its writer died", "safe"
        )
    for unit in sorted(world.units):
        share_id = unit[len(COPY_PREFIX) :]
        if unit.startswith(COPY_PREFIX) and share_id not in shares and share_id not in damaged:
            yield Finding("unit_without_share", unit, "copies for a share that is not here", "safe")
    for library in world.libraries:
        # The sweep removes outdated programs. It does not remove one whose writing was interrupted.
        unfinished = library.name.startswith(".new-") and world.now - library.wanted_at > UNFINISHED_AGE
        if unfinished or is_outdated(library, world.now - LIBRARY_SLACK):
            detail = "is no release that this host uses any more"
            yield Finding("library_left_over", f"{state}/lib/{library.name}", detail, "safe")


def compare_rows(world: World, expected: Sequence[ExpectedRow]) -> Iterator[Finding]:
    """Yield the differences between the expected rows and this host. Rows that are still changing are not compared."""
    rows = {row.id: row for row in expected}
    ends = {end.id: end for end in world.tombstones}
    over = _find_ends(world)
    shares = {
        share.id: share for share in world.shares if share.live and over.get(share.id, 0) < share.generation
    }
    damaged = list_damaged_ids(world)
    for row in expected:
        share, end = shares.get(row.id), ends.get(row.id)
        known = max(share.generation if share else 0, end.generation if end else 0)
        if row.id in damaged:
            continue
        if known > row.generation:
            detail = (
                f"the row has generation {row.generation}, this host {known}: "
                "were the books restored from a backup?"
            )
            yield Finding("row_older_than_host", row.id, detail)
        elif share is None and row.state in LIVE_STATES:
            how = (
                f"it ended at {end.ended_at} ({end.reason or 'deleted'})" if end else "this host never had it"
            )
            yield Finding("row_without_share", row.id, f"the row says {row.state}, but {how}")
        elif share is not None and row.state in ENDED_STATES:
            yield Finding("share_without_row", row.id, f"the row says {row.state}, but {share.path} is here")
        elif share is not None and row.state in LIVE_STATES and row.generation == share.generation:
            yield from _compare_row(row, share)
    for share in shares.values():
        # The expected rows are those of the service: an operator's share needs none.
        if share.id not in rows and share.managed_by != OPERATOR:
            detail = (
                f"of {share.ftpuser}, until {share.ends_at or 'it is ready and counted'}: no row knows it"
            )
            yield Finding("share_without_row", share.id, detail)


def _compare_row(row: ExpectedRow, share: Manifest) -> Iterator[Finding]:
    pairs = [("ftpuser", row.ftpuser or None, share.ftpuser), ("expires", row.expires, share.expires)]
    wrong = [
        f"{name} {here}, not {there}"
        for name, there, here in pairs
        if None not in (there, here) and there != here
    ]
    if wrong:
        yield Finding("row_differs", row.id, f"this host has {'; '.join(wrong)}")
