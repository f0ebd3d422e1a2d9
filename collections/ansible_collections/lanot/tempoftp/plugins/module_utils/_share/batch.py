# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7: brings all shares of one execution nearer to what is wanted. No share waits for another.

Each turn, under the host's lock, looks at every share that is not settled, plans and applies its steps, and starts
copies as long as there are free places. Pauses, stopping a copy and ending sessions happen without the lock.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any, Callable, NamedTuple, Optional

from .._host.boot import read_boot_id
from .._host.errors import TempoftpError
from .._host.tree import Tree, hold_tree
from .._host.units import ALREADY, COPY_PREFIX, PURGE_PREFIX, Units
from .actions import Actions
from .apply import apply_report, apply_unmount
from .desired import DesiredShare, Site
from .evictions import evict, read_eviction
from .launcher import Launcher
from .look import look_share
from .order import Order
from .plan import CHANGING, Seen, Step, plan_step
from .result import build_diff, build_result, predict_result

# Seconds between two turns while copies run: short at first, for small shares.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 0.5
# Steps of one share in one turn: more than any legal path has.
_STEP_LIMIT = 8
# After these steps nothing is left to do for a share in this execution.
_SETTLING = frozenset({"nothing", "refuse", "report", "evict"})
# After these steps a unit works on the share: there is nothing to see of it before the next turn.
_STARTING = frozenset({"start", "purge"})


class Clock(NamedTuple):
    """Time, as the loop uses it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


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
        self._clock = clock or Clock()
        self._boot_id = read_boot_id()
        self._orders = [Order(desired, tree.root) for desired in desired_shares]
        self._launcher = Launcher(tree, units, site.max_copies, self._clock.now)
        self._actions = Actions(tree, site, self._launcher)
        # What a turn leaves to be done without the lock.
        self._to_stop: list[Order] = []
        self._to_evict: list[Order] = []

    @property
    def copies_running(self) -> int:
        """How many copies ran when systemd was last asked."""
        return self._launcher.copies_running

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
        """Check mode: return what the first step of every share would lead to."""
        self._launcher.list_units()
        return [self._predict_one(order) for order in self._orders]

    def _predict_one(self, order: Order) -> dict[str, Any]:
        try:
            seen = self._look(order)
            step = plan_step(order.desired, seen)
        except (TempoftpError, OSError) as error:
            order.fail(error)
            return build_result(order.desired, None, False, order.error)
        return predict_result(order.desired, seen, step)

    def _take_turn(self) -> bool:
        """Move every open share as far as it goes without waiting; say whether anything moved."""
        pending = [order for order in self._orders if not order.settled]
        self._to_stop, self._to_evict = [], []
        try:
            with hold_tree(self._tree) if pending else nullcontext():
                moved = self._move_all(pending)
        except (TempoftpError, OSError) as error:
            for order in pending:
                order.fail(error)
            return True
        stopped = [_guard(order, self._stop) for order in self._to_stop]
        evicted = [_guard(order, self._evict) for order in self._to_evict]
        return moved or bool(stopped) or any(evicted)

    def _move_all(self, pending: list[Order]) -> bool:
        """The part of a turn under the lock: look at all shares, then move them, then start their units together."""
        self._launcher.drop_requests()
        self._launcher.list_units()
        for order in pending:
            _guard(order, self._look_and_free_place)
        self._launcher.count_places()
        moved = [_guard(order, self._move) for order in pending]
        self._start_units(pending)
        return any(moved)

    def _look(self, order: Order) -> Seen:
        seen = look_share(
            self._tree, order.desired, self._launcher.active, self._boot_id, self._site.trash_hours
        )
        order.note_look(seen)
        return seen

    def _look_and_free_place(self, order: Order) -> bool:
        """Look at a share. A copy that has written its final status frees its place before its unit is gone."""
        seen = self._look(order)
        if seen.copying and seen.status is not None and seen.status.final:
            self._launcher.mark_finished(order.desired.id)
        return True

    def _move(self, order: Order) -> bool:
        """Apply the steps of a share until one of them needs time; say whether anything moved."""
        moved = False
        for _count in range(_STEP_LIMIT):
            if order.seen is None:
                break
            step = plan_step(order.desired, order.seen)
            if step.kind == "stop":
                self._to_stop.append(order)
                return True
            if self._must_wait(step):
                break
            if step.kind == "evict" and self._site.evicts:
                self._to_evict.append(order)
                break
            if step.kind in _SETTLING:
                self._settle(order, order.seen, step)
                break
            self._actions.apply(step, order, order.seen)
            if step.kind in CHANGING:
                moved = order.changed = True
            if step.kind in _STARTING:
                break
            self._look_and_free_place(order)
        return moved

    def _must_wait(self, step: Step) -> bool:
        """Whether a share waits: for its running unit, or for a free place among the copies."""
        return step.kind == "wait" or (step.kind == "start" and self._launcher.places <= 0)

    def _settle(self, order: Order, seen: Seen, step: Step) -> None:
        if step.kind == "report":
            apply_report(self._tree, seen)
        order.settle(step.error)

    def _start_units(self, pending: list[Order]) -> None:
        """Start the units that the turn requested, and look again at every share."""
        started = self._launcher.start_requested()
        if not started:
            return
        for order in pending:
            for name in (COPY_PREFIX + order.desired.id, PURGE_PREFIX + order.desired.id):
                if name in started:
                    _note_start(order, name, started[name])
            _guard(order, self._look_and_free_place)

    def _stop(self, order: Order) -> bool:
        """Stop the copy of a share, and unmount what is mounted in it."""
        if order.seen is not None and order.seen.copying:
            self._launcher.stop_copy(order.desired.id)
            order.changed = True
        if order.seen is not None and order.seen.mounts:
            apply_unmount(self._tree, order.seen)
            order.changed = True
        return True

    def _evict(self, order: Order) -> bool:
        """End the sessions that were open when a share left its home; say whether they are gone."""
        eviction = read_eviction(self._tree, order.desired.id)
        if eviction is None:
            return True
        evicted = evict(self._tree, eviction)
        order.changed = order.changed or evicted.ended > 0
        return evicted.left == 0


def _guard(order: Order, action: Callable[[Order], bool]) -> bool:
    """Run an action for a share that is not settled. When it fails, only this share fails."""
    if order.settled:
        return False
    try:
        return action(order)
    except (TempoftpError, OSError) as error:
        order.fail(error)
        return True


def _note_start(order: Order, name: str, failure: Optional[str]) -> None:
    if failure is None:
        order.starts += 1
    elif failure != ALREADY:
        order.fail(TempoftpError(f"unit {name} could not be started: {failure}", "copy_failed"))
