# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sweep of an FTP host: ends what is due, with no control host. Step 7 of docs/dataflow.md, "Expiry".

The order: shares leave their homes; then their accounts are removed, or get the end of the shares that are left; then
the sessions that began before are ended. A failure of one part does not stop the others, and the next sweep tries it
again. While the database cannot be reached, the data is still removed, and the login query ends the access.
"""

from __future__ import annotations

import shutil
import time
from typing import Any, NamedTuple, Optional

from .._account.desired import SWEPT, AccountSite, DesiredAccount
from .._account.mysql_login import open_connection
from .._account.run import Execution, Outcome, run_accounts
from .._copy.bind import list_binds, sweep_binds
from .._host.ballast import drop_ballast
from .._host.boot import read_uptime
from .._host.clock import read_now, write_mark
from .._host.mounts import list_mounts_below
from .._host.times import parse_time
from .._host.tree import Tree, hold_tree, prepare_tree
from .._host.units import Units
from .._record.manifest import EXPIRED, read_manifest, write_manifest
from .._share.batch import Batch
from .._share.desired import ABSENT_IF_EXPIRED, DesiredShare, Site
from .._share.evictions import Eviction, evict, list_evictions
from .._share.trash import choose_trash
from .look import Guard, SweepLook, look_libraries, read_running
from .plan import SweepPlan, SweepSeen, is_abandoned, is_outdated, plan_sweep
from .settings import ExpireSettings


class SweepResult(NamedTuple):
    """What a sweep did, in the form of the module's return values. ``problems``: sentences for a person.

    ``wake_at``: when the next share or session is due, in seconds since the epoch; None when none is.
    """

    changed: bool
    shares: list[dict[str, Any]]
    accounts: list[dict[str, Any]]
    sessions_ended: int
    sessions_left: int
    staging: list[str]
    libraries: list[str]
    database: Optional[dict[str, Any]]
    clock_ahead: int
    clock_confirmed: bool
    next_end: Optional[str]
    problems: list[str]
    wake_at: Optional[float]


def run_sweep(
    tree: Tree, settings: ExpireSettings, check_mode: bool = False, units: Optional[Units] = None
) -> SweepResult:
    """Do everything that is due. TempoftpError is raised only when the host cannot be read."""
    sweep = _Sweep(tree, settings, units or Units())
    with hold_tree(tree):
        if not check_mode:
            prepare_tree(tree)
        seen = sweep.look()
        plan = plan_sweep(seen, settings.staging_days)
        if not check_mode:
            write_mark(tree, read_now(tree))
            sweep.give_up(plan, seen.confirmed)
    if check_mode:
        return sweep.predict(plan)
    sweep.end_shares(plan)
    sweep.mount_again()
    sweep.update_accounts(plan)
    sweep.end_sessions()
    sweep.remove_libraries(plan)
    return sweep.build_result(changed=sweep.changed, next_end=plan.next_end)


def _predict_place(tree: Tree, share_id: str) -> str:
    """Return the state of a share that leaves its home, or returns to it."""
    return "delivered" if tree.held(share_id).exists() else "blocked"


class _Sweep:
    """One sweep in progress: what it has done, and which problems it met."""

    def __init__(self, tree: Tree, settings: ExpireSettings, units: Units) -> None:
        self._tree = tree
        self._settings = settings
        self._units = units
        self._shares: list[dict[str, Any]] = []
        self._accounts: list[dict[str, Any]] = []
        self._database: Optional[dict[str, Any]] = None
        self._ended = self._left = 0
        self._staging: list[str] = []
        self._libraries: list[str] = []
        self._problems: list[str] = []
        self._look = SweepLook(tree, units, self._problems, settings.trash_hours)
        self._wake_times: list[float] = []
        self.changed = False

    def look(self) -> SweepSeen:
        """Read what is on the host. Damaged files become problems."""
        return self._look.look()

    def give_up(self, plan: SweepPlan, now: float) -> None:
        """Mark shares absent whose copy failed long ago, and move staging without a share into the trash.

        The caller holds the lock.
        """
        for share_id in plan.failed:
            with self._guard(f"share {share_id}"):
                manifest = read_manifest(self._tree, share_id)
                staged = self._look.look_staged(share_id)
                if manifest is None or manifest.state != "copying":
                    continue
                if is_abandoned(staged, now, self._settings.staging_days):
                    drop_ballast(self._tree)
                    write_manifest(self._tree, manifest._replace(state="absent", reason=EXPIRED))
                    self._staging.append(share_id)
        for share_id in plan.orphans:
            with self._guard(f"staging of {share_id}"):
                place = self._tree.staging(share_id)
                if list_mounts_below(place):
                    self._problems.append(f"{place} has something mounted in it: unmount it first")
                    continue
                place.rename(choose_trash(self._tree, share_id))
                self._staging.append(share_id)

    def end_shares(self, plan: SweepPlan) -> None:
        """End the shares by the steps of tempoftp_share, which read the host again: an extended share stays."""
        ids = sorted({*plan.shares, *plan.moved, *self._staging})
        if not ids:
            return
        site = Site(
            wait=False,
            evicts=False,
            grace_seconds=self._settings.grace_seconds,
            trash_hours=self._settings.trash_hours,
        )
        with self._guard("shares"):
            for result in Batch(
                self._tree, [DesiredShare(share_id, ABSENT_IF_EXPIRED) for share_id in ids], site, self._units
            ).run():
                self._note_share(result)

    def mount_again(self) -> None:
        """Mount shares again that are mounts of their source, since a reboot has undone the mounts."""
        if not list_binds(self._tree):
            return
        with self._guard("mounts"), hold_tree(self._tree):
            swept = sweep_binds(self._tree)
            self._problems += swept.problems
            self.changed = self.changed or bool(swept.changed)

    def update_accounts(self, plan: SweepPlan) -> None:
        """Remove accounts that have no share left, and set the end of the others. They are read under the lock."""
        if not plan.accounts:
            return
        # During the grace of a transfer, the eviction of its share ends the session later, not the account's removal.
        in_grace = {eviction.ftpuser for eviction in list_evictions(self._tree)[0]}
        desired_accounts = [
            DesiredAccount(name, SWEPT, end_sessions=name not in in_grace) for name in plan.accounts
        ]
        outcomes, self._database = run_accounts(self._build_execution(False), desired_accounts)
        for outcome in outcomes:
            self._note_account(outcome)
        if not self._database["ok"]:
            error = self._database["error"]
            self._problems.append(f"accounts are finished at a later sweep: {error['message']}")

    def end_sessions(self) -> None:
        """End the sessions whose grace is over, and remember when the others are due."""
        for eviction in list_evictions(self._tree)[0]:
            with self._guard(f"sessions of {eviction.ftpuser}"):
                evicted = evict(self._tree, eviction)
                self._ended += evicted.ended
                self._left += evicted.left
                if evicted.left:
                    self._wake_times.append(self._compute_wake(eviction))
        self.changed = self.changed or self._ended > 0

    def remove_libraries(self, plan: SweepPlan) -> None:
        """Remove programs of earlier releases from which no process runs. The lock prevents a new start meanwhile."""
        if not plan.libraries:
            return
        with self._guard("lib"), hold_tree(self._tree):
            stale = {library.name: library for library in look_libraries(self._tree)}
            running = read_running(self._tree)
            for name in set(plan.libraries) & set(stale) - running:
                if is_outdated(stale[name], read_now(self._tree).confirmed):
                    shutil.rmtree(self._tree.lib / name)
                    self._libraries.append(name)
        self.changed = self.changed or bool(self._libraries)

    def predict(self, plan: SweepPlan) -> SweepResult:
        """Return the result of check mode: what would be done."""
        self._staging += [*plan.failed, *plan.orphans]
        self._libraries += plan.libraries
        for share_id in (*plan.shares, *plan.moved):
            with self._guard(f"share {share_id}"):
                manifest = read_manifest(self._tree, share_id)
                self._shares.append(
                    {
                        "id": share_id,
                        "generation": manifest.generation if manifest else None,
                        "ftpuser": manifest.ftpuser if manifest else None,
                        "reason": EXPIRED
                        if manifest and manifest.live and share_id in plan.shares
                        else getattr(manifest, "reason", None),
                        "state": "absent"
                        if share_id in plan.shares
                        else _predict_place(self._tree, share_id),
                        "error": None,
                    }
                )
        if plan.accounts:
            desired_accounts = [DesiredAccount(name, SWEPT) for name in plan.accounts]
            outcomes, self._database = run_accounts(self._build_execution(True), desired_accounts)
            for outcome in outcomes:
                self._note_account(outcome)
        changed = self.changed or bool(self._staging or self._libraries or self._shares or plan.evictions)
        return self.build_result(changed=changed, next_end=plan.next_end)

    def build_result(self, changed: bool, next_end: Optional[str] = None) -> SweepResult:
        """Return the result of the sweep."""
        end, now = parse_time(next_end), read_now(self._tree)
        wakes = self._wake_times if end is None else [*self._wake_times, float(end)]
        return SweepResult(
            changed=changed,
            shares=self._shares,
            accounts=self._accounts,
            sessions_ended=self._ended,
            sessions_left=self._left,
            staging=self._staging,
            libraries=self._libraries,
            database=self._database,
            clock_ahead=round(max(0.0, now.ends - time.time())),
            clock_confirmed=now.doubt is None,
            next_end=next_end,
            problems=self._problems,
            wake_at=min(wakes, default=None),
        )

    def _build_execution(self, check_mode: bool) -> Execution:
        settings = self._settings
        return Execution(
            connect=lambda: open_connection(settings.login),
            site=AccountSite(now=time.time(), shares_root=str(self._tree.root)),
            table=settings.table,
            mysql_conf=settings.mysql_conf,
            check_mode=check_mode,
        )

    def _note_share(self, result: dict[str, Any]) -> None:
        kept = ("id", "generation", "ftpuser", "reason", "state", "error")
        if result["error"] is not None:
            self._problems.append(result["error"]["message"])
        if result["changed"] or result["error"] is not None:
            self._shares.append({key: result[key] for key in kept})
        self.changed = self.changed or result["changed"]

    def _note_account(self, outcome: Outcome) -> None:
        plan = outcome.plan
        error = None if outcome.error is None else outcome.error.to_dict()
        if outcome.error is not None and (self._database or {}).get("ok"):
            self._problems.append(outcome.error.message)
        self._ended += outcome.sessions_ended
        if not outcome.changed and error is None:
            return
        self.changed = self.changed or outcome.changed
        self._accounts.append(
            {
                "name": outcome.desired.name,
                "changed": outcome.changed,
                "state": plan.state if plan is not None and error is None else "unknown",
                "expires": plan.row.expires if plan is not None and plan.row is not None else None,
                "kept_reason": plan.kept_reason if plan is not None else None,
                "error": error,
            }
        )

    @staticmethod
    def _compute_wake(eviction: Eviction) -> float:
        since = read_uptime() if eviction.since is None else eviction.since
        return time.time() + max(1.0, since + eviction.grace - read_uptime())

    def _guard(self, what: str) -> Guard:
        return Guard(what, self._problems)
