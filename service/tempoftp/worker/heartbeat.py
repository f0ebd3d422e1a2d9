"""Keeps a lease while its holder works: a thread extends it, so that it ends soon after its worker was killed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from tempoftp.db.engine import Database
from tempoftp.settings import Settings

logger = logging.getLogger(__name__)


@contextmanager
def keep_lease(
    settings: Settings, database: Database, holder: str, extend: Callable[[Session], object]
) -> Iterator[None]:
    """Call `extend` in a write transaction every `heartbeat_seconds`, in another thread, while the block runs."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(settings.heartbeat_seconds):
            try:
                database.transact(extend)
            except Exception:  # the next try may succeed; if none does, the lease ends
                logger.exception("heartbeat failed", extra={"run": holder})

    thread = threading.Thread(target=beat, name=f"heartbeat-{holder}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
