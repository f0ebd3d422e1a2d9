"""Wake-ups over a real SqliteHuey, one run per host at a time, and the look that finds what no wake-up told."""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share
from tempoftp.hosts.wake_ups import wake
from tempoftp.settings import Settings, load_settings
from tempoftp.states import State
from tempoftp.worker.worker import HostRounds, Worker, scrub_environment


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Runs:
    """Stands where `run_host` does: notes the calls, holds them as long as the test wants."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = 0
        self.most_per_host: dict[str, int] = {}
        self.may_end = threading.Event()
        self.may_end.set()
        self._lock = threading.Lock()
        self._now: dict[str, int] = {}

    def run_host(self, ftp_host: str) -> int:
        with self._lock:
            self.calls.append(ftp_host)
            self._now[ftp_host] = self._now.get(ftp_host, 0) + 1
            self.most_per_host[ftp_host] = max(self.most_per_host.get(ftp_host, 0), self._now[ftp_host])
        self.may_end.wait(20)
        with self._lock:
            self._now[ftp_host] -= 1
        return 1


@pytest.fixture
def fresh_host(database: Database, ftp_host: str) -> None:
    """A host that was heard of just now, so that only wake-ups and due shares make runs."""
    with database.write() as session:
        session.add(FtpHost(name=ftp_host, facts_at=utc_now(), paused=False))


@contextmanager
def working(settings: Settings, database: Database, runs: Runs) -> Iterator[Worker]:
    worker = Worker(settings, runs.run_host, database)
    worker.start()
    try:
        yield worker
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_host")
def test_wake_up_arrives(settings: Settings, database: Database) -> None:
    runs = Runs()
    with working(settings, database, runs):
        wake(settings, "ftp7")
        wait_for(lambda: runs.calls == ["ftp7"])


@pytest.mark.usefixtures("fresh_host")
def test_wake_up_waits_for_a_worker(settings: Settings, database: Database) -> None:
    wake(settings, "ftp7")
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: runs.calls == ["ftp7"])


@pytest.mark.usefixtures("fresh_host")
def test_wake_up_of_a_busy_host_prepares_its_next_run(settings: Settings, database: Database) -> None:
    runs, prepared = Runs(), []
    runs.may_end.clear()
    worker = Worker(settings, runs.run_host, database, prepared.append)
    worker.start()
    try:
        wake(settings, "ftp7")
        wait_for(lambda: runs.calls == ["ftp7"])
        assert prepared == []
        wake(settings, "ftp7")
        wait_for(lambda: prepared == ["ftp7"])
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_host")
def test_many_wake_ups_are_one_more_round(settings: Settings, database: Database) -> None:
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs) as worker:
        wake(settings, "ftp7")
        wait_for(lambda: runs.calls == ["ftp7"])
        for _ in range(20):
            wake(settings, "ftp7")
        wait_for(lambda: worker._wake_ups.huey.pending_count() == 0)
        runs.may_end.set()
        wait_for(lambda: len(runs.calls) == 2)
    assert runs.calls == ["ftp7", "ftp7"]
    assert runs.most_per_host == {"ftp7": 1}


@pytest.mark.usefixtures("fresh_host")
def test_what_is_due_in_a_moment_is_waited_for(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    """Else a share that needs two looks would wait for the periodic one in between."""
    accept_share("p1")
    with database.write() as session:  # so that the periodic look does not see it
        session.get_one(Share, "p1").due_at = utc_now() + timedelta(hours=1)
    looks: list[float] = []

    def look_twice(_ftp_host: str) -> int:
        looks.append(time.monotonic())
        with database.write() as session:
            share = session.get_one(Share, "p1")
            share.due_at = utc_now() + timedelta(seconds=0.4)
            if len(looks) > 1:
                share.state = State.LISTO
        return 1

    slow = settings.model_copy(update={"reconcile_seconds": 5})
    worker = Worker(slow, look_twice, database)
    worker.start()
    try:
        wake(settings, ftp_host)
        wait_for(lambda: len(looks) == 2)
    finally:
        worker.stop(lambda: None)
    assert 0.3 <= looks[1] - looks[0] <= 3


@pytest.mark.usefixtures("fresh_host")
def test_a_busy_host_holds_no_other_up(settings: Settings, database: Database) -> None:
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs):
        for host in ("ftp7", "ftp8", "ftp9"):
            wake(settings, host)
        wait_for(lambda: sorted(runs.calls) == ["ftp7", "ftp8", "ftp9"])


@pytest.mark.usefixtures("fresh_host")
def test_due_share_is_found_without_a_wake_up(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    accept_share("p1")
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: ftp_host in runs.calls)


def test_host_that_was_not_heard_of_is_visited(settings: Settings, database: Database, ftp_host: str) -> None:
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: runs.calls == [ftp_host])


@pytest.mark.usefixtures("fresh_host")
def test_host_whose_downloads_were_not_counted_is_visited(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    accept_share("p1")
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.due_at = State.LISTO, None
        share.ready_at = utc_now() - timedelta(seconds=settings.transfers_seconds + 1)
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: runs.calls == [ftp_host])


@pytest.mark.usefixtures("fresh_host")
def test_backlog_of_wake_ups_does_not_delay_the_look(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    """All threads busy, wake-ups waiting: what is due still goes to the queue."""
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs) as worker:
        for number in range(settings.worker_threads):
            wake(settings, f"busy{number}")
        wait_for(lambda: len(runs.calls) == settings.worker_threads)
        accept_share("p1")
        wait_for(lambda: worker._wake_ups.huey.pending_count() == 1)
        assert not worker._rounds.request(ftp_host, again=True)  # it was sent once, not every second


@pytest.mark.usefixtures("fresh_host")
def test_backlog_of_wake_ups_does_not_delay_an_expiry(
    settings: Settings, database: Database, accept_share: Callable[..., Share], ftp_host: str
) -> None:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs):
        for number in range(settings.worker_threads):
            wake(settings, f"busy{number}")
        wait_for(lambda: len(runs.calls) == settings.worker_threads)
        with database.write() as session:
            share = session.get_one(Share, "p1")
            share.state, share.expires, share.due_at = State.LISTO, utc_now(), None
        wait_for(lambda: read_state(database, "p1") == State.EXPIRANDO)
        assert read_state(database, "p2") == State.RECIBIDO


def read_state(database: Database, share_id: str) -> str:
    with database.read() as session:
        return session.get_one(Share, share_id).state


@pytest.mark.usefixtures("fresh_host")
def test_failing_run_does_not_stop_the_worker(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    runs = Runs()
    seen: list[str] = []

    def fail_first(ftp_host: str) -> int:
        seen.append(ftp_host)
        if len(seen) == 1:
            raise ZeroDivisionError("bug")
        return runs.run_host(ftp_host)

    worker = Worker(settings, fail_first, database)
    worker.start()
    wake(settings, "ftp7")
    wait_for(lambda: seen == ["ftp7"])
    wake(settings, "ftp7")
    wait_for(lambda: runs.calls == ["ftp7"])
    worker.stop(lambda: None)
    assert any("ZeroDivisionError" in (record.exc_text or "") for record in caplog.records)


@pytest.mark.usefixtures("fresh_host")
def test_stop_waits_for_runs_and_then_abandons_them(settings: Settings, database: Database) -> None:
    impatient = settings.model_copy(update={"stop_seconds": 0.3})
    runs = Runs()
    runs.may_end.clear()
    worker = Worker(impatient, runs.run_host, database)
    worker.start()
    wake(settings, "ftp7")
    wait_for(lambda: runs.calls == ["ftp7"])
    abandoned = []

    def abandon() -> None:
        abandoned.append(True)
        runs.may_end.set()

    worker.stop(abandon)
    assert abandoned == [True]
    wake(settings, "ftp7")
    assert runs.calls == ["ftp7"]


@pytest.mark.usefixtures("fresh_host")
def test_forged_message_is_not_unpickled(settings: Settings, database: Database, tmp_path: Path) -> None:
    """Huey pickles: whoever can write the queue's file must not run code in the worker."""
    proof = tmp_path / "proof"

    class Bomb:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return os.mkdir, (str(proof),)

    wake(settings, "ftp7")
    with sqlite3.connect(settings.state_dir / "wakeups.sqlite3") as queue:
        queue.execute("UPDATE task SET data = ?", (pickle.dumps(Bomb()) + b":" + b"0" * 40,))
    queue.close()
    other = load_settings(**(settings.model_dump() | {"encryption_key": Fernet.generate_key().decode()}))
    wake(other, "ftp8")
    runs = Runs()
    with working(settings, database, runs):
        wake(settings, "ftp9")
        wait_for(lambda: runs.calls == ["ftp9"])
    assert not proof.exists()


def test_rounds_never_overlap_and_never_lose_a_wake_up() -> None:
    rounds = HostRounds()
    inside, most, made = 0, 0, 0
    lock = threading.Lock()

    def come() -> None:
        nonlocal inside, most, made
        if not rounds.enter("h"):
            return
        while True:
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.001)
            with lock:
                inside -= 1
                made += 1
            if rounds.leave("h"):
                return

    threads = [threading.Thread(target=come) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 1
    assert made >= 2
    assert rounds.enter("h"), "somebody left the host marked as busy"


def test_request_is_sent_once_until_it_is_answered() -> None:
    rounds = HostRounds()
    assert rounds.request("h", again=True)
    assert not rounds.request("h", again=True)
    assert rounds.enter("h")
    assert not rounds.request("h", again=True)  # another round instead
    assert not rounds.leave("h")
    assert rounds.leave("h")
    assert rounds.request("h", again=False)


def test_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(os.environ)
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", "secret")
    monkeypatch.setenv("FTP_DB_PASS", "secret")
    monkeypatch.setenv("TEMPOFTP_LAB_NET", "test")
    try:
        scrub_environment()
        assert "secret" not in os.environ.values()
        assert os.environ["TEMPOFTP_LAB_NET"] == "test"
        assert os.environ["PATH"] == kept["PATH"]
    finally:
        with suppress(KeyError):
            del os.environ["TEMPOFTP_LAB_NET"]
        os.environ.update(kept)
