"""The worker as a process: what a kill -9 leaves behind, the next one finishes; a SIGTERM ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from tempoftp.db.engine import Database
from tempoftp.db.models import HistoryEntry, Share
from tempoftp.hosts.wake_ups import send_to_sockets, wake
from tempoftp.settings import Settings
from tempoftp.shares.messages import say_message
from tempoftp.states import State
from tempoftp.worker.process import scrub_environment
from tests.support.forger import list_messages

pytestmark = pytest.mark.processes

PROGRAM = """
from tempoftp.worker.process import run_worker
from tempoftp.settings import load_settings
run_worker(load_settings())
"""
LEASE_SECONDS = 2


class WorkerProcess:
    """Starts and kills real workers on the test's state folder."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.environment = {
            "PATH": os.environ["PATH"],
            "TEMPOFTP_SIMULACRO": "1",
            "TEMPOFTP_ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
            "TEMPOFTP_SECRET_KEY": settings.secret_key.get_secret_value(),
            "TEMPOFTP_STATE_DIR": str(settings.state_dir),
            "TEMPOFTP_SOURCES_FILE": str(settings.sources_file),
            "TEMPOFTP_LEASE_SECONDS": str(LEASE_SECONDS),
            "TEMPOFTP_HEARTBEAT_SECONDS": "0.5",
        }
        self.program = PROGRAM
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.program], env=self.environment, stderr=log, stdout=log
            )

    def end(self, signum: int, seconds: float = 30) -> int:
        assert self.process is not None
        self.process.send_signal(signum)
        return self.process.wait(seconds)


@pytest.fixture
def worker(settings: Settings, database: Database, tmp_path: Path) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(settings, tmp_path / "worker.log")
    yield worker
    if worker.process is not None and worker.process.poll() is None:
        worker.end(signal.SIGKILL)


def wait_for_state(database: Database, share_id: str, state: State, seconds: float = 60) -> Share:
    deadline = time.monotonic() + seconds
    while True:
        with database.read() as session:
            share = session.get_one(Share, share_id)
        if share.state == state:
            return share
        assert time.monotonic() < deadline, f"{share_id} is {share.state}: {say_message(share)}"
        time.sleep(0.05)


def read_beginnings(settings: Settings, ftp_host: str) -> dict[str, float]:
    """When each copy on the simulated host began."""
    path = settings.state_dir / "simulated" / f"{ftp_host}.json"
    world = json.loads(path.read_text()) if path.exists() else {"shares": {}}
    return {share_id: share["begun"] for share_id, share in world["shares"].items()}


def wait_for_copies(settings: Settings, ftp_host: str, count: int, seconds: float = 60) -> dict[str, float]:
    deadline = time.monotonic() + seconds
    while len(begun := read_beginnings(settings, ftp_host)) < count:
        assert time.monotonic() < deadline, f"only {begun} began"
        time.sleep(0.05)
    return begun


def test_killed_worker_loses_nothing(
    settings: Settings,
    database: Database,
    accept_share: Callable[..., Share],
    worker: WorkerProcess,
    ftp_host: str,
) -> None:
    worker.start()
    for number in range(5):
        accept_share(f"p{number}", f"source1:/srv/datos/{number}/tarda-3", f"u{number}@dominio")
    wake(settings, ftp_host)
    begun = wait_for_copies(settings, ftp_host, 5)
    worker.end(signal.SIGKILL)
    accept_share("late", usuario="tarde@dominio")  # its wake-up is lost
    worker.start()
    for share_id in ("p0", "p1", "p2", "p3", "p4", "late"):
        wait_for_state(database, share_id, State.LISTO)
    now = read_beginnings(settings, ftp_host)
    # What the first worker had begun went on; it was not begun again.
    assert {share_id: now[share_id] for share_id in begun} == begun
    with database.read() as session:
        ready = session.scalars(
            select(HistoryEntry.share_id).where(HistoryEntry.to_state == State.LISTO)
        ).all()
    assert sorted(ready) == ["late", "p0", "p1", "p2", "p3", "p4"]


def test_sigterm_lets_a_run_finish(
    settings: Settings,
    database: Database,
    accept_share: Callable[..., Share],
    worker: WorkerProcess,
    ftp_host: str,
) -> None:
    worker.start()
    accept_share("p1", "source1:/srv/datos/tarda-60")
    wake(settings, ftp_host)
    wait_for_state(database, "p1", State.PREPARANDO)
    assert worker.end(signal.SIGTERM) == 0
    with database.read() as session:
        share = session.get_one(Share, "p1")
    assert (share.lease_run_id, share.lease_until) == (None, None)
    assert share.error_class is None


def test_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(os.environ)
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", "secret")
    monkeypatch.setenv("TEMPOFTP_SECRET_KEY", "secret")
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


def test_a_forged_message_makes_a_worker_do_nothing(
    settings: Settings,
    database: Database,
    accept_share: Callable[..., Share],
    worker: WorkerProcess,
    ftp_host: str,
    tmp_path: Path,
) -> None:
    """Whoever may send to the socket and has the shared key gets nothing but the wake-up of a host that exists."""
    worker.program = f"import logging\nlogging.basicConfig(level=logging.DEBUG)\n{PROGRAM}"
    worker.start()
    accept_share("before")
    wait_for_state(database, "before", State.LISTO)
    proof = tmp_path / "proof"
    key = settings.encryption_key.get_secret_value()
    sent = 0
    for message in list_messages(key, f"touch {proof}", [ftp_host]):
        while not send_to_sockets(settings.state_dir, message):
            assert worker.process is not None and worker.process.poll() is None
            time.sleep(0.01)
        sent += 1
    assert sent > 100
    accept_share("after", usuario="otra@dominio")
    wake(settings, ftp_host)
    wait_for_state(database, "after", State.LISTO)
    assert worker.end(signal.SIGTERM) == 0
    log = worker.log.read_text()
    assert not proof.exists() and "Traceback" not in log
    assert log.count("names no FTP host was ignored") == sent
    assert set(read_beginnings(settings, ftp_host)) == {"before", "after"}
    assert [path.name for path in (settings.state_dir / "simulated").glob("*.json")] == [f"{ftp_host}.json"]
