"""A simulated provisioner (`TEMPOFTP_SIMULACRO=1`): the same service, with FTP hosts that exist only in a file.

It keeps what a host would have in `<state>/simulated/<host>.json` and follows the modules' contract: generations,
queue and progress, accounts that exist once a share is delivered. Copies take time by a size that is derived from the
path. The last component of `ruta` can ask for more:

* `tarda-<seconds>`: the copy takes so long;
* `falla-<class>`: fails with that error class (see `shares/errors.py`);
* `falla-<class>-<seconds>`: fails so until that many seconds after it was first asked for, then goes on;
* `existe`: the account was there before, with a password of its own (a conflict unless an operator mapped it).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tempoftp.runs.provisioner import RunAbandoned, new_run_id
from tempoftp.runs.request_file import RunRequest, ShareItem, UserItem
from tempoftp.shares.errors import ERROR_CLASSES
from tempoftp.shares.results import Outcome
from tempoftp.shares.views import write_time

SPACE_TOTAL = 1_000_000_000_000
BYTES_PER_SECOND = 100_000_000
RUN_SECONDS = 0.1
"""What a playbook run costs here."""
POLL_SECONDS = 0.05
ADOPTED_HASH = (
    "$6$simulated$not-a-hash-of-anything"  # an account of somebody else, in a file nobody logs in by
)
_FAILURE = re.compile(r"falla-(?P<name>[a-z_]+?)(?:-(?P<seconds>\d+))?")
_DURATION = re.compile(r"tarda-(?P<seconds>\d+)")

World = dict[str, Any]


class SimulatedProvisioner:
    """Simulated FTP hosts under a state folder. Safe for several processes at once."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "simulated"

    def sweep(self) -> None:
        """Make the folder; nothing of a run is ever left over."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return a new id; nothing stands by here."""
        return new_run_id()

    def close(self) -> None:
        """Nothing runs between two runs."""

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Look, apply one step, wait like a run does, report."""
        time.sleep(RUN_SECONDS)
        deadline = time.monotonic() + request.wait_timeout
        while True:
            if should_stop():
                raise RunAbandoned
            with self._open_world(request.ftp_host) as world:
                shares = [apply_share(world, item, time.time()) for item in request.shares]
                moving = any(share["state"] in ("queued", "probing", "copying") for share in shares)
                if not moving or time.monotonic() >= deadline:
                    users = [apply_user(world, item, time.time()) for item in request.users]
                    return _report(request, world, shares, users)
            time.sleep(POLL_SECONDS)

    @contextmanager
    def _open_world(self, ftp_host: str) -> Iterator[World]:
        """Hold a host's file locked, as the modules hold its lock, and write it back when the block ends."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = self._folder / f"{ftp_host}.json"
        with (self._folder / f"{ftp_host}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = path.read_text() if path.exists() else ""
            world: World = json.loads(before) if before else {"shares": {}, "users": {}, "tombstones": {}}
            yield world
            after = json.dumps(world)
            if after != before:
                fresh = path.with_suffix(".new")
                fresh.write_text(after)
                fresh.replace(path)


def apply_share(world: World, item: ShareItem, now: float) -> dict[str, Any]:
    """Bring one share one step on; returns it as `tempoftp_share` reports it."""
    known = max(world["shares"].get(item.id, {}).get("generation", 0), world["tombstones"].get(item.id, 0))
    if item.generation < known:
        return _fail(item, "failed", "stale", f"{item.id} is known in the newer generation {known}")
    if item.state == "absent":
        world["shares"].pop(item.id, None)
        world["tombstones"][item.id] = item.generation
        return _describe(item, "absent", None, now)
    share = world["shares"].get(item.id)
    if share is None or share["generation"] != item.generation:
        share = {
            "generation": item.generation,
            "ftpuser": item.ftpuser,
            "lifetime_days": item.lifetime_days,
            "begun": now,
            "ready_at": None,
            **_plan_copy(item.source),
        }
        world["shares"][item.id] = share
        if item.source.endswith("/existe"):
            adopted = {"password_hash": ADOPTED_HASH, "origin": "adopted"}
            world["users"].setdefault(item.ftpuser, adopted)
    failure = _find_failure(item.source, now - share["begun"])
    if failure is not None:
        return _fail(item, "failed", failure, f"simulated {failure} for {item.source}; ask for another path")
    return _describe(item, "delivered" if now >= share["begun"] + share["seconds"] else "copying", share, now)


def _plan_copy(source: str) -> dict[str, Any]:
    """Return size, files and duration for a path: always the same for the same path."""
    digest = hashlib.sha256(source.encode()).digest()
    size = 1_000_000 + int.from_bytes(digest[:4], "big") % 50_000_000
    found = _DURATION.fullmatch(source.rsplit("/", 1)[-1])
    seconds = float(found["seconds"]) if found else 0.2 + size / BYTES_PER_SECOND
    return {"bytes_total": size, "files_total": 1 + digest[4] % 40, "seconds": seconds}


def _find_failure(source: str, age: float) -> str | None:
    found = _FAILURE.fullmatch(source.rsplit("/", 1)[-1])
    if found is None or found["name"] not in ERROR_CLASSES:
        return None
    if found["seconds"] is not None and age >= float(found["seconds"]):
        return None
    return found["name"]


def _describe(item: ShareItem, state: str, share: dict[str, Any] | None, now: float) -> dict[str, Any]:
    result: dict[str, Any] = {"id": item.id, "generation": item.generation, "state": state, "error": None}
    if share is None:
        return result
    part = min((now - share["begun"]) / share["seconds"], 1.0) if share["seconds"] else 1.0
    return result | {
        "path": f"/data/{item.ftpuser}/{item.id}",
        "bytes_total": share["bytes_total"],
        "bytes_done": int(share["bytes_total"] * part),
        "files_total": share["files_total"],
        "files_done": int(share["files_total"] * part),
        "percent": round(100 * part, 1),
        "rate": share["bytes_total"] / share["seconds"] if share["seconds"] else None,
        "eta": max(share["begun"] + share["seconds"] - now, 0.0),
        "skipped": [],
        "skipped_total": 0,
    }


def _fail(item: ShareItem, state: str, error_class: str, message: str) -> dict[str, Any]:
    error = {"class": error_class, "message": message, "transient": ERROR_CLASSES[error_class].transient}
    return {"id": item.id, "generation": item.generation, "state": state, "error": error}


def apply_user(world: World, item: UserItem, now: float) -> dict[str, Any]:
    """Bring one account one step on; returns it as `tempoftp_ftpuser` reports it."""
    live = {
        share_id: share
        for share_id, share in world["shares"].items()
        if share["ftpuser"] == item.name and now >= share["begun"] + share["seconds"]
    }
    user = world["users"].get(item.name)
    if item.state == "absent":
        if any(share["ftpuser"] == item.name for share in world["shares"].values()):
            return {"name": item.name, "state": "present" if user else "absent", "kept_reason": "live_shares"}
        if user is not None and user["origin"] == "adopted":
            return {"name": item.name, "state": "present", "origin": "adopted", "kept_reason": "adopted"}
        world["users"].pop(item.name, None)
        return {"name": item.name, "state": "absent"}
    if user is not None and user["origin"] == "adopted" and not item.adopt:
        message = f"account {item.name} was there before tempoftp, and nobody has said whose it is: map it"
        error = {"class": "account_conflict", "message": message, "transient": False}
        return {"name": item.name, "state": "unknown", "error": error}
    if not live:
        state = "present" if user else "absent"
        return {"name": item.name, "state": state, "skipped_reason": "no_delivered_share"}
    created = user is None
    if user is None:
        user = {"password_hash": item.password_hash, "origin": "created"}
        world["users"][item.name] = user
    for share in live.values():
        share["ready_at"] = share["ready_at"] or now
    matches = user["password_hash"] == item.password_hash
    return {
        "name": item.name,
        "state": "present",
        "created": created,
        "origin": user["origin"],
        "password_matches": matches,
        "password_hash": None if matches else user["password_hash"],
        "shares": [_describe_times(share_id, share) for share_id, share in live.items()],
    }


def _describe_times(share_id: str, share: dict[str, Any]) -> dict[str, Any]:
    ready_at = datetime.fromtimestamp(share["ready_at"], UTC)
    return {
        "id": share_id,
        "generation": share["generation"],
        "ready_at": write_time(ready_at),
        "expires": write_time(ready_at + timedelta(days=share["lifetime_days"])),
    }


def _report(
    request: RunRequest, world: World, shares: list[dict[str, Any]], users: list[dict[str, Any]]
) -> Outcome:
    used = sum(share["bytes_total"] for share in world["shares"].values())
    return Outcome.model_validate(
        {
            "schema": 1,
            "run_id": request.run_id,
            "shares": shares,
            "users": users,
            "host": {
                "space_total": SPACE_TOTAL,
                "space_free": SPACE_TOTAL - used,
                "inodes_free": 10_000_000,
                "ftpd": {"ok": True, "banner": "220 simulated"},
                "server": {"host": "ftp.simulado.invalid", "port": 21, "tls": True, "fingerprint": None},
            },
            "database": {"ok": True, "version": "simulated", "password_schemes": ["argon2id", "bcrypt"]},
        }
    )
