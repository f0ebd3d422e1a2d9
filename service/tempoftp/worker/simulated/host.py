"""What a simulated FTP host does: the modules' contract, on a dictionary and a time that is given.

Generations, queue and progress, accounts that exist once a share is delivered, hidden shares and blocked logins,
passwords by number, tombstones, and a host that ends by itself what has lived its days.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from tempoftp.db.clock import write_time
from tempoftp.errors import ERROR_CLASSES
from tempoftp.shares.fields import DELIVERY, WIRES
from tempoftp.worker.request import ShareItem, TransfersItem, UserItem

BYTES_PER_SECOND = 100_000_000
DAY_SECONDS = 86_400
ALWAYS = "always"
ADOPTED_HASH = "$6$simulated$" + "x" * 86  # of an account that was there before; no password has this hash
_FAILURE = re.compile(r"falla-(?P<name>[a-z_]+?)(?:-(?P<seconds>\d+))?")
_DURATION = re.compile(r"tarda-(?P<seconds>\d+)")

World = dict[str, Any]


TRASH_SECONDS = 86400.0
"""For how long a simulated host keeps the data of an ended share."""


def make_world() -> World:
    """Return what a host holds that has nothing yet."""
    return {"shares": {}, "users": {}, "tombstones": {}}


def apply_share(world: World, item: ShareItem, now: float) -> dict[str, Any]:
    """Bring one share one step on; returns it as `tempoftp_share` reports it."""
    share = world["shares"].get(item.id)
    tombstone = world["tombstones"].get(item.id, {"generation": 0, "reason": None})
    known = max((share or {}).get("generation", 0), tombstone["generation"])
    if item.state != "absent" and share is None and item.require_existing:
        if tombstone["generation"]:
            why = {"reason": tombstone["reason"]}
            return _fail(item, "absent", "ended", f"{item.id} has ended on this host") | why
        return _fail(item, "absent", "not_delivered", f"{item.id} is not on this host")
    if item.generation < known or (item.state != "absent" and item.generation <= tombstone["generation"]):
        return _fail(item, "failed", "stale", f"{item.id} is known in the newer generation {known}")
    if item.state == "absent":
        if world["shares"].pop(item.id, None) is not None or not tombstone["generation"]:
            tombstone = {"reason": "deleted", "ftpuser": item.ftpuser}
        world["tombstones"][item.id] = tombstone | {"generation": item.generation}
        until = write_time(datetime.fromtimestamp(now + TRASH_SECONDS, UTC))
        ended = {"reason": tombstone["reason"], "restorable_until": until}
        return _describe(item, "absent", None, now) | ended
    if share is not None and (share["source"], share["ftpuser"]) != (item.source, item.ftpuser):
        share = None  # another share under the id of one that was never ended
    if share is None:
        share = {
            "ftpuser": item.ftpuser,
            "source": item.source,
            "source_root": item.source_root,
            "ssh_key_file": item.ssh_key_file,
            "size_probe": item.size_probe,
            "begun": now,
            "ready_at": None,
            "expires": None,
            "fetched": item.source.endswith("/descargada"),
            **plan_copy(item.source),
        }
        world["shares"][item.id] = share
        if item.source.endswith("/existe"):
            adopted = {"password_hash": ADOPTED_HASH, "origin": "adopted", "status": "present"}
            world["users"].setdefault(item.ftpuser, adopted)
    # Another lifetime or state only changes these: nothing is copied again.
    share |= {
        "generation": item.generation,
        "lifetime_days": item.lifetime_days,
        "blocked": item.state == "blocked",
    }
    failure = find_failure(item.source, now - share["begun"])
    if failure is not None:
        return _fail(item, "failed", failure, f"simulated {failure} for {item.source}; ask for another path")
    there = "blocked" if share["blocked"] else "delivered"
    return _describe(item, there if _is_delivered(share, now) else "copying", share, now)


def _is_delivered(share: dict[str, Any], now: float) -> bool:
    return bool(now >= share["begun"] + share["seconds"])


def expire_shares(world: World, now: float) -> list[str]:
    """End what has lived its days, as the timer on an FTP host does each minute; returns the ids.

    A clock that is set back reopens nothing: the highest time that was seen counts.
    """
    world["clock"] = now = max(now, world.get("clock", 0.0))
    over = [
        share_id
        for share_id, share in world["shares"].items()
        if share["expires"] is not None and share["expires"] <= now
    ]
    for share_id in over:
        share = world["shares"].pop(share_id)
        world["tombstones"][share_id] = {
            "generation": share["generation"],
            "reason": "expired",
            "ftpuser": share["ftpuser"],
        }
        user = world["users"].get(share["ftpuser"])
        if user is not None and user["origin"] == "created" and not _list_live(world, share["ftpuser"]):
            del world["users"][share["ftpuser"]]
    return over


def _list_live(world: World, ftpuser: str) -> dict[str, dict[str, Any]]:
    return {key: share for key, share in world["shares"].items() if share["ftpuser"] == ftpuser}


def plan_copy(source: str) -> dict[str, Any]:
    """Return size, files and duration for a path: always the same for the same path."""
    if source.rsplit("/", 1)[-1].startswith("vacia"):
        return {"bytes_total": 0, "files_total": 0, "seconds": 0.2}
    digest = hashlib.sha256(source.encode()).digest()
    size = 1_000_000 + int.from_bytes(digest[:4], "big") % 50_000_000
    found = _DURATION.fullmatch(source.rsplit("/", 1)[-1])
    seconds = float(found["seconds"]) if found else 0.2 + size / BYTES_PER_SECOND
    return {"bytes_total": size, "files_total": 1 + digest[4] % 40, "seconds": seconds}


def find_failure(source: str, age: float) -> str | None:
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
    return (
        result
        | {
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
        | {name: WIRES[name].simulated if state in ("delivered", "blocked") else None for name in DELIVERY}
    )


def _fail(item: ShareItem, state: str, error_class: str, message: str) -> dict[str, Any]:
    error = {"class": error_class, "message": message, "transient": ERROR_CLASSES[error_class].transient}
    return {"id": item.id, "generation": item.generation, "state": state, "error": error}


def apply_user(world: World, item: UserItem, now: float) -> dict[str, Any]:
    """Bring one account one step on; returns it as `tempoftp_ftpuser` reports it."""
    live = _list_live(world, item.name)
    user = world["users"].get(item.name)
    if item.state == "absent":
        return _remove_user(world, item, user, live)
    if user is not None and user["origin"] == "adopted" and not item.adopt:
        message = f"account {item.name} was there before tempoftp, and nobody has said whose it is: map it"
        error = {"class": "account_conflict", "message": message, "transient": False}
        return {"name": item.name, "state": "unknown", "error": error}
    delivered = {key: share for key, share in live.items() if _is_delivered(share, now)}
    if not delivered:
        state = user["status"] if user else "absent"
        return {"name": item.name, "state": state, "skipped_reason": "no_delivered_share"}
    created = user is None
    if user is None:
        user = {"password_hash": item.password_hash, "origin": "created"}
        world["users"][item.name] = user
    problem = _set_password(world, item, user)
    if problem is not None:
        return problem
    for share in delivered.values():
        share["ready_at"] = share["ready_at"] or now
        share["expires"] = share["ready_at"] + share["lifetime_days"] * DAY_SECONDS
    if user["origin"] == "created":
        hidden = item.state == "blocked" or all(share["blocked"] for share in delivered.values())
        user["status"] = "blocked" if hidden else "present"
    matches = user["password_hash"] == item.password_hash
    return {
        "name": item.name,
        "state": user["status"],
        "created": created,
        "origin": user["origin"],
        "password_matches": matches,
        "password_hash": None if matches else user["password_hash"],
        "shares": [_describe_times(share_id, share) for share_id, share in delivered.items()],
    }


def _remove_user(
    world: World, item: UserItem, user: dict[str, Any] | None, live: dict[str, Any]
) -> dict[str, Any]:
    kept = {"name": item.name, "state": user["status"] if user else "absent"}
    if live:
        return kept | {"kept_reason": "live_shares"}
    if user is not None and user["origin"] == "adopted":
        return kept | {"origin": "adopted", "kept_reason": "adopted"}
    world["users"].pop(item.name, None)
    return {"name": item.name, "state": "absent"}


def _set_password(world: World, item: UserItem, user: dict[str, Any]) -> dict[str, Any] | None:
    """Take over a newer password. The number of the last one outlives the account."""
    numbers: dict[str, int] = world.setdefault("passwords", {})
    number = item.password_generation or 0
    if number < numbers.get(item.name, 0):
        text = f"{item.name} has a newer password than number {number}"
        error = {"class": "stale", "message": text, "transient": False}
        return {"name": item.name, "state": user.get("status", "present"), "error": error}
    numbers[item.name] = number
    if item.update_password == ALWAYS and user["origin"] == "created":
        user["password_hash"] = item.password_hash
    return None


def _describe_times(share_id: str, share: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": share_id,
        "generation": share["generation"],
        "ready_at": write_time(datetime.fromtimestamp(share["ready_at"], UTC)),
        "expires": write_time(datetime.fromtimestamp(share["expires"], UTC)),
    }


def count_transfers(world: World, item: TransfersItem, now: float) -> dict[str, Any]:
    """Return what was fetched, as `tempoftp_transfers_info` reports it: nothing, but for sources that say otherwise."""
    shares = [
        _describe_downloads(share_id, share, item.files_limit)
        for share_id, share in world["shares"].items()
        if share["ready_at"] is not None
    ]
    moment = write_time(datetime.fromtimestamp(now, UTC))
    return {"shares": shares, "log": {"behind": False, "problem": None}, "time": moment}


def _describe_downloads(share_id: str, share: dict[str, Any], limit: int) -> dict[str, Any]:
    names = [f"archivo-{number:02d}" for number in range(1, share["files_total"] + 1)]
    last = write_time(datetime.fromtimestamp(share["ready_at"], UTC)) if share["fetched"] else None
    fetched = names if share["fetched"] else []
    missing = [] if share["fetched"] else names
    return {
        "id": share_id,
        "generation": share["generation"],
        "complete": len(fetched),
        "partial": 0,
        "files_total": len(names),
        "files_complete": len(fetched),
        "never_fetched": missing[:limit],
        "never_fetched_total": len(missing),
        "last_download": last,
        "files": [{"name": name, "complete": 1, "partial": 0, "last": last} for name in fetched[:limit]],
    }
