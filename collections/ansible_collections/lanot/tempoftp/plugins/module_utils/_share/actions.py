# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan by their names: each one is applied to one share, under the host's lock."""

from __future__ import annotations

from typing import Callable

from .._copy.starts import START_LIMIT, note_start
from .._host.errors import TempoftpError
from .._host.space import is_full, name_full, read_disk
from .._host.tree import Tree
from .._host.units import COPY_PREFIX, PURGE_PREFIX
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
    apply_restore,
    apply_show,
    apply_write_tombstone,
    check_trash,
)
from .desired import Site
from .launcher import Launcher
from .order import Order
from .plan import Seen, Step


class Actions:
    """Applies steps. Every method changes the host so that the share is one step nearer to what is wanted."""

    def __init__(self, tree: Tree, site: Site, launcher: Launcher) -> None:
        self._tree = tree
        self._site = site
        self._launcher = launcher

    def apply(self, step: Step, order: Order, seen: Seen) -> None:
        """Apply one step of ``ACTIONS``."""
        ACTIONS[step.kind](self, order, seen)

    def enlist(self, order: Order, seen: Seen) -> None:
        """Write the manifest of a new share or of a new generation."""
        apply_enlist(self._tree, order.desired, self._site, seen)

    def adjust(self, order: Order, seen: Seen) -> None:
        """Write what a later request changes of a share whose data stays as it is."""
        apply_adjust(self._tree, order.desired, seen)

    def start(self, order: Order, seen: Seen) -> None:
        """Have a copy started."""
        if seen.manifest is None:
            raise TempoftpError(f"share {order.desired.id} has no manifest: try again")
        apply_refresh(self._tree, order.desired, self._site, seen.manifest)
        starts = note_start(self._tree, seen.manifest, seen.boot_id, seen.status)
        self._limit_starts(f"{COPY_PREFIX}{order.desired.id}", max(starts - 1, order.starts))
        # A reported failure, or the status of an older generation, would be taken for the new copy's.
        if seen.stale_status or (seen.status is not None and seen.status.final):
            self._tree.status(order.desired.id).unlink(missing_ok=True)
        self._launcher.request_copy(seen.manifest)

    def deliver(self, order: Order, seen: Seen) -> None:
        """Rename a finished copy into its home."""
        apply_deliver(self._tree, seen)

    def confirm(self, order: Order, seen: Seen) -> None:
        """Write that the share has arrived."""
        apply_confirm(self._tree, seen)

    def bind(self, order: Order, seen: Seen) -> None:
        """Mount the source of a share that is a mount."""
        apply_bind(self._tree, seen)

    def hide(self, order: Order, seen: Seen) -> None:
        """Take a blocked share out of its home."""
        apply_hide(self._tree, seen)

    def show(self, order: Order, seen: Seen) -> None:
        """Put a share that is no longer blocked back into its home."""
        apply_show(self._tree, seen)

    def mark_absent(self, order: Order, seen: Seen) -> None:
        """Write that the share is being taken away since somebody asked for it."""
        apply_mark_absent(self._tree, seen, order.desired.generation or 0)

    def expire(self, order: Order, seen: Seen) -> None:
        """Write that the share is being taken away since its time is up."""
        apply_mark_absent(self._tree, seen)

    def move_to_trash(self, order: Order, seen: Seen) -> None:
        """Rename all data of the share into the trash."""
        apply_move_to_trash(self._tree, seen, self._site.grace_seconds, self._site.trash_hours)

    def restore(self, order: Order, seen: Seen) -> None:
        """Take the data of a deleted share back out of the trash."""
        apply_restore(self._tree, order.desired, seen, self._site.trash_hours)

    def write_tombstone(self, order: Order, seen: Seen) -> None:
        """Remember the end of a share that is not here."""
        apply_write_tombstone(
            self._tree, order.desired.id, order.desired.generation or 1, by=order.desired.managed_by
        )

    def purge(self, order: Order, seen: Seen) -> None:
        """Have the removal of the share's trash started."""
        self._limit_starts(f"{PURGE_PREFIX}{order.desired.id}", order.starts)
        check_trash(self._tree, seen)
        self._launcher.request_purge(order.desired.id)

    def _limit_starts(self, unit: str, in_vain: int) -> None:
        """Raise TempoftpError when a unit has ended too often without writing a status."""
        if in_vain >= START_LIMIT:
            message = f"{unit} ended without a word {in_vain} times: see journalctl -u {unit}"
            disk = read_disk(self._tree.root)
            # On a full disk no status can be written: the class of the error says which resource ran out.
            raise TempoftpError(message, name_full(disk) if is_full(disk) else "copy_failed")


ACTIONS: dict[str, Callable[[Actions, Order, Seen], None]] = {
    "enlist": Actions.enlist,
    "adjust": Actions.adjust,
    "start": Actions.start,
    "deliver": Actions.deliver,
    "confirm": Actions.confirm,
    "bind": Actions.bind,
    "hide": Actions.hide,
    "show": Actions.show,
    "mark_absent": Actions.mark_absent,
    "expire": Actions.expire,
    "move_to_trash": Actions.move_to_trash,
    "restore": Actions.restore,
    "write_tombstone": Actions.write_tombstone,
    "purge": Actions.purge,
}
