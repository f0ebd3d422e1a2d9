# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a caller is told about a share (docs/dataflow.md, step 7). Pure."""

from __future__ import annotations

from typing import Any, Optional

from .._host.errors import TempoftpError, build_error
from .._record.facts import fill_facts
from .desired import DesiredShare
from .plan import CHANGING, Seen, Step, resolve_generation

# Where a share comes to that changes, by the state that is wished.
_PREDICTED = {"present": "delivered", "blocked": "blocked"}


def build_result(
    desired: DesiredShare, seen: Optional[Seen], changed: bool, error: Optional[TempoftpError]
) -> dict[str, Any]:
    """Return the result of one share. *seen* None: it could not be looked at."""
    result = _build_empty(desired)
    result["changed"] = changed
    if seen is not None:
        result["state"] = describe_state(desired, seen)
        result.update(_describe_copy(seen))
    if error is not None:
        result["error"] = error.to_dict()
    elif seen is not None and result["state"] == "failed" and seen.status is not None:
        result["error"] = build_error(seen.status.error_class or "copy_failed", seen.status.message or "")
    return result


def build_refusal(share_id: Any, error: TempoftpError) -> dict[str, Any]:
    """Return the result of a share whose very options were refused."""
    result = _build_empty(DesiredShare(str(share_id)))
    result["error"] = error.to_dict()
    return result


def describe_state(desired: DesiredShare, seen: Seen) -> str:
    """Return the word for where a share stands."""
    manifest, status = seen.manifest, seen.status
    if manifest is None or not manifest.live:
        return "purging" if seen.trash or seen.evicting or manifest is not None else "absent"
    if manifest.arrived:
        # What is, not what should be: a share that could not be taken out of the home is not blocked.
        return "blocked" if seen.held is not None else "delivered"
    if status is not None and status.phase == "failed":
        return "failed"
    if status is not None and status.phase == "done":
        return "verifying"
    if not seen.copying:
        return "queued"
    return status.phase if status is not None else "probing"


def predict_result(desired: DesiredShare, seen: Seen, step: Step) -> dict[str, Any]:
    """Return what an execution in check mode says: where the share would come to."""
    result = build_result(desired, seen, step.kind in CHANGING, step.error)
    if step.kind in CHANGING:
        result["generation"] = resolve_generation(desired, seen)
        result["state"] = _PREDICTED.get(desired.state, "absent")
    return result


def build_diff(desired: DesiredShare, before: Optional[Seen], result: dict[str, Any]) -> dict[str, Any]:
    """Return the before and after of one share for ``--diff``."""
    was = build_result(desired, before, False, None) if before is not None else _build_empty(desired)
    manifest = before.manifest if before is not None else None
    old = {"state": was["state"]}
    if manifest is not None and manifest.live:
        old.update(
            generation=manifest.generation,
            ftpuser=manifest.ftpuser,
            source=manifest.source,
            path=manifest.path,
        )
    new = {"state": result["state"]}
    if desired.wanted and result["error"] is None:
        new.update(
            generation=result["generation"],
            ftpuser=desired.ftpuser,
            source=desired.source,
            path=result["path"],
        )
    elif not result["changed"]:
        new = old
    return {
        "before_header": f"share {desired.id}",
        "after_header": f"share {desired.id}",
        "before": old,
        "after": new,
    }


def _build_empty(desired: DesiredShare) -> dict[str, Any]:
    return {
        "id": desired.id,
        "generation": desired.generation,
        "ftpuser": desired.ftpuser or None,
        "changed": False,
        "state": "absent",
        "path": None,
        "bytes_total": None,
        "bytes_done": 0,
        "files_total": None,
        "files_done": 0,
        "percent": 0,
        "rate": None,
        "eta": None,
        "ready_at": None,
        "expires": None,
        "reason": None,
        "restorable_until": None,
        "durations": {},
        "skipped": [],
        "skipped_total": 0,
        **fill_facts({}),
        "error": None,
    }


def _describe_copy(seen: Seen) -> dict[str, Any]:
    manifest, status = seen.manifest, seen.status
    if manifest is None:
        return _describe_end(seen)
    told: dict[str, Any] = {
        "generation": manifest.generation,
        "ftpuser": manifest.ftpuser,
        "path": manifest.path,
        "ready_at": manifest.ready_at,
        "expires": manifest.expires,
        "reason": manifest.reason,
    }
    if manifest.arrived:
        told.update(
            bytes_total=manifest.bytes_total,
            bytes_done=manifest.bytes_total or 0,
            files_total=manifest.files_total,
            files_done=manifest.files_total or 0,
            percent=100,
            eta=0,
            durations=dict(manifest.durations),
            skipped=list(manifest.skipped),
            skipped_total=manifest.skipped_total,
            **fill_facts(manifest.facts),
        )
    elif status is not None:
        told.update(
            bytes_total=status.bytes_total,
            bytes_done=status.bytes_done,
            files_total=status.files_total,
            files_done=status.files_done,
            percent=_compute_percent(status.bytes_done, status.bytes_total),
            rate=status.rate or None,
            eta=_compute_eta(status.bytes_done, status.bytes_total, status.rate),
            durations=dict(status.durations),
            skipped=list(status.skipped),
            skipped_total=status.skipped_total,
        )
    return told


def _describe_end(seen: Seen) -> dict[str, Any]:
    if seen.tombstone is None:
        return {}
    told: dict[str, Any] = {"generation": seen.ended, "reason": seen.tombstone.reason}
    told["restorable_until"] = seen.kept_until
    if seen.tombstone.ftpuser is not None:
        told["ftpuser"] = seen.tombstone.ftpuser
    return told


def _compute_percent(done: int, total: Optional[int]) -> int:
    """100 is kept for a share that is delivered."""
    return min(99, done * 100 // total) if total else 0


def _compute_eta(done: int, total: Optional[int], rate: int) -> Optional[int]:
    """Return seconds to go, None while nothing is known."""
    return None if total is None or rate <= 0 else max(0, total - done) // rate
