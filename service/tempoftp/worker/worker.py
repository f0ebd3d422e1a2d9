"""The worker process: what it does when it is woken (step 3 of the flow), and its own look for what is due.

Each FTP host has a thread of its own, so that a busy host never delays another. One more thread looks every
`reconcile_seconds` for what has expired and what is due; it wakes the hosts' threads and never waits for a run.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from tempoftp.audits.audits import begin_checks, find_due_audits
from tempoftp.db.engine import Database, open_database
from tempoftp.downloads.counts import find_uncounted_hosts
from tempoftp.hosts.wake_ups import RedisReceiver, SocketReceiver, parse_wake_up
from tempoftp.settings import INVENTORY_VARIABLES, Settings
from tempoftp.shares.claims import find_due_hosts, find_next_due, find_stale_hosts
from tempoftp.shares.expiry import find_expired, sweep_expired
from tempoftp.worker.threads import RunSlots, WakeableThread

logger = logging.getLogger(__name__)

ABANDON_SECONDS = 10.0
KEPT_VARIABLES = INVENTORY_VARIABLES | {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}
"""All that a run's processes inherit: ansible-runner writes the whole environment into its artifacts."""


class Worker:
    """The worker process: a thread for each FTP host around one `run_host`, and the thread that looks."""

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
        self._database = database
        self._slots = RunSlots(settings.worker_threads)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._hosts: dict[str, WakeableThread] = {}
        self._busy_hosts: set[str] = set()
        self._look_thread = WakeableThread("look", self.look, settings.reconcile_seconds)
        self._previews = WakeableThread("previews", preview)
        self._preparation = WakeableThread("prepare", self._prepare)
        self._receiver: RedisReceiver | SocketReceiver
        if settings.queue_url is not None:
            self._receiver = RedisReceiver(settings.queue_url.get_secret_value(), self._receive)
        else:
            self._receiver = SocketReceiver(settings.state_dir, self._receive)

    def wake(self, ftp_host: str) -> None:
        """Have a host worked on until nothing of it is due; one that is being worked on gets one more round."""
        thread = self._find_thread(ftp_host)
        if thread is not None and thread.wake():
            with self._lock:
                self._busy_hosts.add(ftp_host)
            self._preparation.wake()
        self._previews.wake()

    def _receive(self, message: bytes) -> None:
        """Take a wake-up from outside. Only names of FTP hosts count; whatever else arrives is ignored."""
        ftp_host = parse_wake_up(message)
        if ftp_host in self._settings.ftp_host_names:
            self.wake(ftp_host)
        else:
            logger.debug("a message that names no FTP host was ignored")

    def _find_thread(self, ftp_host: str) -> WakeableThread | None:
        """Return the thread of a host, started when it is needed first; None when the worker stops."""
        with self._lock:
            if self._stopping.is_set():
                return None
            if ftp_host not in self._hosts:
                thread = WakeableThread(f"host-{ftp_host}", lambda: self._work_on(ftp_host))
                thread.start()
                self._hosts[ftp_host] = thread
            return self._hosts[ftp_host]

    def _work_on(self, ftp_host: str) -> None:
        """Make runs for a host until nothing of it is due, in the thread of that host."""
        while True:
            with self._slots.hold():
                if self._stopping.is_set():
                    return
                self._hosts[ftp_host].begin_round()
                carried = self._run_host(ftp_host)
            if not carried or not self._wait_for_next(ftp_host):
                return

    def _wait_for_next(self, ftp_host: str) -> bool:
        """Wait for a share of the host that is due in a moment; False when there is none or the worker stops."""
        with self._database.read() as session:
            seconds = find_next_due(session, ftp_host)
        if seconds is None or seconds > self._settings.reconcile_seconds:
            return False
        return self._hosts[ftp_host].wait(seconds)

    def _prepare(self) -> None:
        with self._lock:
            hosts, self._busy_hosts = self._busy_hosts, set()
        for ftp_host in hosts:
            self._meanwhile(ftp_host)

    def look(self) -> None:
        """The periodic look: what has lived its days begins to end, what is due is woken, people are told."""
        try:
            self.expire()
        finally:
            try:
                self.reconcile()
            finally:
                self._previews.wake()
                self._tell()

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
            thread = self._find_thread(ftp_host)
            if thread is not None:
                thread.wake(again=ftp_host in due)

    def start(self) -> None:
        """Start taking wake-ups, and look."""
        for thread in self._helpers:
            thread.start()
        self._receiver.start()

    def stop(self, abandon: Callable[[], None]) -> None:
        """Claim nothing any more, give running runs `stop_seconds`, then have them abandoned."""
        with self._lock:
            self._stopping.set()
        self._receiver.stop()
        for thread in self._list_threads():
            thread.stop()
        if not self._join(self._settings.stop_seconds):
            waited = {"seconds": self._settings.stop_seconds}
            logger.warning("runs are still running and are abandoned", extra=waited)
            abandon()
            self._join(ABANDON_SECONDS)

    @property
    def _helpers(self) -> tuple[WakeableThread, ...]:
        return (self._look_thread, self._previews, self._preparation)

    def _list_threads(self) -> list[WakeableThread]:
        with self._lock:
            return [*self._helpers, *self._hosts.values()]

    def _join(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        ended = [thread.join(max(deadline - time.monotonic(), 0)) for thread in self._list_threads()]
        return all(ended)


def run_worker(settings: Settings) -> None:
    """Run the worker until SIGTERM or SIGINT. The database must have been brought up to date before."""
    from tempoftp.notices.notifier import Notifier, build_senders
    from tempoftp.worker.auditor import Auditor
    from tempoftp.worker.choose_provisioner import build_provisioner
    from tempoftp.worker.previewer import Previewer
    from tempoftp.worker.run_host import HostRunner

    scrub_environment()
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
