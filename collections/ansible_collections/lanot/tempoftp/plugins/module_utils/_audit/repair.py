# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the safe repairs of an audit, by the same plans as every other run. Step 7 of docs/dataflow.md.

Each repair reads the host again under its lock before it changes anything, since a run may have begun a newer
generation after the audit's look. Data that no manifest or record names is never removed. The next look decides
whether a repair has worked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Optional

from .._account.desired import SWEPT, DesiredAccount
from .._account.run import Execution, run_accounts
from .._copy.bind import choose_folder_mode, sweep_binds
from .._copy.sandboxes import sandbox_purge
from .._host.access import remove_access_lists
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.grace import read_grace, read_trash_hours
from .._host.safe_open import closing_descriptor, open_directory
from .._host.sandbox import read_systemd_version
from .._host.sessions import end_sessions
from .._host.tree import HOME_MODE, Tree, hold_tree
from .._host.units import ALREADY, COPY_PREFIX, PURGE_PREFIX, Unit, Units
from .._record.manifest import Manifest, read_manifest
from .._share.batch import Batch
from .._share.desired import ABSENT_IF_EXPIRED, DesiredShare, Site
from .._share.library import PURGE, build_program_argv, install_library
from .._share.trash import check_no_mounts, choose_trash, list_due_ids, list_trash
from .._sweep.look import read_running
from .deep import find_irregular_entries
from .findings import STATE_MODE, is_id, list_share_paths
from .look import look_place
from .world import Finding, World

_REMOVE_LIMIT = 60.0
# Seconds that a repair waits for the shares that it ends. After them the removal continues in its unit.
_WAIT = 10.0


class Repairs(NamedTuple):
    """What the repairs of one execution need. ``accounts`` is None without a users table."""

    tree: Tree
    units: Units
    accounts: Optional[Execution]
    deep_limit: int


def repair_findings(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Do the safe repairs; return the failures as sentences for a person. A failure stops no other repair."""
    problems: list[str] = []
    for step in _STEPS:
        try:
            problems.extend(step(repairs, world, findings))
        except (TempoftpError, OSError) as error:
            problems.append(str(error))
    return problems


def _select(findings: Sequence[Finding], *kinds: str) -> list[Finding]:
    return [finding for finding in findings if finding.repair == "safe" and finding.kind in kinds]


def _end_shares(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """End shares that are over or half deleted, and move shares to their place, all by the plan of tempoftp_share.

    Every request has the generation that was seen, so that a share with a newer generation refuses it.
    """
    shares = {share.id: share for share in world.shares}
    ends = {end.id: end.generation for end in world.tombstones}
    desired_shares: dict[str, DesiredShare] = {}
    for finding in _select(findings, "share_out_of_place", "half_deleted", "share_past_expiry"):
        share = shares.get(finding.subject)
        if share is None:
            continue
        if finding.kind == "share_past_expiry":
            desired_shares[share.id] = DesiredShare(share.id, ABSENT_IF_EXPIRED)
        elif finding.kind == "half_deleted" and _is_ending(share, ends.get(share.id, 0)):
            desired_shares[share.id] = DesiredShare(
                share.id, "absent", max(share.generation, ends.get(share.id, 0))
            )
        elif finding.kind == "share_out_of_place" and share.id not in desired_shares:  # else it ends
            desired_shares[share.id] = _desire_again(share)
    if not desired_shares:
        return []
    site = Site(
        wait=True,
        wait_timeout=_WAIT,
        max_copies=0,
        grace_seconds=read_grace(),
        trash_hours=read_trash_hours(),
    )
    results = Batch(repairs.tree, list(desired_shares.values()), site, repairs.units).run()
    return [result["error"]["message"] for result in results if result["error"] is not None]


def _is_ending(share: Manifest, ended: int) -> bool:
    return not share.live or ended >= share.generation


def _desire_again(share: Manifest) -> DesiredShare:
    values = {
        key: getattr(share, key) for key in DesiredShare._fields if key in Manifest._fields and key != "state"
    }
    return DesiredShare(**{**values, "state": "blocked" if share.hidden else "present"})


def _clear_staging(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Move staging that belongs to no copy into the trash; remove the temporary files of a killed writer."""
    tree = repairs.tree
    paths = {finding.subject for finding in _select(findings, "staging_left_over")}
    if not paths:
        return []
    with hold_tree(tree):
        for name in world.temporary:
            if f"{tree.state}/{name}" in paths:
                (tree.state / name).unlink(missing_ok=True)
        for staged in world.staged:
            if str(tree.staging(staged.name)) not in paths or not is_id(staged.name):
                continue
            share = read_manifest(tree, staged.name)
            if (share is None or share.arrived) and tree.staging(staged.name).is_dir():
                check_no_mounts(tree.staging(staged.name))
                tree.staging(staged.name).rename(choose_trash(tree, staged.name))
    return []


def _stop_units(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Stop copies of shares that are not here."""
    names = [finding.subject for finding in _select(findings, "unit_without_share")]
    with hold_tree(repairs.tree):
        orphans = [name for name in names if read_manifest(repairs.tree, name[len(COPY_PREFIX) :]) is None]
    repairs.units.stop(orphans)
    return []


def _start_purges(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Start the removal of everything in the trash for which no unit runs."""
    if not _select(findings, "half_deleted", "share_past_expiry", "staging_left_over"):
        return []
    tree, problems, wanted = repairs.tree, [], {}
    with hold_tree(tree):
        active = repairs.units.list_active()
        library, sandbox = None, None
        for share_id in list_due_ids(tree, read_trash_hours()):
            unit = PURGE_PREFIX + share_id
            if not is_id(share_id) or unit in active:
                continue
            try:
                for path in list_trash(tree, share_id):
                    check_no_mounts(path)
            except TempoftpError as error:
                problems.append(error.message)
                continue
            library = library or install_library(tree)
            sandbox = sandbox or sandbox_purge(read_systemd_version(), tree)
            wanted[unit] = Unit(build_program_argv(library, PURGE, share_id), sandbox)
        failures = repairs.units.start(wanted) if wanted else {}
    problems.extend(f"{unit}: {said}" for unit, said in failures.items() if said != ALREADY)
    return problems


def _unmount_binds(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Unmount sources that no share uses, as the sweep does."""
    if not _select(findings, "mount_without_share"):
        return []
    with hold_tree(repairs.tree):
        return list(sweep_binds(repairs.tree).problems)


def _set_modes(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Set owner and mode of tempoftp's folders and remove their access lists, each by its own descriptor."""
    tree = repairs.tree
    paths = {finding.subject for finding in _select(findings, "wrong_owner_or_mode")}
    if not paths:
        return []
    with hold_tree(tree):
        for name in world.folders:
            _set_place(Path(f"{tree.state}{name}"), paths, world.uid, -1, STATE_MODE)
        for share in world.shares:
            if share.live and share.origin == "created":
                _set_place(tree.home(share.ftpuser), paths, world.uid, share.gid, HOME_MODE)
        for share in world.shares:
            seen = read_manifest(tree, share.id)
            if seen is not None and seen.arrived:
                place = list_share_paths(str(tree.root), seen)[1 if seen.hidden else 0]
                if not _is_mounted(world, place):
                    _set_place(Path(place), paths, seen.uid, seen.gid, choose_folder_mode(seen))
    if world.irregular:
        find_irregular_entries(tree, world, repairs.deep_limit, repair=True)
    return []


def _is_mounted(world: World, path: str) -> bool:
    return any(mount == path for mount in world.mounts)


def _set_place(path: Path, wanted: set[str], uid: int, gid: int, mode: int) -> None:
    if str(path) not in wanted:
        return
    with closing_descriptor(open_directory(path.parent)) as parent:
        descriptor = open_directory(path.name, parent)
    with closing_descriptor(descriptor):
        remove_access_lists(descriptor)
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)


def _remove_homes(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Remove empty homes whose shares have ended. rmdir removes no folder that has content."""
    with hold_tree(repairs.tree):
        for finding in _select(findings, "directory_without_manifest"):
            with suppress(OSError):
                Path(finding.subject).rmdir()
    return []


def _remove_libraries(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Remove programs of other releases from which no process runs."""
    paths = [finding.subject for finding in _select(findings, "library_left_over")]
    if not paths:
        return []
    with hold_tree(repairs.tree):
        running = read_running(repairs.tree)
        for path in paths:
            if Path(path).name not in running and look_place(Path(path)) is not None:
                run_command(["rm", "-rf", "--one-file-system", "--", path], timeout=_REMOVE_LIMIT)
    return []


def _write_accounts(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """Remove created accounts without shares and repair the others, by the plan of tempoftp_ftpuser."""
    if repairs.accounts is None:
        return []
    desired_accounts = [
        DesiredAccount(f.subject, state="absent") for f in _select(findings, "account_without_share")
    ]
    desired_accounts += [DesiredAccount(f.subject) for f in _select(findings, "account_differs")]
    # An account is removed with its last share, as the sweep does it.
    over = {f.subject for f in _select(findings, "share_past_expiry")}
    ended = {share.ftpuser for share in world.shares if share.id in over and share.origin == "created"}
    desired_accounts += [
        DesiredAccount(name, SWEPT) for name in sorted(ended - {desired.name for desired in desired_accounts})
    ]
    if not desired_accounts:
        return []
    outcomes, _database = run_accounts(repairs.accounts, desired_accounts)
    return [outcome.error.message for outcome in outcomes if outcome.error is not None]


def _end_sessions(repairs: Repairs, world: World, findings: Sequence[Finding]) -> list[str]:
    """End the sessions of accounts that could not log in any more."""
    names = [finding.subject for finding in _select(findings, "session_without_access")]
    _ended, errors = end_sessions(names)
    return [error.message for error in errors.values()]


_STEPS: tuple[Callable[[Repairs, World, Sequence[Finding]], list[str]], ...] = (
    _end_shares,
    _clear_staging,
    _stop_units,
    _start_purges,
    _unmount_binds,
    _write_accounts,
    _end_sessions,
    _set_modes,
    _remove_homes,
    _remove_libraries,
)
