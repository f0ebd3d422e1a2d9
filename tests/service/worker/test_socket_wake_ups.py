"""Wake-ups on one machine: real sockets in the state folder, who may send to them, and what becomes of dead ones."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import FtpHost
from tempoftp.hosts.wake_ups import NAME_BYTES, SocketReceiver, parse_wake_up, send_to_sockets
from tempoftp.settings import Settings
from tempoftp.worker.worker import Worker


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def receiving(folder: Path) -> Iterator[list[bytes]]:
    messages: list[bytes] = []
    receiver = SocketReceiver(folder, messages.append)
    receiver.start()
    try:
        yield messages
    finally:
        receiver.stop()


def list_sockets(folder: Path) -> list[Path]:
    return sorted(folder.glob("worker-*.socket"))


def test_message_arrives_as_text(tmp_path: Path) -> None:
    with receiving(tmp_path) as messages:
        assert send_to_sockets(tmp_path, b"ftp1") == 1
        wait_for(lambda: messages == [b"ftp1"])
    assert list_sockets(tmp_path) == []
    assert send_to_sockets(tmp_path, b"ftp1") == 0


def test_a_folder_that_is_not_there_is_no_worker(tmp_path: Path) -> None:
    assert send_to_sockets(tmp_path / "none", b"ftp1") == 0


def test_each_worker_of_a_machine_is_told(tmp_path: Path) -> None:
    with receiving(tmp_path) as first, receiving(tmp_path) as second:
        assert send_to_sockets(tmp_path, b"ftp1") == 2
        wait_for(lambda: first == second == [b"ftp1"])


def test_the_path_of_a_folder_may_be_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    with receiving(folder) as messages:
        assert send_to_sockets(folder, b"ftp1") == 1
        wait_for(lambda: messages == [b"ftp1"])


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o007, 0o077])
def test_owner_and_group_may_send_and_nobody_else(tmp_path: Path, umask: int) -> None:
    """Whatever the umask: API and worker are two users of one group."""
    before = os.umask(umask)
    try:
        with receiving(tmp_path):
            (path,) = list_sockets(tmp_path)
            mode = path.stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


def test_no_link_in_place_of_the_socket_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's user may write in the state folder, also between two steps of the worker."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    state = tmp_path / "state"
    state.mkdir()
    bind = socket.socket.bind

    def bind_and_replace(made: socket.socket, address: str) -> None:
        bind(made, address)
        (path,) = list_sockets(state)
        path.unlink()
        path.symlink_to(key)

    class Replaced(socket.socket):
        bind = bind_and_replace  # type: ignore[assignment]

    monkeypatch.setattr(socket, "socket", Replaced)
    with receiving(state):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


@contextmanager
def acting_as(group: int) -> Iterator[None]:
    """Be another user for a moment, with one group. (No child: another user may not read this Python.)"""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(group)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on other users")
def test_a_user_of_the_group_reaches_the_worker_and_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, -1, 54321)
    state.chmod(0o2775)  # others may list it here, so that only the socket's own mode refuses them
    monkeypatch.chdir(state)
    with receiving(state) as messages, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        (path,) = list_sockets(state)
        assert path.stat().st_gid == 54321
        with acting_as(54322), pytest.raises(PermissionError):
            sender.sendto(b"ftp1", path.name)
        with acting_as(54321):
            sender.sendto(b"ftp2", path.name)
        wait_for(lambda: messages == [b"ftp2"])


def test_the_socket_of_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from tempoftp.hosts.wake_ups import SocketReceiver
SocketReceiver(Path({str(tmp_path)!r}), print).start()
print("bound", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"bound\n"
        process.send_signal(signal.SIGKILL)
    (dead,) = list_sockets(tmp_path)
    assert send_to_sockets(tmp_path, b"ftp1") == 0  # no error either
    with receiving(tmp_path) as messages:
        assert not dead.exists()
        assert send_to_sockets(tmp_path, b"ftp2") == 1
        wait_for(lambda: messages == [b"ftp2"])


def test_the_socket_of_a_living_worker_stays(tmp_path: Path) -> None:
    with receiving(tmp_path) as first:
        with receiving(tmp_path):
            assert len(list_sockets(tmp_path)) == 2
        send_to_sockets(tmp_path, b"ftp1")
        wait_for(lambda: first == [b"ftp1"])


def test_only_sockets_are_removed(tmp_path: Path) -> None:
    (tmp_path / "worker-notes.socket").write_text("not a socket")
    (tmp_path / "worker-gone.socket").symlink_to("nowhere")
    with receiving(tmp_path) as messages:
        send_to_sockets(tmp_path, b"ftp1")
        wait_for(lambda: messages == [b"ftp1"])
    assert (tmp_path / "worker-notes.socket").read_text() == "not a socket"
    assert (tmp_path / "worker-gone.socket").is_symlink()


def test_sending_never_waits(tmp_path: Path) -> None:
    """A worker that reads nothing fills its buffer: what does not fit is dropped."""
    receiver = SocketReceiver(tmp_path, lambda _message: None)
    with receiver._bind():
        begun = time.monotonic()
        reached = [send_to_sockets(tmp_path, b"ftp1") for _ in range(2000)]
    assert reached[0] == 1
    assert reached[-1] == 0
    assert time.monotonic() - begun < 10


def test_a_worker_that_cannot_bind_still_looks(
    tmp_path: Path, settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    calls: list[str] = []

    def note(ftp_host: str) -> int:
        calls.append(ftp_host)
        return 0

    worker = Worker(settings.model_copy(update={"state_dir": tmp_path / "file" / "below"}), note, database)
    worker.start()
    try:
        wait_for(lambda: calls != [])
    finally:
        worker.stop(lambda: None)
    assert "no wake-ups can arrive" in caplog.text


def test_malformed_and_unknown_names_are_ignored(
    settings: Settings, database: Database, ftp_host: str
) -> None:
    with database.write() as session:
        session.add(FtpHost(name=ftp_host, facts_at=utc_now(), paused=False))
    calls: list[str] = []

    def note(name: str) -> int:
        calls.append(name)
        return 0

    bad = (b"", b"\xff\xfe", b"ftp1\0", b"../etc", b"x" * 60_000, ftp_host.encode() * 100, b"unknown")
    worker = Worker(settings, note, database)
    worker.start()
    try:
        for message in bad:
            while not send_to_sockets(settings.state_dir, message):
                time.sleep(0.01)
        while not send_to_sockets(settings.state_dir, ftp_host.encode()):
            time.sleep(0.01)
        wait_for(lambda: calls == [ftp_host])
        assert set(worker._hosts) == {ftp_host}
    finally:
        worker.stop(lambda: None)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (b"ftp1", "ftp1"),
        ("ftp-ñ".encode(), "ftp-ñ"),
        (b"x" * NAME_BYTES, "x" * NAME_BYTES),
        (b"x" * (NAME_BYTES + 1), None),
        (b"", None),
        (b"\xff", None),
        (b"ftp1\n", None),
        (b"\0", None),
    ],
)
def test_parsing(message: bytes, name: str | None) -> None:
    assert parse_wake_up(message) == name
