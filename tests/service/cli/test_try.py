"""`tempoftp try` run by a user without rights: a share becomes ready, and no process is left afterwards."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from tempoftp.cli import trial
from tempoftp.cli.exits import BadSetting

pytestmark = pytest.mark.processes

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
READY = "To begin anew"  # the last line
START_SECONDS = 120


class Try:
    """A `tempoftp try` run by a plain user, and its output so far."""

    def __init__(self, prefix: list[str], home: Path, *arguments: str) -> None:
        self.folder = home / "trial"
        self._out = home / f"out-{time.monotonic_ns()}"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TEMPOFTP_")}
        # Settings in the caller's shell are ignored, even one with which the service would not start.
        environ |= {"HOME": str(home), "TEMPOFTP_DATABASE_URL": "none", "TEMPOFTP_UNKNOWN": "1"}
        with self._out.open("w") as out:
            self.process = subprocess.Popen(
                [*prefix, TEMPOFTP, "try", *arguments],
                env=environ,
                cwd=home,
                stdout=out,
                stderr=out,
            )

    @property
    def printed(self) -> str:
        return self._out.read_text()

    @property
    def token(self) -> str:
        return re.findall(r"operator's token: (tempoftp_\S+)", self.printed)[0]

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def end(self, signum: int) -> int:
        self.process.send_signal(signum)
        return self.process.wait(60)

    def list_processes(self) -> list[int]:
        """Return the processes with the settings of this service; zombies have no environment."""
        mark = f"TEMPOFTP_STATE_DIR={self.folder}/".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:  # it has ended, or belongs to another user
                continue
        return found


def wait_until(is_true: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def start(as_plain_user: list[str], plain_home: Path, free_port: int) -> Iterator[Callable[..., Try]]:
    """Return a function that starts `tempoftp try`; processes that a failed test leaves are killed."""
    started: list[Try] = []

    def start(*arguments: str) -> Try:
        folder = () if "--folder" in arguments else ("--folder", str(plain_home / "trial"))
        started.append(Try(as_plain_user, plain_home, "--port", str(free_port), *folder, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)
        wait_until(lambda one=one: not one.list_processes())


def test_a_share_becomes_ready_and_its_token_opens_api_and_portal(
    start, plain_home: Path, free_port: int
) -> None:
    running = start()
    running.wait_for(READY)
    printed = running.printed
    assert printed.startswith("SIMULATION: the FTP hosts exist only in a file.")
    if os.geteuid() == 0:
        assert len(running.list_processes()) >= 3  # two processes of the API, and the worker
        uids = {Path(f"/proc/{pid}").stat().st_uid for pid in running.list_processes()}
        assert uids == {plain_home.stat().st_uid} != {0}
    url = f"http://127.0.0.1:{free_port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
        assert http.get("/tmpftp").status_code == 401
        answer = http.get("/tmpftp", headers={"Authorization": f"Bearer {running.token}"}).json()
        (share,) = answer["solicitudes"]
        assert share["estado"] == "listo"
        assert f"id             {share['id']}\nstatus         listo\n" in printed
        form = http.get("/portal/entrar").text
        csrf = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', form)[0]
        sign_in = {"csrf_token": csrf, "token": running.token}
        page = http.post(
            "/portal/entrar", data=sign_in, headers={"Referer": url + "/portal/entrar"}, follow_redirects=True
        )
        assert share["id"] in page.text
        link = re.findall(r"^Recipient +(\S+)$", printed, re.MULTILINE)[0]
        assert share["id"] in httpx.get(link, trust_env=False, follow_redirects=True).text
    client_file = plain_home / "trial" / "client.env"
    assert stat.S_IMODE(client_file.stat().st_mode) == 0o600
    assert f"export TEMPOFTP_TOKEN={running.token}\n" in client_file.read_text()
    server_file = plain_home / "trial" / "server.env"
    assert stat.S_IMODE(server_file.stat().st_mode) == 0o600
    server_keys = re.findall(
        r"^export TEMPOFTP_(?:ENCRYPTION|SECRET)_KEY=(\S+)$", server_file.read_text(), re.M
    )
    assert len(set(server_keys)) == 2
    assert not [key for key in server_keys if key in client_file.read_text() + printed]

    assert running.end(signal.SIGINT) == 0
    assert running.list_processes() == []
    assert running.printed.endswith("Stopped. The next start finds the shares again.\n")


def test_the_printed_commands_work_unchanged(start, plain_home: Path) -> None:
    running = start()
    running.wait_for(READY)
    lines = re.findall(r"^  (\S(?:.*\\\n)*.*)$", running.printed.partition("── Ready")[2], re.MULTILINE)
    assert [line.split()[0].rpartition("/")[2] for line in lines] == [
        *(".", "curl", "curl", "tempoftp", "tempoftp", "tempoftp")
    ]
    first = [*lines[:4], lines[5]]  # without the copy that takes long
    script = "\n".join(f'{line}; echo " ended with $?"' for line in first)
    done = subprocess.run(["bash", "-c", script], cwd=plain_home, capture_output=True, text=True, timeout=120)
    assert re.findall(r"ended with (\d+)", done.stdout) == ["0", "0", "0", "0", "1"], done
    assert '{"id":"mio_1","status":"recibido"}' in done.stdout
    assert "mio_3 is error" in done.stderr


def test_after_kill_9_the_next_start_has_the_same_port_token_and_shares(start, free_port: int) -> None:
    first = start()
    first.wait_for(READY)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = start()
    second.wait_for(READY)
    assert second.token == first.token
    shares = httpx.get(
        f"http://127.0.0.1:{free_port}/tmpftp",
        headers={"Authorization": f"Bearer {second.token}"},
        trust_env=False,
        timeout=30,
    ).json()["solicitudes"]
    assert [share["estado"] for share in shares] == ["listo", "listo"]
    assert second.end(signal.SIGTERM) == 0
    assert second.list_processes() == []


def test_explains_why_when_a_process_of_the_service_dies(start) -> None:
    running = start()
    running.wait_for(READY)
    (worker,) = (
        pid
        for pid in running.list_processes()
        if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0worker\0")
    )
    os.kill(worker, signal.SIGKILL)
    assert running.process.wait(60) == 5
    assert "Error: `tempoftp worker` ended with -9. The end of" in running.printed
    assert running.list_processes() == []


def test_ctrl_c_before_the_share_is_ready_leaves_nothing(start) -> None:
    running = start()
    running.wait_for("The simulated copy takes")
    assert running.end(signal.SIGINT) == 130
    assert running.list_processes() == []


def test_refuses_a_port_that_is_in_use(start, free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        running = start()
        assert running.process.wait(60) == 2
    assert (
        f"Error: cannot listen on port {free_port} of 127.0.0.1 (Address already in use)" in running.printed
    )
    assert "make try PORT=" in running.printed
    assert running.list_processes() == []


def test_refuses_a_second_one_in_the_same_folder(start) -> None:
    first = start()
    first.wait_for("up; state and logs")
    second = start()
    assert second.process.wait(60) == 2
    assert "another `tempoftp try` runs in" in second.printed
    assert first.end(signal.SIGTERM) == 130


def test_refuses_a_folder_without_write_permission(start, plain_home: Path) -> None:
    closed = plain_home / "closed"
    closed.mkdir(mode=0o555)
    running = start("--folder", str(closed / "trial"))
    assert running.process.wait(60) == 2
    assert f"{closed / 'trial'} cannot be written (Permission denied)" in running.printed


def test_refuses_a_state_folder_without_its_key(start, plain_home: Path) -> None:
    (plain_home / "trial" / "state").mkdir(parents=True)
    if os.geteuid() == 0:
        owner = plain_home.stat()
        os.chown(plain_home / "trial", owner.st_uid, owner.st_gid)
    running = start()
    assert running.process.wait(60) == 2
    assert f"remove {plain_home / 'trial'}" in running.printed


def test_refuses_a_database_of_another_version(start, plain_home: Path) -> None:
    state = plain_home / "trial" / "state"
    state.mkdir(parents=True)
    key = Fernet.generate_key().decode()
    secret = Fernet.generate_key().decode()
    (plain_home / "trial" / "server.env").write_text(
        f"export TEMPOFTP_ENCRYPTION_KEY={key}\nexport TEMPOFTP_SECRET_KEY={secret}\n"
    )
    with closing(sqlite3.connect(state / "tempoftp.sqlite3")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('from_the_future')")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"--reference={plain_home}", plain_home], check=True, timeout=60)
    running = start()
    assert running.process.wait(60) == 2
    assert "is of another version of tempoftp" in running.printed
    assert "from_the_future" in running.printed


def test_without_port_the_first_free_one_is_used(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setattr(trial, "FIRST_PORT", free_port)
    assert trial.choose_port(None) == free_port
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        assert free_port < trial.choose_port(None) < free_port + trial.PORTS_TRIED
        monkeypatch.setattr(trial, "PORTS_TRIED", 1)
        with pytest.raises(BadSetting, match=f"from {free_port} to {free_port}"):
            trial.choose_port(None)
