"""The workers' signs of life: health must notice a dead worker before a share has to wait for it."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tempoftp.db.clock import database_now
from tempoftp.db.leases import lock_or_add
from tempoftp.db.models import WorkerProcess

SIGN_SECONDS = 15.0
"""A worker writes a sign of life this often; more often would cost a write to the disk each time."""
SILENCE_LIMIT = 60.0
"""Seconds without a sign of any worker that mean that none works. A restart takes less."""
KEPT = timedelta(days=1)


def name_worker() -> str:
    """Return the name of this process among the workers."""
    return f"{socket.gethostname()[:50]} {os.getpid()}"


def note_worker(session: Session, name: str) -> None:
    """Write that a worker works, in a write transaction, and forget those that ended long ago."""
    now = database_now(session)
    lock_or_add(session, WorkerProcess, name, seen_at=now).seen_at = now
    session.execute(delete(WorkerProcess).where(WorkerProcess.seen_at < now - KEPT))


def describe_silence(session: Session) -> list[str]:
    """Return the problem that no worker works, if that is so."""
    seen = session.scalar(select(func.max(WorkerProcess.seen_at)))
    if seen is None:
        return ["no worker has ever said that it works; is tempoftp-worker.service running?"]
    silent = (database_now(session) - seen).total_seconds()
    if silent <= SILENCE_LIMIT:
        return []
    return [f"no worker has said for {silent:.0f} s that it works; is tempoftp-worker.service running?"]
