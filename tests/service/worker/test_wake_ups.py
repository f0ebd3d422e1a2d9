"""Wake-ups between machines: over a real Redis, and what becomes of shares while it is away, deaf or lied to."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from cryptography.fernet import Fernet

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share
from tempoftp.hosts.wake_ups import wake
from tempoftp.http.changes import wake_host
from tempoftp.settings import Settings, load_settings
from tempoftp.worker.worker import Worker
from tests.support.redis_server import RedisServer, run_redis

pytestmark = [pytest.mark.processes, pytest.mark.needs_redis]
QUEUE = "huey.redis.tempoftpwakeups"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with run_redis() as server:
        yield server


@pytest.fixture
def api(settings: Settings, server: RedisServer, tmp_path: Path) -> Settings:
    """The settings of an API on a machine of its own: it shares the Redis and the keys, and no folder."""
    return load_settings(
        **settings.model_dump()
        | {
            "encryption_key": settings.encryption_key.get_secret_value(),
            "queue_url": server.url,
            "state_dir": tmp_path / "elsewhere",
        }
    )


@pytest.fixture(autouse=True)
def fresh_hosts(database: Database, ftp_host: str) -> None:
    """Hosts that were heard of just now, so that only wake-ups and due shares make runs."""
    with database.write() as session:
        session.add(FtpHost(name=ftp_host, facts_at=utc_now(), paused=False))


@contextmanager
def working(api: Settings, settings: Settings, database: Database) -> Iterator[list[str]]:
    """Run a worker on another machine than the API; yield the hosts that it was woken for."""
    calls: list[str] = []

    def note(ftp_host: str) -> int:
        calls.append(ftp_host)
        return 0

    worker = Worker(settings.model_copy(update={"queue_url": api.queue_url}), note, database)
    worker.start()
    try:
        yield calls
    finally:
        worker.stop(lambda: None)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_wake_up_crosses_machines(api: Settings, settings: Settings, database: Database) -> None:
    with working(api, settings, database) as calls:
        wake(api, "ftp7")
        wait_for(lambda: calls == ["ftp7"])
    assert not (api.state_dir / "wakeups.sqlite3").exists()


def test_wake_ups_wait_for_a_worker(api: Settings, settings: Settings, database: Database) -> None:
    for host in ("ftp7", "ftp8"):
        wake(api, host)
    with working(api, settings, database) as calls:
        wait_for(lambda: sorted(calls) == ["ftp7", "ftp8"])


def test_of_several_workers_one_is_woken(api: Settings, settings: Settings, database: Database) -> None:
    other = settings.model_copy(update={"state_dir": settings.state_dir / "other"})
    other.state_dir.mkdir()
    with working(api, settings, database) as first, working(api, other, database) as second:
        for number in range(20):
            wake(api, f"ftp{number}")
        wait_for(lambda: len(first) + len(second) == 20)
    assert sorted(first + second) == sorted(f"ftp{number}" for number in range(20))


def test_a_redis_that_is_away_holds_no_share_up(
    api: Settings,
    settings: Settings,
    database: Database,
    server: RedisServer,
    accept_share: Callable[..., Share],
    ftp_host: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.stop()
    with working(api, settings, database) as calls:
        with pytest.raises(redis.ConnectionError):
            wake(api, ftp_host)
        accept_share("p1")
        wait_for(lambda: ftp_host in calls)
        wait_for(lambda: "Redis of the wake-ups is away" in caplog.text)
        server.start()
        wake(api, "ftp7")
        wait_for(lambda: "ftp7" in calls)
    assert caplog.text.count("is away") == 1


def test_a_deaf_redis_holds_no_request_up(
    api: Settings,
    settings: Settings,
    database: Database,
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It accepts connections and answers nothing: the worst that a network can do."""
    with working(api, settings, database):
        wake(api, "ftp7")
        server.hang()
        asking = threading.Thread(target=wake_host, args=(api, "ftp8"))
        asking.start()
        asking.join(20)
        assert not asking.is_alive()
        assert "wake-up for ftp8 was lost" in caplog.text
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 20, "a deaf Redis kept the worker from stopping"


def test_forged_wake_ups_are_not_unpickled(
    api: Settings, settings: Settings, database: Database, server: RedisServer, tmp_path: Path
) -> None:
    """Whoever can write into the Redis must not run code in the worker."""
    proof = tmp_path / "proof"

    class Bomb:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return os.mkdir, (str(proof),)

    with server.connect() as client:
        client.lpush(QUEUE, pickle.dumps(Bomb()) + b":" + b"0" * 40, b"nonsense")
    other = api.model_dump() | {"encryption_key": Fernet.generate_key().decode(), "queue_url": server.url}
    wake(load_settings(**other), "ftp8")
    with working(api, settings, database) as calls:
        wake(api, "ftp9")
        wait_for(lambda: calls == ["ftp9"])
    assert not proof.exists()
