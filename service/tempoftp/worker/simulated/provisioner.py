"""A simulated provisioner (`TEMPOFTP_SIMULACRO=1`): the same service, with FTP hosts that exist only in a file.

It stores the state of each host in `<state>/simulated/<host>.json` and changes it as `host.py` says. Copies take
time by a size that is derived from the path. The last component of `ruta` can ask for more:

* `tarda-<seconds>`: the copy takes this long;
* `falla-<class>`: fails with that error class (see `errors.py`);
* `falla-<class>-<seconds>`: fails so until that many seconds after the first try, then succeeds;
* `descargada`: every file is downloaded once, as soon as the share is ready;
* `enorme`: its preview says that it is larger than the disk; `lento`: its preview does not end in time;
* `existe`: the account existed before, with a password of its own (a conflict unless an operator mapped it).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.clock import write_time
from tempoftp.errors import ERROR_CLASSES
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.shares.results import Outcome
from tempoftp.worker.provisioner import RunAbandoned, new_run_id
from tempoftp.worker.request import RunRequest
from tempoftp.worker.simulated.host import (
    World,
    apply_share,
    apply_user,
    count_transfers,
    expire_shares,
    find_failure,
    make_world,
    plan_copy,
)

SPACE_TOTAL = 1_000_000_000_000
RUN_SECONDS = 0.1
"""Duration of a playbook run here."""
POLL_SECONDS = 0.05


class SimulatedProvisioner:
    """Simulated FTP hosts under a state folder. Safe for several processes at once."""

    def __init__(self, state_dir: Path, run_seconds: float = RUN_SECONDS) -> None:
        self._folder = state_dir / "simulated"
        self._run_seconds = run_seconds

    def sweep(self) -> None:
        """Create the folder; a killed worker leaves nothing here."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return a new id; no run is started ahead here."""
        return new_run_id()

    def close(self) -> None:
        """Nothing runs between two runs."""

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Apply one step, wait as a real run does, and report."""
        time.sleep(self._run_seconds)
        deadline = time.monotonic() + request.wait_timeout
        while True:
            if should_stop():
                raise RunAbandoned
            with self.open_world(request.ftp_host) as world:
                expire_shares(world, time.time())
                shares = [apply_share(world, item, time.time()) for item in request.shares]
                moving = any(share["state"] in ("queued", "probing", "copying") for share in shares)
                if not moving or time.monotonic() >= deadline:
                    users = [apply_user(world, item, time.time()) for item in request.users]
                    return _report(request, world, shares, users, time.time())
            time.sleep(POLL_SECONDS)

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        """Return the facts of the host."""
        time.sleep(self._run_seconds)
        if should_stop():
            raise RunAbandoned
        with self.open_world(request.ftp_host) as world:
            return audit_world(request, world, time.time())

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        """Return the sizes of the sources."""
        time.sleep(self._run_seconds)
        if should_stop():
            raise RunAbandoned
        with self.open_world(request.ftp_host) as world:
            return measure_sources(request, SPACE_TOTAL, SPACE_TOTAL - _sum_used(world))

    @contextmanager
    def open_world(self, ftp_host: str) -> Iterator[World]:
        """Hold a host's file locked, as the modules hold its lock, and write it back when the block ends."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = self._folder / f"{ftp_host}.json"
        with (self._folder / f"{ftp_host}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = path.read_text() if path.exists() else ""
            world: World = json.loads(before) if before else make_world()
            yield world
            after = json.dumps(world)
            if after != before:
                fresh = path.with_suffix(".new")
                fresh.write_text(after)
                fresh.replace(path)


def _sum_used(world: World) -> int:
    return sum(share["bytes_total"] for share in world["shares"].values())


def _report(
    request: RunRequest, world: World, shares: list[dict[str, Any]], users: list[dict[str, Any]], now: float
) -> Outcome:
    return Outcome.model_validate(
        {
            "schema": 1,
            "run_id": request.run_id,
            "shares": shares,
            "users": users,
            "host": {
                "space_total": SPACE_TOTAL,
                "space_free": SPACE_TOTAL - _sum_used(world),
                "inodes_free": 10_000_000,
                "time": _write_time(now),
                "ftpd": {"ok": True, "banner": "220 simulated"},
                "server": {"host": "ftp.simulado.invalid", "port": 21, "tls": True, "fingerprint": None},
            },
            "database": {"ok": True, "version": "simulated", "password_schemes": ["argon2id", "bcrypt"]},
            "transfers": count_transfers(world, request.transfers, now) if request.transfers else None,
        }
    )


def audit_world(request: AuditRequest, world: World, now: float) -> AuditOutcome:
    """Return what `tempoftp_audit` would return for this host."""
    expire_shares(world, now)
    names = sorted({*world["users"], *world.get("passwords", {})})
    facts = {
        "time": _write_time(now),
        "shares": [_describe_share(key, share, now) for key, share in world["shares"].items()],
        "tombstones": [
            {
                "id": key,
                "generation": end["generation"],
                "ftpuser": end.get("ftpuser"),
                "reason": end["reason"],
            }
            for key, end in world["tombstones"].items()
            if key not in world["shares"] or end["generation"] >= world["shares"][key]["generation"]
        ],
        "accounts": [_describe_account(name, world) for name in names],
    }
    return AuditOutcome.model_validate({"schema": 1, "run_id": request.run_id, "facts": facts})


def _describe_share(share_id: str, share: dict[str, Any], now: float) -> dict[str, Any]:
    arrived = now >= share["begun"] + share["seconds"]
    return {
        "id": share_id,
        "generation": share["generation"],
        "state": ("blocked" if share["blocked"] else "delivered") if arrived else "copying",
        "ftpuser": share["ftpuser"],
        "path": f"/data/{share['ftpuser']}/{share_id}",
        "source": share["source"],
        "source_root": share.get("source_root"),
        "ssh_key_file": share.get("ssh_key_file"),
        "size_probe": share.get("size_probe", "rsync"),
        "lifetime_days": share["lifetime_days"],
        "created_at": _write_time(share["begun"]),
        "ready_at": _write_time(share["ready_at"]),
        "expires": _write_time(share["expires"]),
        "bytes_total": share["bytes_total"],
        "files_total": share["files_total"],
    }


def _describe_account(name: str, world: World) -> dict[str, Any]:
    user = world["users"].get(name)
    stored = (user or {}).get("password_hash")
    return {
        "name": name,
        "origin": user["origin"] if user is not None else None,
        "state": user.get("status", "present") if user is not None else "absent",
        "password_generation": world.get("passwords", {}).get(name, 0),
        "password_digest": "sha256:" + hashlib.sha256(stored.encode()).hexdigest() if stored else None,
    }


def _write_time(seconds: float | None) -> str | None:
    return None if seconds is None else write_time(datetime.fromtimestamp(seconds, UTC))


INODES_AVAILABLE = 10_000_000


def measure_sources(request: PreviewRequest, space_total: int, space_free: int) -> PreviewOutcome:
    """Return what `tempoftp_source_info` would return for these sources."""
    return PreviewOutcome.model_validate(
        {
            "schema": 1,
            "run_id": request.run_id,
            "sources": [_measure(item.source, space_total) for item in request.sources],
            "host": {
                "space_total": space_total,
                "space_free": space_free,
                "space_available": space_free,
                "inodes_available": INODES_AVAILABLE,
            },
        }
    )


def _measure(source: str, space_total: int) -> dict[str, Any]:
    failure = find_failure(source, 0.0)
    if failure is not None:
        return {"source": source, "error": _build_error(failure, f"simulated {failure} for {source}")}
    plan = plan_copy(source)
    name = source.rsplit("/", 1)[-1]
    huge, slow = name == "enorme", name == "lento"
    size = space_total + plan["bytes_total"] if huge else plan["bytes_total"]
    return {
        "source": source,
        "timed_out": slow,
        "bytes": size,
        "files": plan["files_total"],
        "skipped": [],
        "skipped_total": 0,
        "need_bytes": size,
        "fits": None if slow else not huge,
        "shortage": _build_error("too_large", f"it needs {size} bytes") if huge else None,
    }


def _build_error(error_class: str, message: str) -> dict[str, Any]:
    return {"class": error_class, "message": message, "transient": ERROR_CLASSES[error_class].transient}
