"""Previews by the worker: it measures sources in threads and playbook runs of their own.

No share ever waits for a preview: a run of shares carries none, and a run that is ready for shares is not used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tempoftp.db.engine import Database
from tempoftp.db.models import Preview
from tempoftp.errors import ShareError
from tempoftp.hosts.run_totals import ABANDONED, DONE, count_run
from tempoftp.previews.previews import (
    apply_previews,
    claim_previews,
    fail_previews,
    find_hosts_to_ask,
    forget_old,
    is_any_old,
    release_previews,
)
from tempoftp.previews.results import PreviewItem, PreviewOutcome, PreviewRequest, SourceResult
from tempoftp.settings import Settings
from tempoftp.worker.allow_list import find_error
from tempoftp.worker.provisioner import Provisioner, RunAbandoned, RunFailed, check_run_id, new_run_id

logger = logging.getLogger(__name__)

THREADS = 4
"""Number of FTP hosts that measure at the same time; each in one run at a time."""


@dataclass(slots=True)
class Previewer:
    """Measures sources. One per worker process."""

    settings: Settings
    database: Database
    provisioner: Provisioner
    should_stop: Callable[[], bool] = field(default=lambda: False)
    _pool: ThreadPoolExecutor = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _asked: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="preview")

    def look(self) -> None:
        """Start to measure what waits, and delete old previews; returns at once."""
        with self.database.read() as session:
            waiting, old = find_hosts_to_ask(session), is_any_old(session)
        if old:
            with self.database.write() as session:
                forget_old(session)
        for ftp_host in waiting:
            with self._lock:
                if self._stopping.is_set() or ftp_host in self._asked:
                    continue
                self._asked.add(ftp_host)
            self._pool.submit(self._work_on, ftp_host)

    def close(self) -> None:
        """Abandon what runs. The next worker answers these previews."""
        with self._lock:
            self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work_on(self, ftp_host: str) -> None:
        try:
            while not self._is_over() and self.run_host(ftp_host):
                pass
        except Exception:  # nothing else reports an error in this thread
            logger.exception("previews broke", extra={"host": ftp_host})
        finally:
            with self._lock:
                self._asked.discard(ftp_host)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self.should_stop()

    def run_host(self, ftp_host: str) -> int:
        """Measure the sources that wait for an FTP host; returns how many."""
        run_id = new_run_id()
        with self.database.write() as session:
            claimed = claim_previews(session, self.settings, ftp_host, run_id)
        if not claimed:
            return 0
        run = {"run": run_id, "host": ftp_host}
        keys = [preview.source_key for preview in claimed]
        logger.info("preview starts", extra=run | {"sources": len(keys)})
        begun = time.monotonic()
        try:
            outcome = self._measure(ftp_host, run_id, claimed)
        except RunAbandoned:
            with self.database.write() as session:
                release_previews(session, run_id)
            self._count(ftp_host, begun, ABANDONED)
            return 0
        except RunFailed as failure:
            logger.warning("preview failed: %s", failure.error.message, extra=run)
            with self.database.write() as session:
                fail_previews(session, ftp_host, keys, failure.error)
            self._count(ftp_host, begun, failure.error.error_class)
            return len(keys)
        with self.database.write() as session:
            apply_previews(session, ftp_host, keys, outcome)
        self._count(ftp_host, begun, DONE)
        logger.info("preview ends", extra=run)
        return len(keys)

    def _measure(self, ftp_host: str, run_id: str, claimed: list[Preview]) -> PreviewOutcome:
        items = [PreviewItem.model_validate(preview.item) for preview in claimed]
        errors = [find_error(self.settings, item) for item in items]
        request = PreviewRequest(
            run_id=run_id,
            ftp_host=ftp_host,
            time_limit=self.settings.preview_limit_seconds,
            sources=[item for item, error in zip(items, errors, strict=True) if error is None],
            requests=tuple(sorted({preview.request_id for preview in claimed})),
        )
        outcome = self.provisioner.preview(request, self._is_over)
        check_run_id(outcome, run_id)
        if len(outcome.sources) != len(request.sources):
            text = f"the outcome file has {len(outcome.sources)} sources, not {len(request.sources)}"
            raise RunFailed(ShareError.of("run_failed", text))
        measured = iter(outcome.sources)
        sources = [
            next(measured) if error is None else SourceResult(source=item.source, error=error)
            for item, error in zip(items, errors, strict=True)
        ]
        return outcome.model_copy(update={"sources": sources})

    def _count(self, ftp_host: str, begun: float, outcome: str) -> None:
        count_run(self.database, ftp_host, "preview", outcome, time.monotonic() - begun)
