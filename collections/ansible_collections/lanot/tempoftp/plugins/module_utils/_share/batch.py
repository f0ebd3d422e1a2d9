# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7: brings all shares of one execution nearer to what is wanted, none of them waiting for another.

Each turn, under the host's lock, looks at every share that is not settled, plans and applies its steps, and starts
copies as far as there are places. Waiting, and stopping a unit, happen without the lock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Union

from .._copy.ssh import SOCKET_DIRECTORY, build_master_argv, read_access
from .._copy.starts import START_LIMIT, note_start
from .._host.boot import read_boot_id
from .._host.errors import TempoftpError
from .._host.lock import hold_lock
from .._host.space import explain_os_error, is_full, name_full, read_disk
from .._host.tree import Tree
from .._host.units import ALREADY, COPY_PREFIX, PURGE_PREFIX, SSH_PREFIX, Units
from .._record.manifest import Manifest
from .apply import (
    apply_adjust,
    apply_bind,
    apply_confirm,
    apply_deliver,
    apply_enlist,
    apply_hide,
    apply_mark_absent,
    apply_move_to_trash,
    apply_refresh,
    apply_report,
    apply_show,
    apply_unmount,
    apply_write_tombstone,
    check_trash,
)
from .desired import DesiredShare, Site
from .evictions import evict, read_eviction
from .library import COPY, PURGE, build_program_argv, install_library
from .look import look_share
from .plan import CHANGING, Seen, Step, plan_step
from .result import build_diff, build_result, predict_result

# Seconds between two looks while copies run: at first short, for small shares.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.5
# Asking systemd costs a process; a status file says everything but that its writer died.
_UNITS_INTERVAL = 1.0
# Steps of one share in one turn: more than any legal path has.
_STEP_LIMIT = 8


class Clock(NamedTuple):
    """Time, as the loop uses it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class _Order:
    """One share of the batch on its way."""

    def __init__(self, desired: DesiredShare, root: Path) -> None:
        self.desired = desired
        self._root = root
        self.first: Optional[Seen] = None
        self.seen: Optional[Seen] = None
        self.changed = False
        self.settled = False
        self.error: Optional[TempoftpError] = None
        self.starts = 0

    def fail(self, error: Union[TempoftpError, OSError]) -> None:
        """End with an error."""
        if isinstance(error, OSError):
            error = explain_os_error(error, f"share {self.desired.id}", self._root)
        self.error = error
        self.settled = True


class Batch:
    """All shares of one module execution."""

    def __init__(
        self,
        tree: Tree,
        desired_shares: list[DesiredShare],
        site: Site,
        units: Units,
        clock: Optional[Clock] = None,
    ) -> None:
        self._tree = tree
        self._site = site
        self._units = units
        self._clock = clock or Clock()
        self._boot_id = read_boot_id()
        self._orders = [_Order(desired, tree.root) for desired in desired_shares]
        self._active: set[str] = set()
        # Copies that said their last word in this execution: their units end a moment later.
        self._ended: set[str] = set()
        self._asked_units: Optional[float] = None
        self._places = 0
        self._to_start: dict[str, list[str]] = {}
        self._to_evict: list[_Order] = []
        self._library: Optional[Path] = None

    @property
    def copies_running(self) -> int:
        """How many copies ran when systemd was last asked."""
        return sum(name.startswith(COPY_PREFIX) for name in self._active)

    def run(self) -> list[dict[str, Any]]:
        """Do what can be done within the site's wait; return the shares' results in their order."""
        if self._site.check_mode:
            return self._predict()
        deadline = self._clock.now() + self._site.wait_timeout
        pause = _FIRST_PAUSE
        while True:
            progressed = self._take_turn()
            if all(order.settled for order in self._orders):
                break
            if progressed:
                pause = _FIRST_PAUSE
                continue
            if not self._site.wait or self._clock.now() >= deadline:
                break
            self._clock.sleep(min(pause, max(0.0, deadline - self._clock.now())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return [build_result(order.desired, order.seen, order.changed, order.error) for order in self._orders]

    def build_diffs(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the before and after of every share, after ``run``."""
        return [
            build_diff(order.desired, order.first, result) for order, result in zip(self._orders, results)
        ]

    def _predict(self) -> list[dict[str, Any]]:
        results = []
        self._ask_units()
        for order in self._orders:
            try:
                order.first = order.seen = look_share(self._tree, order.desired, self._active, self._boot_id)
                step = plan_step(order.desired, order.seen)
            except (TempoftpError, OSError) as error:
                order.fail(error)
                results.append(build_result(order.desired, None, False, order.error))
            else:
                results.append(predict_result(order.desired, order.seen, step))
        return results

    def _take_turn(self) -> bool:
        """Look at every open share once and move it as far as it goes without waiting; say whether anything moved."""
        pending = [order for order in self._orders if not order.settled]
        to_stop: list[_Order] = []
        self._to_evict = []
        self._to_start = {}
        try:
            if self._needs_lock(pending):
                with hold_lock(self._tree.lock):
                    moved = self._move_all(pending, to_stop)
            else:
                moved = self._move_all(pending, to_stop)
        except TempoftpError as error:
            for order in pending:
                order.fail(error)
            return True
        for order in to_stop:
            self._guard(order, self._stop)
        evicted = [self._guard(order, self._evict) for order in self._to_evict]
        return moved or bool(to_stop) or any(evicted)

    def _needs_lock(self, pending: list[_Order]) -> bool:
        """A host that never had a share gets no state directory from being asked about nothing."""
        return bool(pending) and (self._tree.state.is_dir() or self._make_state(pending))

    def _make_state(self, pending: list[_Order]) -> bool:
        if not any(order.desired.wanted or order.desired.generation is not None for order in pending):
            return False
        self._tree.state.mkdir(mode=0o700, exist_ok=True)
        return True

    def _move_all(self, pending: list[_Order], to_stop: list[_Order]) -> bool:
        self._ask_units()
        looks = {id(order): self._guard(order, self._look) for order in pending}
        self._places = self._site.max_copies - self.copies_running
        moved = [
            self._guard(order, lambda order: self._move(order, to_stop))
            for order in pending
            if looks[id(order)]
        ]
        self._start_units(pending)
        return any(moved)

    def _ask_units(self) -> None:
        now = self._clock.now()
        if self._asked_units is None or now - self._asked_units >= _UNITS_INTERVAL:
            self._active = self._units.list_active() - self._ended
            self._asked_units = now

    def _look(self, order: _Order) -> bool:
        order.seen = look_share(self._tree, order.desired, self._active, self._boot_id)
        if order.seen.copying and order.seen.status is not None and order.seen.status.final:
            self._ended.add(COPY_PREFIX + order.desired.id)
            self._active.discard(COPY_PREFIX + order.desired.id)
        if order.first is None:
            order.first = order.seen
        return True

    def _guard(self, order: _Order, action: Callable[[_Order], bool]) -> bool:
        """Keep one share's failure from its neighbours."""
        if order.settled:
            return False
        try:
            return action(order)
        except (TempoftpError, OSError) as error:
            order.fail(error)
            return True

    def _move(self, order: _Order, to_stop: list[_Order]) -> bool:
        moved = False
        for _count in range(_STEP_LIMIT):
            if order.seen is None:
                break
            step = plan_step(order.desired, order.seen)
            if step.kind == "stop":
                to_stop.append(order)
                return True
            if step.kind == "start" and self._places <= 0:
                return moved
            if step.kind == "evict" and self._site.evicts:
                self._to_evict.append(order)
                return moved
            goes_on = self._apply(order, order.seen, step)
            moved = moved or step.kind in CHANGING
            if not goes_on:
                return moved
            self._look(order)
        return moved

    def _apply(self, order: _Order, seen: Seen, step: Step) -> bool:
        """Apply one step; say whether there may be another one right away."""
        if step.kind == "wait":
            return False
        if step.kind in ("nothing", "refuse", "report", "evict"):
            if step.kind == "report":
                apply_report(self._tree, seen)
            order.error = step.error
            order.settled = True
            return False
        self._ACTIONS[step.kind](self, order, seen)
        order.changed = order.changed or step.kind in CHANGING
        return step.kind not in ("start", "purge")

    def _enlist(self, order: _Order, seen: Seen) -> None:
        apply_enlist(self._tree, order.desired, self._site, seen)

    def _start(self, order: _Order, seen: Seen) -> None:
        if seen.manifest is None:
            raise TempoftpError(f"share {order.desired.id} has no manifest: try again")
        apply_refresh(self._tree, order.desired, self._site, seen.manifest)
        starts = note_start(self._tree, seen.manifest, self._boot_id, seen.status)
        self._limit_starts(f"{COPY_PREFIX}{order.desired.id}", max(starts - 1, order.starts))
        # A failure that was told, or the word of an older generation, would be taken for the new copier's.
        if seen.stale_status or (seen.status is not None and seen.status.final):
            self._tree.status(order.desired.id).unlink(missing_ok=True)
        self._to_start[COPY_PREFIX + order.desired.id] = self._build_argv(COPY, order.desired.id)
        self._open_master(order.desired, seen.manifest)
        self._places -= 1

    def _purge(self, order: _Order, seen: Seen) -> None:
        self._limit_starts(f"{PURGE_PREFIX}{order.desired.id}", order.starts)
        check_trash(self._tree, seen)
        self._to_start[PURGE_PREFIX + order.desired.id] = self._build_argv(PURGE, order.desired.id)

    def _limit_starts(self, unit: str, in_vain: int) -> None:
        """A unit that ends again and again without a word is not started for ever."""
        if in_vain >= START_LIMIT:
            told = f"{unit} ended without a word {in_vain} times: see journalctl -u {unit}"
            disk = read_disk(self._tree.root)
            # Whoever cannot write a word is none the wiser for "it failed".
            raise TempoftpError(told, name_full(disk) if is_full(disk) else "copy_failed")

    def _build_argv(self, entry: str, share_id: str) -> list[str]:
        if self._library is None:
            self._library = install_library(self._tree)
        return build_program_argv(self._library, entry, share_id)

    def _open_master(self, desired: DesiredShare, manifest: Manifest) -> None:
        """One connection for all shares of a source; without it each copy opens its own."""
        if manifest.local:
            return
        access = read_access(manifest)
        unit = SSH_PREFIX + access.digest
        if unit not in self._active and unit not in self._to_start:
            Path(SOCKET_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
            self._to_start = {unit: build_master_argv(access), **self._to_start}

    def _start_units(self, pending: list[_Order]) -> None:
        if not self._to_start:
            return
        failures = self._units.start(self._to_start)
        self._ended -= set(self._to_start)
        self._active |= {name for name in self._to_start if failures.get(name, ALREADY) == ALREADY}
        for order in pending:
            for name in {COPY_PREFIX + order.desired.id, PURGE_PREFIX + order.desired.id}.intersection(
                self._to_start
            ):
                self._note_start(order, name, failures.get(name))
            self._guard(order, self._look)

    @staticmethod
    def _note_start(order: _Order, name: str, failure: Optional[str]) -> None:
        if failure is None:
            order.starts += 1
        elif failure != ALREADY:
            order.fail(TempoftpError(f"unit {name} could not be started: {failure}", "copy_failed"))

    def _evict(self, order: _Order) -> bool:
        """End the sessions that a share left behind; say whether they are gone."""
        eviction = read_eviction(self._tree, order.desired.id)
        if eviction is None:
            return True
        evicted = evict(self._tree, eviction)
        order.changed = order.changed or evicted.ended > 0
        return evicted.left == 0

    def _stop(self, order: _Order) -> bool:
        name = COPY_PREFIX + order.desired.id
        if order.seen is not None and order.seen.copying:
            self._units.stop([name])
            self._active.discard(name)
            order.changed = True
        if order.seen is not None and order.seen.mounts:
            apply_unmount(self._tree, order.seen)
            order.changed = True
        return True

    _ACTIONS: dict[str, Callable[[Batch, _Order, Seen], None]] = {
        "enlist": _enlist,
        "start": _start,
        "purge": _purge,
        "deliver": lambda self, _order, seen: apply_deliver(self._tree, seen),
        "confirm": lambda self, _order, seen: apply_confirm(self._tree, seen),
        "adjust": lambda self, order, seen: apply_adjust(self._tree, order.desired, seen),
        "bind": lambda self, _order, seen: apply_bind(self._tree, seen),
        "hide": lambda self, _order, seen: apply_hide(self._tree, seen),
        "show": lambda self, _order, seen: apply_show(self._tree, seen),
        "mark_absent": lambda self, order, seen: apply_mark_absent(
            self._tree, seen, order.desired.generation or 0
        ),
        "expire": lambda self, _order, seen: apply_mark_absent(self._tree, seen),
        "move_to_trash": lambda self, _order, seen: apply_move_to_trash(
            self._tree, seen, self._site.grace_seconds
        ),
        "write_tombstone": lambda self, order, seen: apply_write_tombstone(
            self._tree, order.desired.id, order.desired.generation or 1
        ),
    }
