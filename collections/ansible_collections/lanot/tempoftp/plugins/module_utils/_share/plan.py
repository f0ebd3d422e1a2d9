# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""look → plan → apply, the middle part: which one step brings a share nearer to what is wanted. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .._host.errors import (
    ClockUnsureError,
    DestinationOccupiedError,
    EndedError,
    InvalidValueError,
    ManagedElsewhereError,
    StaleGenerationError,
    TempoftpError,
)
from .._record.manifest import SERVICE, Manifest
from .._record.status import Status
from .._record.tombstones import Tombstone
from .desired import ABSENT_IF_EXPIRED, DesiredShare, choose_manager, differs, is_managed_elsewhere

# Steps that change the host. The others look, wait or only leave a note.
CHANGING = frozenset(
    {
        *("enlist", "adjust", "start", "deliver", "confirm", "hide", "show", "bind"),
        *("mark_absent", "expire", "stop", "move_to_trash", "purge", "restore"),
    }
)


class Seen(NamedTuple):
    """What is on the host about one share.

    ``status`` is that of the manifest's generation; ``stale_status`` says that there is one of another.
    ``destination``, ``staged`` and ``held`` are inodes: of the share in its home, in staging, and among the blocked
    shares. ``expired``: its time is up. ``evicting``: sessions that began while it was in its home may still be open.
    ``lapsed``: its time is up by a clock that may be wrong: access ends, and nothing is removed; ``clock_problem`` says
    what is wrong with the clock. ``unmounted``: it should be a mount of its source, and is not mounted.
    ``occupied``: something that tempoftp did not make has the share's name in the home. ``home_problem``: why the
    account's home cannot be used. ``trash``: what is to be removed; ``kept``: the manifest of data that waits in the
    trash until ``kept_until``, and can be restored.
    """

    boot_id: str
    manifest: Optional[Manifest] = None
    tombstone: Optional[Tombstone] = None
    status: Optional[Status] = None
    stale_status: bool = False
    copying: bool = False
    purging: bool = False
    destination: Optional[int] = None
    staged: Optional[int] = None
    held: Optional[int] = None
    expired: bool = False
    lapsed: bool = False
    clock_problem: str = ""
    evicting: bool = False
    unmounted: bool = False
    occupied: bool = False
    home_problem: Optional[TempoftpError] = None
    mounts: tuple[str, ...] = ()
    trash: tuple[str, ...] = ()
    kept: Optional[Manifest] = None
    kept_until: Optional[str] = None

    @property
    def ended(self) -> int:
        """The generation of the tombstone, 0 without one."""
        return self.tombstone.generation if self.tombstone else 0

    @property
    def known(self) -> int:
        """The newest generation that this host knows, 0 for an unknown id."""
        return max(self.ended, self.manifest.generation if self.manifest else 0)

    @property
    def suspended(self) -> bool:
        """Whether access ends for now, since the time is up by a clock that may be wrong."""
        return self.lapsed and not self.expired

    @property
    def copied(self) -> bool:
        """Whether the copier has finished."""
        return self.status is not None and self.status.phase == "done"

    @property
    def in_place(self) -> bool:
        """Whether the data of a share was moved into its place, and the manifest does not say so yet."""
        if self.status is None or self.status.inode is None:
            return False
        return self.copied and self.status.inode in (self.destination, self.held)

    @property
    def delivered(self) -> bool:
        """Whether the folder in the home is this share, also when the manifest does not say so yet."""
        if self.manifest is None or self.destination is None or self.held is not None:
            return False
        if self.manifest.state == "copying":
            return self.copied and self.status is not None and self.status.inode == self.destination
        return self.manifest.delivered_at is not None or (
            self.status is not None and self.status.inode == self.destination
        )


class Step(NamedTuple):
    """One step; ``refuse`` carries an error."""

    kind: str
    error: Optional[TempoftpError] = None


NOTHING, WAIT, EVICT = Step("nothing"), Step("wait"), Step("evict")


def resolve_generation(desired: DesiredShare, seen: Seen) -> int:
    """Return the generation that is meant: the given one, that of the manifest, or one more than the tombstone's."""
    if desired.generation is not None:
        return desired.generation
    if seen.manifest is not None and seen.manifest.generation > seen.ended and seen.manifest.live:
        return seen.manifest.generation
    return seen.known + 1 if desired.wanted else seen.known


def plan_step(desired: DesiredShare, seen: Seen) -> Step:
    """Return the next step. A ``start`` waits until there is a free place among the running copies."""
    if desired.state == ABSENT_IF_EXPIRED:
        return _plan_if_expired(seen)
    if seen.manifest is not None and is_managed_elsewhere(seen.manifest, desired):
        return _refuse_managed_elsewhere(desired, seen.manifest)
    return _plan_wanted(desired, seen) if desired.wanted else _plan_absent(desired, seen)


def _plan_wanted(desired: DesiredShare, seen: Seen) -> Step:
    generation = resolve_generation(desired, seen)
    manifest = seen.manifest
    if generation <= seen.ended or (manifest and generation < manifest.generation):
        return _refuse_stale(desired, seen)
    if manifest is not None and not manifest.live:
        # A deletion was interrupted. This generation cannot be delivered again; a newer one waits for the deletion.
        return _refuse_stale(desired, seen) if generation == manifest.generation else _plan_end(seen)
    if manifest is not None and seen.expired:
        # An ended share is never revived. A request for a new generation is served once the old one is gone.
        anew = generation > manifest.generation and not desired.require_existing
        return Step("expire") if anew else _refuse_ended(desired, seen)
    if manifest is None:
        return _refuse_ended(desired, seen) if desired.require_existing else _plan_begin(desired, seen)
    if differs(manifest, desired):
        if generation > manifest.generation:
            return _plan_begin(desired, seen)
        return Step(
            "refuse",
            InvalidValueError(
                f"share {desired.id} generation {generation} is {manifest.source} for "
                f"{manifest.ftpuser}: make it absent "
                "first, or give a higher generation"
            ),
        )
    if (generation, desired.lifetime_days, desired.hidden, choose_manager(manifest, desired)) != (
        manifest.generation,
        manifest.lifetime_days,
        manifest.hidden,
        manifest.managed_by,
    ):
        return Step("adjust")
    return _plan_progress(desired, seen, manifest)


def _plan_begin(desired: DesiredShare, seen: Seen) -> Step:
    if seen.home_problem is not None:
        return Step("refuse", seen.home_problem)
    if seen.occupied:
        return _refuse_occupied(desired)
    kept = seen.kept if seen.manifest is None and desired.restore else None
    if kept is None or differs(kept, desired) or is_managed_elsewhere(kept, desired):
        return Step("enlist")
    return Step("restore")


def _plan_progress(desired: DesiredShare, seen: Seen, manifest: Manifest) -> Step:
    if manifest.arrived:
        return _plan_place(desired, seen, manifest)
    if seen.in_place:
        return Step("confirm")
    if seen.destination is not None:
        return _refuse_occupied(desired)
    if seen.held is not None:
        # A power loss took the status after the data was moved there. The data is used as what was copied so far.
        return Step("enlist")
    status = seen.status
    if (
        status is not None
        and status.phase == "done"
        and seen.staged is not None
        and seen.staged == status.inode
    ):
        return Step("deliver")
    if seen.copying and not (status is not None and status.final):
        return Step("stop") if status is None and seen.stale_status else WAIT
    if status is not None and status.phase == "failed" and not status.reported:
        return Step("report")
    return Step("start")


def _plan_place(desired: DesiredShare, seen: Seen, manifest: Manifest) -> Step:
    """Return the next step of a share whose data is complete: it is only moved, mounted or cleaned up."""
    if seen.suspended and not manifest.hidden:
        return _plan_suspended(seen) or Step("refuse", _explain_suspended(desired.id, seen))
    if manifest.hidden and seen.delivered:
        return Step("hide")
    if not manifest.hidden and seen.held is not None:
        return Step("show") if seen.destination is None else _refuse_occupied(desired)
    if (seen.held if manifest.hidden else seen.destination) is None:
        return Step("enlist")
    if seen.unmounted and not manifest.hidden:
        return Step("bind")
    if seen.trash and not seen.purging:
        return Step("purge")
    return EVICT if seen.evicting and manifest.hidden else NOTHING


def _plan_if_expired(seen: Seen) -> Step:
    """Return the next step of the sweep: it ends expired shares, and finishes ends that others began."""
    manifest = seen.manifest
    if manifest is None:
        if seen.trash and not seen.purging:
            return Step("purge")
        return EVICT if seen.evicting else NOTHING
    if not manifest.live:
        return _plan_end(seen)
    if seen.expired:
        return Step("expire")
    if not manifest.arrived or manifest.hidden:
        return NOTHING
    if seen.suspended:
        return _plan_suspended(seen) or NOTHING
    # The clock was wrong and is right again.
    return Step("show") if seen.held is not None and seen.destination is None else NOTHING


def _plan_suspended(seen: Seen) -> Optional[Step]:
    """Return the step that keeps a share from its recipient without removing anything; None when that is done."""
    if seen.delivered:
        return Step("hide")
    return EVICT if seen.evicting else None


def _explain_suspended(share_id: str, seen: Seen) -> ClockUnsureError:
    return ClockUnsureError(
        f"share {share_id}: {seen.clock_problem}; it is available again when the clock is right"
    )


def _plan_absent(desired: DesiredShare, seen: Seen) -> Step:
    manifest = seen.manifest
    if desired.generation is not None and desired.generation < seen.known:
        return _refuse_stale(desired, seen)
    if manifest is not None:
        return Step("mark_absent") if manifest.live else _plan_end(seen)
    if desired.generation is not None and desired.generation > seen.ended:
        return Step("write_tombstone")
    if seen.trash and not seen.purging:
        return Step("purge")
    if seen.evicting:
        return EVICT
    return WAIT if seen.trash else NOTHING


def _plan_end(seen: Seen) -> Step:
    """Return the next step of a share whose manifest says ``absent``."""
    return Step("stop") if seen.copying or seen.mounts else Step("move_to_trash")


def _refuse_stale(desired: DesiredShare, seen: Seen) -> Step:
    request = f"generation {desired.generation}" if desired.generation is not None else "this request"
    ended = f", which ended {seen.tombstone.ended_at}" if seen.tombstone and seen.ended == seen.known else ""
    return Step(
        "refuse",
        StaleGenerationError(
            f"share {desired.id}: {request} is late, this host knows generation {seen.known}{ended}: "
            "nothing was changed"
        ),
    )


def _refuse_ended(desired: DesiredShare, seen: Seen) -> Step:
    if seen.manifest is not None:
        message = f"its time was up at {seen.manifest.ends_at}, and it is being taken away: ask for it anew"
        return Step("refuse", EndedError(f"share {desired.id}: {message}"))
    if seen.tombstone is not None:
        message = (
            f"it ended at {seen.tombstone.ended_at} ({seen.tombstone.reason or 'deleted'}): ask for it anew"
        )
        return Step("refuse", EndedError(f"share {desired.id}: {message}"))
    message = "this host does not have it, so there is nothing to change: ask for it without require_existing"
    return Step("refuse", TempoftpError(f"share {desired.id}: {message}", "not_delivered"))


def _refuse_managed_elsewhere(desired: DesiredShare, manifest: Manifest) -> Step:
    if manifest.managed_by == SERVICE:
        what = (
            "belongs to the service (or to a release that did not write down whose it is): change it there, choose "
            "another id, or say take_over: true if no service knows it"
        )
    else:
        what = (
            "belongs to an operator, who delivered it without the service: end it with share.yml, or choose "
            "another id"
        )
    return Step("refuse", ManagedElsewhereError(f"share {desired.id} {what}; nothing was changed"))


def _refuse_occupied(desired: DesiredShare) -> Step:
    return Step(
        "refuse",
        DestinationOccupiedError(
            f"share {desired.id}: something that tempoftp did not put there stands in "
            f"the home of {desired.ftpuser} under "
            "this name: move it away or choose another id"
        ),
    )
