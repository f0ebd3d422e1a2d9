"""Wake-ups between machines: over a real Redis, and what becomes of shares while it is away, deaf or lied to."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost, Share
from tempoftp.hosts import wake_ups
from tempoftp.hosts.wake_ups import publish, wake
from tempoftp.http.changes import wake_host
from tempoftp.settings import Settings, load_settings
from tempoftp.worker.worker import Worker
from tests.support.redis_server import RedisServer, run_redis

pytestmark = [pytest.mark.processes, pytest.mark.needs_redis]
CHANNEL = "tempoftp:0:wake-ups"
HOSTS = ("ftp7", "ftp8", "ftp9")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with run_redis() as server:
        yield server


@pytest.fixture
def settings(settings: Settings) -> Settings:
    key = settings.encryption_key.get_secret_value()
    return load_settings(**settings.model_dump() | {"encryption_key": key, "ftp_hosts": ",".join(HOSTS)})


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
def fresh_hosts(database: Database) -> None:
    """Hosts that were heard of just now, so that only wake-ups and due shares make runs."""
    with database.write() as session:
        session.add_all(FtpHost(name=name, facts_at=utc_now(), paused=False) for name in HOSTS)


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
        wait_for(lambda: is_subscribed(api))
        yield calls
    finally:
        worker.stop(lambda: None)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_subscribed(api: Settings, workers: int = 1) -> bool:
    """Whether the workers listen; True when the Redis is away, since there is nothing to wait for then."""
    assert api.queue_url is not None
    try:
        return publish(api.queue_url.get_secret_value(), b"is anybody there") >= workers
    except redis.RedisError:
        return True


def test_wake_up_crosses_machines(api: Settings, settings: Settings, database: Database) -> None:
    with working(api, settings, database) as calls:
        wake(api, "ftp7")
        wait_for(lambda: calls == ["ftp7"])
    assert not api.state_dir.exists()


def test_each_of_several_workers_is_woken(api: Settings, settings: Settings, database: Database) -> None:
    """Leases in the database decide which of them does the work."""
    other = settings.model_copy(update={"state_dir": settings.state_dir / "other"})
    with working(api, settings, database) as first, working(api, other, database) as second:
        wait_for(lambda: is_subscribed(api, 2))
        for host in HOSTS:
            wake(api, host)
        wait_for(lambda: sorted(first) == sorted(second) == sorted(HOSTS))


def test_without_a_worker_nothing_is_kept(
    api: Settings, settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows say what is due: the look of a worker that starts later finds it."""
    with caplog.at_level(logging.DEBUG, "tempoftp"):
        wake(api, "ftp7")
    assert "no worker was reached with the wake-up for ftp7" in caplog.text
    with working(api, settings, database) as calls:
        wake(api, "ftp8")
        wait_for(lambda: calls == ["ftp8"])


def test_services_with_databases_of_their_own_do_not_wake_each_other(
    api: Settings, settings: Settings, database: Database
) -> None:
    assert api.queue_url is not None
    another = SecretStr(api.queue_url.get_secret_value() + "?db=1")
    with working(api, settings, database) as calls:
        wake(api.model_copy(update={"queue_url": another}), "ftp7")
        wake(api, "ftp8")
        wait_for(lambda: calls == ["ftp8"])


def test_a_redis_that_is_away_holds_no_share_up(
    api: Settings,
    settings: Settings,
    database: Database,
    server: RedisServer,
    accept_share: Callable[..., Share],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.stop()
    with working(api, settings, database) as calls:
        with pytest.raises(redis.ConnectionError):
            wake(api, "ftp7")
        ftp_host = accept_share("p1").ftp_host
        wait_for(lambda: ftp_host in calls)
        wait_for(lambda: "Redis of the wake-ups is away" in caplog.text)
        server.start()
        wait_for(lambda: is_subscribed(api))
        other = next(host for host in HOSTS if host != ftp_host)
        wake(api, other)
        wait_for(lambda: other in calls)
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


def test_a_worker_notices_a_deaf_redis(
    api: Settings,
    settings: Settings,
    database: Database,
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection over which nothing comes any more looks like one on which there is nothing to say."""
    monkeypatch.setattr(wake_ups, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(wake_ups, "ANSWER_SECONDS", 0.5)
    with caplog.at_level(logging.INFO, "tempoftp"), working(api, settings, database) as calls:
        server.hang()
        wait_for(lambda: "Redis of the wake-ups is away" in caplog.text)
        server.stop()
        server.start()
        wait_for(lambda: is_subscribed(api))
        wake(api, "ftp7")
        wait_for(lambda: calls == ["ftp7"])
        wait_for(lambda: "Redis of the wake-ups is back" in caplog.text)


def test_what_names_no_ftp_host_is_ignored(
    api: Settings, settings: Settings, database: Database, server: RedisServer
) -> None:
    with working(api, settings, database) as calls, server.connect() as client:
        for message in (b"", b"\xff", b"unknown", b"ftp7" * 1000, pickle.dumps("ftp7"), b"ftp7\0"):
            client.publish(CHANNEL, message)
        wake(api, "ftp9")
        wait_for(lambda: calls == ["ftp9"])
