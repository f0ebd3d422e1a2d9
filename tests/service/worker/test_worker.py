"""Wake-ups through a real socket, one run per host at a time, and the look that finds what no wake-up told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share, WorkerProcess
from tempoftp.hosts.wake_ups import wake
from tempoftp.hosts.workers import name_worker
from tempoftp.settings import Settings, load_settings
from tempoftp.states import State
from tempoftp.worker.worker import Worker
from tests.support.hosts import hear_of


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


HOSTS = ("ftp1", "ftp2", "ftp3", "ftp4", "ftp5")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    key = settings.encryption_key.get_secret_value()
    return load_settings(**settings.model_dump() | {"encryption_key": key, "ftp_hosts": ",".join(HOSTS)})


@pytest.fixture
def fresh_hosts(database: Database) -> None:
    """Hosts that were heard of just now, so that only wake-ups and due shares make runs."""
    with database.write() as session:
        session.add_all(FtpHost(name=name, facts_at=utc_now(), paused=False) for name in HOSTS)


@contextmanager
def working(settings: Settings, database: Database, runs: Runs) -> Iterator[Worker]:
    worker = Worker(settings, runs.run_host, database)
    worker.start()
    try:
        yield worker
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_hosts")
def test_wake_up_arrives(settings: Settings, database: Database) -> None:
    runs = Runs()
    with working(settings, database, runs):
        wake(settings, "ftp1")
        wait_for(lambda: runs.calls == ["ftp1"])


@pytest.mark.usefixtures("fresh_hosts")
def test_wake_up_of_a_busy_host_prepares_its_next_run(settings: Settings, database: Database) -> None:
    runs, prepared = Runs(), []
    runs.may_end.clear()
    worker = Worker(settings, runs.run_host, database, prepared.append)
    worker.start()
    try:
        wake(settings, "ftp1")
        wait_for(lambda: runs.calls == ["ftp1"])
        assert prepared == []
        wake(settings, "ftp1")
        wait_for(lambda: prepared == ["ftp1"])
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_hosts")
def test_many_wake_ups_are_one_more_round(settings: Settings, database: Database) -> None:
    runs, prepared = Runs(), threading.Event()
    runs.may_end.clear()
    worker = Worker(settings, runs.run_host, database, lambda _host: prepared.set())
    worker.start()
    try:
        wake(settings, "ftp1")
        wait_for(lambda: runs.calls == ["ftp1"])
        for _ in range(5):  # fewer than a socket holds
            wake(settings, "ftp1")
        wake(settings, "ftp2")  # it arrives after the others
        wait_for(lambda: "ftp2" in runs.calls)
        runs.may_end.set()
        wait_for(lambda: runs.calls.count("ftp1") == 2)
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)
    assert prepared.is_set()
    assert sorted(runs.calls) == ["ftp1", "ftp1", "ftp2"]
    assert runs.most_per_host == {"ftp1": 1, "ftp2": 1}


@pytest.mark.usefixtures("fresh_hosts")
def test_what_is_due_in_a_moment_is_waited_for(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    """Else a share that needs two looks would wait for the periodic one in between."""
    ftp_host = accept_share("p1").ftp_host
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

    slow = settings.model_copy(update={"reconcile_seconds": 600})
    worker = Worker(slow, look_twice, database)
    worker.start()
    try:
        wake(settings, ftp_host)
        wait_for(lambda: len(looks) == 2)
    finally:
        worker.stop(lambda: None)
    assert looks[1] - looks[0] >= 0.3


@pytest.mark.usefixtures("fresh_hosts")
def test_four_busy_hosts_do_not_delay_a_fifth(settings: Settings, database: Database) -> None:
    held = threading.Event()
    runs: list[str] = []

    def run_host(ftp_host: str) -> int:
        runs.append(ftp_host)
        if ftp_host != "ftp5":
            held.wait(60)
        return 0

    worker = Worker(settings, run_host, database)
    worker.start()
    try:
        for name in HOSTS[:4]:
            wake(settings, name)
        wait_for(lambda: sorted(runs) == list(HOSTS[:4]))
        for number in range(1, 101):
            wake(settings, "ftp5")
            wait_for(lambda number=number: runs.count("ftp5") == number)
        assert not held.is_set()
    finally:
        held.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_hosts")
def test_bounded_runs_take_turns(settings: Settings, database: Database) -> None:
    """With one run at a time, a host that always has work lets each of the others have a run after each of its own."""
    runs: list[str] = []
    waiting = threading.Event()
    worker: Worker

    def run_host(ftp_host: str) -> int:
        runs.append(ftp_host)
        waiting.wait(20)
        if len(runs) < 12:
            worker.wake(ftp_host)
        return 0

    worker = Worker(settings.model_copy(update={"worker_threads": 1}), run_host, database)
    worker.start()
    try:
        worker.wake("ftp1")
        wait_for(lambda: runs == ["ftp1"])
        worker.wake("ftp2")
        worker.wake("ftp3")
        wait_for(lambda: len(worker._slots._waiting) == 2)
        assert runs == ["ftp1"]
        waiting.set()
        wait_for(lambda: len(runs) >= 12)
    finally:
        waiting.set()
        worker.stop(lambda: None)
    assert {runs.count(name) for name in ("ftp1", "ftp2", "ftp3")} <= {4, 5}, runs


@pytest.mark.usefixtures("fresh_hosts")
def test_due_share_is_found_without_a_wake_up(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    ftp_host = accept_share("p1").ftp_host
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: ftp_host in runs.calls)


def test_host_that_was_not_heard_of_is_visited(settings: Settings, database: Database) -> None:
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: set(runs.calls) == set(HOSTS))


@pytest.mark.usefixtures("fresh_hosts")
def test_host_whose_downloads_were_not_counted_is_visited(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    ftp_host = accept_share("p1").ftp_host
    with database.write() as session:
        share = session.get_one(Share, "p1")
        share.state, share.due_at = State.LISTO, None
        share.ready_at = utc_now() - timedelta(seconds=settings.transfers_seconds + 1)
    runs = Runs()
    with working(settings, database, runs):
        wait_for(lambda: runs.calls[:1] == [ftp_host])


@pytest.mark.usefixtures("fresh_hosts")
def test_a_stale_host_at_work_gets_no_second_round(settings: Settings, database: Database) -> None:
    """Its run is what asks for the facts; only something due is worth another one."""
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs) as worker:
        with database.write() as session:
            session.get_one(FtpHost, "ftp1").facts_at = utc_now() - timedelta(days=1)
        wait_for(lambda: runs.calls == ["ftp1"])
        worker.reconcile()
        with database.write() as session:
            session.get_one(FtpHost, "ftp1").facts_at = utc_now()
        runs.may_end.set()
        wake(settings, "ftp2")
        wait_for(lambda: "ftp2" in runs.calls)
    assert runs.calls == ["ftp1", "ftp2"]


@pytest.mark.usefixtures("fresh_hosts")
def test_busy_hosts_do_not_delay_an_expiry(
    settings: Settings, database: Database, accept_share: Callable[..., Share]
) -> None:
    accept_share("p1")
    accept_share("p2", usuario="otra@dominio")
    runs = Runs()
    runs.may_end.clear()
    with working(settings, database, runs):
        for name in HOSTS:
            wake(settings, name)
        wait_for(lambda: sorted(runs.calls) == list(HOSTS))
        with database.write() as session:
            share = session.get_one(Share, "p1")
            share.state, share.expires, share.due_at = State.LISTO, utc_now(), None
            hear_of(session, share.ftp_host)
        wait_for(lambda: read_state(database, "p1") == State.EXPIRANDO)
        assert read_state(database, "p2") == State.RECIBIDO


@pytest.mark.usefixtures("fresh_hosts")
def test_a_slow_preparation_delays_no_other_host(settings: Settings, database: Database) -> None:
    runs, held = Runs(), threading.Event()
    runs.may_end.clear()
    preparing = threading.Event()

    def prepare(_ftp_host: str) -> None:
        preparing.set()
        held.wait(20)

    worker = Worker(settings, runs.run_host, database, prepare)
    worker.start()
    try:
        wake(settings, "ftp1")
        wait_for(lambda: runs.calls == ["ftp1"])
        wake(settings, "ftp1")
        wait_for(preparing.is_set)
        wake(settings, "ftp2")
        wait_for(lambda: "ftp2" in runs.calls)
    finally:
        held.set()
        runs.may_end.set()
        worker.stop(lambda: None)


@pytest.mark.usefixtures("fresh_hosts")
def test_a_wake_up_starts_previews_while_its_host_is_busy(settings: Settings, database: Database) -> None:
    runs, previews = Runs(), []
    runs.may_end.clear()
    slow = settings.model_copy(update={"reconcile_seconds": 3600})
    worker = Worker(slow, runs.run_host, database, preview=lambda: previews.append(len(runs.calls)))
    worker.start()
    try:
        wait_for(lambda: previews != [])  # by the first look
        wake(settings, "ftp1")
        wait_for(lambda: runs.calls == ["ftp1"])
        wait_for(lambda: len(previews) >= 2)
        wake(settings, "ftp1")
        wait_for(lambda: len(previews) >= 3)
        assert runs.calls == ["ftp1"]
    finally:
        runs.may_end.set()
        worker.stop(lambda: None)


def read_state(database: Database, share_id: str) -> str:
    with database.read() as session:
        return session.get_one(Share, share_id).state


@pytest.mark.usefixtures("fresh_hosts")
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
    wake(settings, "ftp1")
    wait_for(lambda: seen == ["ftp1"])
    wake(settings, "ftp1")
    wait_for(lambda: runs.calls == ["ftp1"])
    worker.stop(lambda: None)
    assert any("ZeroDivisionError" in (record.exc_text or "") for record in caplog.records)


@pytest.mark.usefixtures("fresh_hosts")
def test_stop_waits_for_runs_and_then_abandons_them(settings: Settings, database: Database) -> None:
    impatient = settings.model_copy(update={"stop_seconds": 0.3})
    runs = Runs()
    runs.may_end.clear()
    worker = Worker(impatient, runs.run_host, database)
    worker.start()
    wake(settings, "ftp1")
    wait_for(lambda: runs.calls == ["ftp1"])
    abandoned = []

    def abandon() -> None:
        abandoned.append(True)
        runs.may_end.set()

    worker.stop(abandon)
    assert abandoned == [True]
    wake(settings, "ftp1")
    assert runs.calls == ["ftp1"]


def test_a_worker_gives_signs_of_life_also_when_its_search_fails(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: object, _settings: object) -> bool:
        raise RuntimeError("the search broke")

    monkeypatch.setattr("tempoftp.worker.worker.find_expired", fail)
    worker = Worker(settings, lambda _host: 0, database)
    with pytest.raises(RuntimeError, match="the search broke"):
        worker.look()
    with database.read() as session:
        assert [row.name for row in session.query(WorkerProcess)] == [name_worker()]


def test_a_sign_of_life_is_not_written_at_every_search(settings: Settings, database: Database) -> None:
    worker = Worker(settings, lambda _host: 0, database)
    worker.look()
    with database.write() as session:
        session.query(WorkerProcess).delete()
    worker.look()
    with database.read() as session:
        assert session.query(WorkerProcess).count() == 0
