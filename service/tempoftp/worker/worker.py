"""The worker process: what it does when it is woken (step 3 of the flow), and its own look for what is due.

Two queues, each in its own file: wake-ups, and the periodic look for what has expired and what is due, so that a
backlog of the first never delays the second.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer, Scheduler

from tempoftp.audits.audits import begin_checks, find_due_audits
from tempoftp.db.engine import Database, open_database
from tempoftp.downloads.counts import find_uncounted_hosts
from tempoftp.hosts.wake_ups import Relay, derive_secret, open_file_queue, open_wake_ups
from tempoftp.settings import INVENTORY_VARIABLES, Settings
from tempoftp.shares.claims import find_due_hosts, find_next_due, find_stale_hosts
from tempoftp.shares.expiry import find_expired, sweep_expired

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
POLL_SECONDS_IDLE = 0.2
REQUEST_VALID_SECONDS = 10.0
"""After this a wake-up that was sent and seen by no run of this worker is sent again."""
ABANDON_SECONDS = 10.0
KEPT_VARIABLES = INVENTORY_VARIABLES | {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}
"""All that a run's processes inherit: ansible-runner writes the whole environment into its artifacts."""


@dataclass(slots=True)
class HostRounds:
    """Sees to it that one FTP host has one run at a time in this process; a wake-up meanwhile means another round."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[str] = field(default_factory=set)
    _again: set[str] = field(default_factory=set)
    _requested: dict[str, float] = field(default_factory=dict)

    def enter(self, ftp_host: str) -> bool:
        """Begin to work on a host; False when somebody does already, who will then make another round."""
        with self._lock:
            self._requested.pop(ftp_host, None)
            if ftp_host in self._running:
                self._again.add(ftp_host)
                return False
            self._running.add(ftp_host)
            return True

    def is_wanted(self, ftp_host: str) -> bool:
        """Whether another round was asked for."""
        with self._lock:
            return ftp_host in self._again

    def leave(self, ftp_host: str) -> bool:
        """Stop working on a host; False when another round is due instead."""
        with self._lock:
            if ftp_host in self._again:
                self._again.discard(ftp_host)
                return False
            self._running.discard(ftp_host)
            return True

    def abort(self, ftp_host: str) -> None:
        """Stop working on a host whatever was asked meanwhile."""
        with self._lock:
            self._running.discard(ftp_host)
            self._again.discard(ftp_host)

    def request(self, ftp_host: str, *, again: bool) -> bool:
        """Return whether a wake-up has to be sent; for a host that is being worked on, note another round."""
        now = time.monotonic()
        with self._lock:
            if ftp_host in self._running:
                if again:
                    self._again.add(ftp_host)
                return False
            if now - self._requested.get(ftp_host, -REQUEST_VALID_SECONDS) < REQUEST_VALID_SECONDS:
                return False
            self._requested[ftp_host] = now
            return True


class _PeriodicScheduler(Scheduler):  # type: ignore[misc]
    """Huey's scheduler looks for periodic tasks once a minute; ours as often as it is told."""

    def __init__(self, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.interval: float = min(1.0, seconds)
        self.periodic_task_seconds = seconds


class _Consumer(Consumer):  # type: ignore[misc]
    """A consumer among others in one process: the signals are the worker's, not its own."""

    def __init__(self, huey: SqliteHuey, workers: int, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(
            huey,
            workers=workers,
            initial_delay=POLL_SECONDS,
            max_delay=POLL_SECONDS_IDLE,
            scheduler_interval=1,
        )

    def _create_scheduler(self) -> Scheduler:
        return _PeriodicScheduler(
            huey=self.huey,
            stop_flag=self.stop_flag,
            interval=self.scheduler_interval,
            periodic=self.periodic,
            seconds=self._seconds,
        )

    def _set_signal_handlers(self) -> None:
        return

    def threads(self) -> list[threading.Thread]:
        """Return every thread of this consumer."""
        return [thread for _, thread in self.worker_threads] + [self.scheduler]


class Worker:
    """The worker process: consumers of both queues around one `run_host`."""

    def __init__(
        self,
        settings: Settings,
        run_host: Callable[[str], int],
        database: Database,
        meanwhile: Callable[[str], object] = lambda _ftp_host: None,
        tell: Callable[[], object] = lambda: None,
        preview: Callable[[], object] = lambda: None,
    ) -> None:
        """`run_host` works on a host; `meanwhile` prepares what its next run needs, while one is on.

        `tell` has people told of what happened, `preview` has sources measured; neither may wait for any of it.
        """
        self._settings = settings
        self._run_host = run_host
        self._meanwhile = meanwhile
        self._tell = tell
        self._preview = preview
        self._database = database
        self._rounds = HostRounds()
        self._stopping = threading.Event()
        secret = derive_secret(settings)
        self._wake_ups = open_wake_ups(settings.state_dir, secret, self.work_on)
        self._relay = (
            Relay(settings.queue_url.get_secret_value(), secret, self._wake_ups.send)
            if settings.queue_url
            else None
        )
        periodic = open_file_queue("periodic", settings.state_dir, secret, fsync=False)
        periodic.periodic_task(lambda _now: periodic.pending_count() == 0, name="look")(self.look)
        self._consumers = (
            _Consumer(self._wake_ups.huey, settings.worker_threads, 60),
            _Consumer(periodic, 1, settings.reconcile_seconds),
        )

    def work_on(self, ftp_host: str) -> None:
        """Make runs for a host until nothing of it is due."""
        if self._stopping.is_set():
            return
        self._start_previews()
        if not self._rounds.enter(ftp_host):
            self._meanwhile(ftp_host)
            return
        try:
            while True:
                carried = self._run_host(ftp_host)
                if carried and self._wait_for_next(ftp_host):
                    continue
                if self._stopping.is_set():
                    self._rounds.abort(ftp_host)
                    return
                if self._rounds.leave(ftp_host):
                    return
        except BaseException:
            self._rounds.abort(ftp_host)
            raise

    def _wait_for_next(self, ftp_host: str) -> bool:
        """Wait for a share of the host that is due in a moment; False when there is none or the worker stops."""
        with self._database.read() as session:
            seconds = find_next_due(session, ftp_host)
        if seconds is None or seconds > self._settings.reconcile_seconds:
            return False
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._rounds.is_wanted(ftp_host):
            if self._stopping.wait(min(left, POLL_SECONDS)):
                return False
        return not self._stopping.is_set()

    def look(self) -> None:
        """The periodic look: what has lived its days begins to end, what is due is woken, people are told."""
        try:
            self.expire()
        finally:
            try:
                self.reconcile()
            finally:
                self._start_previews()
                self._tell()

    def _start_previews(self) -> None:
        """Whatever becomes of previews, shares go on."""
        try:
            self._preview()
        except Exception:  # the next look tries again
            logger.exception("previews could not be looked for")

    def expire(self) -> None:
        """Have what has expired taken away; the rows are then due like others, before all copies."""
        with self._database.read() as session:
            if not find_expired(session):
                return
        with self._database.write() as session:
            expired = [share.id for share in sweep_expired(session)]
        logger.info("shares have expired", extra={"shares": expired})

    def reconcile(self) -> None:
        """Wake what is due by the rows, whatever became of its wake-up, and hosts not heard of for a while."""
        with self._database.read() as session:
            due = find_due_hosts(session)
            stale = find_stale_hosts(session, self._settings) | find_uncounted_hosts(session, self._settings)
            due |= find_due_audits(session, self._settings)
        for ftp_host in due | stale:
            if self._rounds.request(ftp_host, again=ftp_host in due):
                self._wake_ups.send(ftp_host)

    def start(self) -> None:
        """Start both consumers, and take wake-ups from other machines where there are any."""
        for consumer in self._consumers:
            consumer.start()
        if self._relay:
            self._relay.start()

    def stop(self, abandon: Callable[[], None]) -> None:
        """Claim nothing any more, give running runs `stop_seconds`, then have them abandoned."""
        self._stopping.set()
        if self._relay:
            self._relay.stop()
        for consumer in self._consumers:
            consumer.stop_flag.set()
        if not self._join(self._settings.stop_seconds):
            waited = {"seconds": self._settings.stop_seconds}
            logger.warning("runs are still running and are abandoned", extra=waited)
            abandon()
            self._join(ABANDON_SECONDS)

    def _join(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        threads = [thread for consumer in self._consumers for thread in consumer.threads()]
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in threads)


def run_worker(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT. The database must have been brought up to date before."""
    from tempoftp.notices.notifier import Notifier, build_senders
    from tempoftp.worker.auditor import Auditor
    from tempoftp.worker.choose_provisioner import build_provisioner
    from tempoftp.worker.previewer import Previewer
    from tempoftp.worker.run_host import HostRunner

    scrub_environment()
    # What Huey says about every single task is said better by ourselves.
    logging.getLogger("huey").setLevel(logging.WARNING)
    stop, abandoned = threading.Event(), threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    database = open_database(settings)
    notifier = Notifier(settings, database, build_senders(settings))
    provisioner = build_provisioner(settings)
    provisioner.sweep()
    runner = HostRunner(settings, database, provisioner, abandoned.is_set)
    auditor = Auditor(settings, database, provisioner, abandoned.is_set)
    previewer = Previewer(settings, database, provisioner, abandoned.is_set)
    with database.write() as session:
        begin_checks(session, settings)

    def work_on(ftp_host: str) -> int:
        auditor.run_due(ftp_host)
        return runner.run_host(ftp_host)

    worker = Worker(settings, work_on, database, runner.hash_ahead, notifier.look, previewer.look)
    notifier.start()
    worker.start()
    logger.info(
        "worker started",
        extra={
            "hosts": settings.ftp_host_names,
            "simulated": settings.simulacro,
            "notices": notifier.channels,
        },
    )
    try:
        while not stop.wait(60):
            pass
    finally:
        previewer.close()
        worker.stop(abandoned.set)
        notifier.stop()
        runner.close()
        database.close()
        logger.info("worker stopped")


def scrub_environment() -> None:
    """Take everything out of this process's environment that its children need not know, keys above all."""
    for name in set(os.environ) - KEPT_VARIABLES:
        del os.environ[name]
