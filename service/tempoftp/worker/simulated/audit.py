"""An audit of a simulated FTP host. The host is always consistent, so the audit reports only its facts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.clock import write_time
from tempoftp.worker.simulated.host import World, expire_shares


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
