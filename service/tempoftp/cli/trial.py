"""The service that `tempoftp try` runs: an API and a worker with simulated FTP hosts, in a folder of their own.

`python -m tempoftp.cli.trial serve|worker` is one of the two processes. It ends when the process that started it
ends or is killed, because the pipe on its standard input is then closed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from tempoftp.cli.client import ServiceClient
from tempoftp.cli.exits import BadSetting, ServiceFailed, ServiceUnreachable

HOST = "127.0.0.1"
FIRST_PORT = 9043
PORTS_TRIED = 10
START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
LOG_LINES = 15

SOURCES = """\
# The sources that requests may name. No folder has to exist, because the FTP hosts are simulated.
sources:
  source1:
    ssh_user: lanotadm
    roots:
      - {name: datos, path: /srv/datos, ssh_key_file: /etc/tempoftp/ssh/source1-datos}
"""

SETTINGS = {
    "TEMPOFTP_SIMULACRO": "1",
    "TEMPOFTP_BIND": HOST,
    # A run reports its progress when it ends, so short runs make the progress bar move evenly.
    "TEMPOFTP_RUN_WAIT_SECONDS": "0.3",
    "TEMPOFTP_TRANSFERS_SECONDS": "5",
    # Then every share can show its clear password, also the second share of an account.
    "TEMPOFTP_REUSE_PASSWORD": "1",
    "TEMPOFTP_STOP_SECONDS": "2",
}

STOP_SIGNALS = {"serve": signal.SIGINT, "worker": signal.SIGTERM}
"""Gunicorn stops at once on SIGINT. On SIGTERM it waits until every browser has closed its connection."""


class Trial:
    """The service of one `tempoftp try`. Its shares, key and token stay in `folder`; the next start uses them again.

    Call `prepare`, `start`, then `check` from time to time, and `stop` in any case.
    """

    def __init__(self, folder: Path, port: int) -> None:
        """Do nothing yet. The caller must hold the folder (`hold_folder`) while it uses this object."""
        self.folder = folder
        self.url = f"http://{HOST}:{port}"
        self.client_file = folder / "client.env"
        self.server_file = folder / "server.env"
        self.token = ""
        self._key = ""
        self._server_keys: dict[str, str] = {}
        self._port = port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> None:
        """Write settings, update the database and make a token. Key, token and rows of an earlier start are kept.

        Raises BadSetting when the folder was not made by this command, or cannot be written.
        """
        with explain_unwritable(self.folder):
            self._read_files()
            write_env_file(self.server_file, self._server_keys)
            (self.folder / "sources.yml").write_text(SOURCES, encoding="utf-8")
        self._set_environment()
        self._choose_token()
        self._write_client_file()

    def start(self, held: TextIO) -> None:
        """Start API and worker and wait until the API answers. They keep the lock of `held` until they end."""
        for program in STOP_SIGNALS:
            with self.log_of(program).open("w") as log:
                self._processes[program] = subprocess.Popen(
                    [sys.executable, "-m", "tempoftp.cli.trial", program],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[held.fileno()],
                    start_new_session=True,  # Ctrl-C then reaches only this process, which stops them in order
                )
        deadline = time.monotonic() + START_SECONDS
        with self.connect() as client:
            while True:
                self.check()
                try:
                    client.list_shares({})
                    return
                except (ServiceUnreachable, ServiceFailed):
                    if time.monotonic() > deadline:
                        raise
                time.sleep(POLL_SECONDS)

    def connect(self) -> ServiceClient:
        """Return a client of this service that has its token."""
        return ServiceClient(self.url, token=self.token)

    def check(self) -> None:
        """Raise ServiceFailed when one of the processes has ended."""
        for program, process in self._processes.items():
            code = process.poll()
            if code is not None:
                log = self.log_of(program)
                lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
                raise ServiceFailed(
                    "\n".join([f"`tempoftp {program}` ended with {code}. The end of {log}:", *lines])
                )

    def stop(self) -> None:
        """End both processes. A process that does not end in time is killed with everything that it started."""
        for program, process in self._processes.items():
            if process.poll() is None:
                process.send_signal(STOP_SIGNALS[program])
        for process in self._processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._processes.clear()

    def log_of(self, program: str) -> Path:
        """Return the file that has the log of `serve` or `worker`."""
        return self.folder / f"{program}.log"

    def _read_files(self) -> None:
        from tempoftp.cli.keys import VARIABLES as KEYS
        from tempoftp.cli.keys import make_key

        values = read_env_file(self.client_file)
        self.token = values.get("TEMPOFTP_TOKEN", "")
        self._key = values.get("TEMPOFTP_ENCRYPTION_KEY", "")
        kept = read_env_file(self.server_file)
        if not kept and (self.folder / "state").exists():
            raise BadSetting(
                f"{self.folder} has a folder `state` and no keys for it in {self.server_file.name}: remove "
                f"{self.folder}, or give another folder with --folder"
            )
        self._server_keys = {name: kept.get(name) or make_key() for name in KEYS.values()}

    def _write_client_file(self) -> None:
        values = {
            "TEMPOFTP_URL": self.url,
            "TEMPOFTP_TOKEN": self.token,
            # The token's own key, not the service's.
            "TEMPOFTP_ENCRYPTION_KEY": self._key,
        }
        write_env_file(self.client_file, values)

    def _set_environment(self) -> None:
        """Set the settings of this process and its children, and remove those that the caller's shell has."""
        from tempoftp.settings import PREFIX, Settings, variable_of

        known = {variable_of(name) for name in Settings.model_fields}
        for name in [name for name in os.environ if name.startswith(PREFIX) or name in known]:
            del os.environ[name]
        os.environ |= SETTINGS | {
            **self._server_keys,
            "TEMPOFTP_STATE_DIR": str(self.folder / "state"),
            "TEMPOFTP_SOURCES_FILE": str(self.folder / "sources.yml"),
            "TEMPOFTP_PORT": str(self._port),
            "TEMPOFTP_PUBLIC_URL": self.url,
        }

    def _choose_token(self) -> None:
        from alembic.util import CommandError

        from tempoftp.access.tokens import Role, create_token, find_token, give_key
        from tempoftp.cli.service import read_settings, write_database

        try:
            with write_database() as session:
                if not (self.token and self._key) or find_token(session, self.token) is None:
                    # A new name, because the name of a token that was lost cannot be used again.
                    name = f"try-{secrets.token_hex(4)}"
                    self.token = create_token(session, name, Role.OPERADOR, ())
                    self._key = give_key(session, name, read_settings().build_fernet())
        except CommandError as error:
            raise BadSetting(
                f"the database in {self.folder} is of another version of tempoftp ({error}): remove {self.folder}, or "
                "give another folder with --folder"
            ) from error


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables that a shell gets from this file; none when it does not exist."""
    try:
        words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    except FileNotFoundError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def write_env_file(path: Path, values: dict[str, str]) -> None:
    """Write a file, readable for its owner only, from which a shell gets these variables."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.replace(path)


@contextmanager
def hold_folder(folder: Path) -> Iterator[TextIO]:
    """Make the folder and lock it for one `tempoftp try`. Yields the open file whose lock its processes have to keep.

    Waits for processes of an earlier `tempoftp try` that was killed. Raises BadSetting when another one runs in this
    folder, or when the folder cannot be written.
    """
    with ExitStack() as stack:
        with explain_unwritable(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            own = stack.enter_context((folder / "try.lock").open("a"))
            processes = stack.enter_context((folder / "processes.lock").open("a"))
        if not _lock(own, 0):
            raise BadSetting(
                f"another `tempoftp try` runs in {folder}: stop it with Ctrl-C, or give another folder (--folder)"
            )
        if not _lock(processes, START_SECONDS):
            raise BadSetting(f"processes of an earlier `tempoftp try` in {folder} do not end")
        yield processes


@contextmanager
def explain_unwritable(folder: Path) -> Iterator[None]:
    """Turn an OSError into a BadSetting that says what to do."""
    try:
        yield
    except OSError as error:
        raise BadSetting(
            f"{error.filename or folder} cannot be written ({error.strerror}): give a folder of your own with --folder"
        ) from error


def _lock(file: TextIO, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True


def choose_port(wanted: int | None) -> int:
    """Return a port on loopback that can be listened on: `wanted`, or else the first free one from 9043 on.

    Raises BadSetting when there is none.
    """
    ports = [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)
    reason = ""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            try:
                probe.bind((HOST, port))
            except OSError as error:
                reason = error.strerror or str(error)
            else:
                return port
    which = f"port {wanted}" if wanted else f"any port from {ports[0]} to {ports[-1]}"
    raise BadSetting(
        f"cannot listen on {which} of {HOST} ({reason}): give another one with --port, or make try PORT=…"
    )


def run_until_parent_ends(program: str) -> None:
    """Run `tempoftp serve` or `tempoftp worker` in this process until it is stopped or standard input is closed."""
    from tempoftp.cli.main import main

    threading.Thread(target=_stop_with_parent, args=(STOP_SIGNALS[program],), daemon=True).start()
    main([program], prog_name="tempoftp")


def _stop_with_parent(signum: signal.Signals) -> None:
    # sys.stdin.read() would hold a lock, and the processes that gunicorn forks could never take it.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signum)


if __name__ == "__main__":
    run_until_parent_ends(sys.argv[1])
