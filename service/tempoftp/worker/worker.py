"""The worker: what it does when it is woken (step 3 of the flow), and its own search for what is due.

Each FTP host has a thread of its own, so that a busy host never delays another. One more thread searches every
`reconcile_seconds` for what has expired and what is due. It wakes the hosts' threads and never waits for a run.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from sqlalchemy.orm import Session

from tempoftp.audits.audits import find_due_audits
from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.downloads.counts import find_uncounted_hosts
from tempoftp.hosts.clocks import forget_future
from tempoftp.hosts.wake_ups import RedisReceiver, SocketReceiver, parse_wake_up
from tempoftp.hosts.workers import SIGN_SECONDS, name_worker, note_worker
from tempoftp.settings import Settings
from tempoftp.shares.claims import find_due_hosts, find_next_due, find_stale_hosts
from tempoftp.shares.expiry import find_expired, sweep_expired
from tempoftp.worker.threads import RunSlots, WakeableThread

logger = logging.getLogger(__name__)

ABANDON_SECONDS = 10.0
HOST_NAME = r"(?!all$)[A-Za-z0-9][A-Za-z0-9._-]{0,254}"
"""A name of an inventory, and no pattern of Ansible."""


class Worker:
    """A thread for each FTP host, which calls `run_host`, and the thread that searches for what is due."""

    def __init__(
        self,
        settings: Settings,
        run_host: Callable[[str], int],
        database: Database,
        prepare: Callable[[str], object] = lambda _ftp_host: None,
        notify: Callable[[], object] = lambda: None,
        preview: Callable[[], object] = lambda: None,
    ) -> None:
        """`run_host` works on a host; `prepare` prepares its next run while one is going on.

        `notify` starts the sending of notices, `preview` the measuring of sources; both must return at once.
        """
        self._settings = settings
        self._run_host = run_host
        self._prepare_next = prepare
        self._notify = notify
        self._database = database
        self._name = name_worker()
        self._next_sign = 0.0
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
        """Work on a host until nothing of it is due; if that has begun already, make one more round."""
        thread = self._find_thread(ftp_host)
        if thread is not None and thread.wake():
            with self._lock:
                self._busy_hosts.add(ftp_host)
            self._preparation.wake()
        self._previews.wake()

    def _receive(self, message: bytes) -> None:
        """Handle a wake-up. Only names of FTP hosts count; every other message is ignored."""
        ftp_host = parse_wake_up(message)
        if ftp_host in self._settings.ftp_host_names:
            self.wake(ftp_host)
        else:
            logger.debug("a message that names no FTP host was ignored")

    def _find_thread(self, ftp_host: str) -> WakeableThread | None:
        """Return the thread of a host, and start it at its first use; None when the worker stops.

        Names come from rows, which the API's user can write. To Ansible `all`, `@file` or `a:b` would be patterns.
        """
        if not re.fullmatch(HOST_NAME, ftp_host):
            logger.warning("a row names %r, which is no name of an FTP host", ftp_host)
            return None
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
        """Wait for a share of the host that will soon be due; False when there is none or the worker stops."""
        with self._database.read() as session:
            seconds = find_next_due(session, ftp_host)
        if seconds is None or seconds > self._settings.reconcile_seconds:
            return False
        return self._hosts[ftp_host].wait(seconds)

    def _prepare(self) -> None:
        with self._lock:
            hosts, self._busy_hosts = self._busy_hosts, set()
        for ftp_host in hosts:
            self._prepare_next(ftp_host)

    def look(self) -> None:
        """Give a sign of life; search for what is due: end expired shares, wake hosts, start notices and previews."""
        with ExitStack() as parts:  # one that fails keeps no other one back
            parts.callback(self._notify)
            parts.callback(self._previews.wake)
            parts.callback(self.reconcile)
            parts.callback(self.expire)
            self._give_sign()

    def _give_sign(self) -> None:
        """Write a sign of life, unless the last one is still new."""
        if time.monotonic() >= self._next_sign:
            self._database.transact(self._note_sign)
            self._next_sign = time.monotonic() + SIGN_SECONDS

    def _note_sign(self, session: Session) -> None:
        forget_future(session, self._settings)
        note_worker(session, self._name)

    def expire(self) -> None:
        """Begin to end the expired shares; their rows are then due, before all copies."""
        with self._database.read() as session:
            if not find_expired(session, self._settings):
                return
        expired = [share.id for share in self._database.transact(self._sweep)]
        logger.info("shares have expired", extra={"shares": expired})

    def _sweep(self, session: Session) -> list[Share]:
        return sweep_expired(session, self._settings)

    def reconcile(self) -> None:
        """Wake the threads of hosts that have due rows, even if the wake-up was lost, or whose facts are old."""
        with self._database.read() as session:
            due = find_due_hosts(session)
            stale = find_stale_hosts(session, self._settings) | find_uncounted_hosts(session, self._settings)
            due |= find_due_audits(session, self._settings)
        for ftp_host in due | stale:
            thread = self._find_thread(ftp_host)
            if thread is not None:
                thread.wake(again=ftp_host in due)

    def start(self) -> None:
        """Start to receive wake-ups and to search."""
        for thread in self._helpers:
            thread.start()
        self._receiver.start()

    def stop(self, abandon: Callable[[], None]) -> None:
        """Claim nothing more, give running runs `stop_seconds` to end, then abandon them."""
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
