"""The real service: API and worker as processes, as an operator starts them, with simulated FTP hosts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from click.testing import CliRunner
from cryptography.fernet import Fernet

from tempoftp.cli.main import main

TEMPOFTP = str(Path(sys.executable).with_name("tempoftp"))
SOURCES = """\
sources:
  source1:
    ssh_user: lanotadm
    roots:
      - {name: datos, path: /srv/datos, ssh_key_file: /etc/tempoftp/ssh/source1-datos}
"""


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    environ: dict[str, str]
    state_dir: Path


def build_environ(folder: Path, **extra: str) -> dict[str, str]:
    """Return settings for a simulated service with its files below `folder`, without TEMPOFTP_* of this process."""
    sources = folder / "sources.yml"
    sources.write_text(SOURCES)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TEMPOFTP_", "FTP_DB_"))
    }
    return inherited | {
        "TEMPOFTP_SIMULACRO": "1",
        "TEMPOFTP_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_SECRET_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_STATE_DIR": str(folder / "state"),
        "TEMPOFTP_SOURCES_FILE": str(sources),
        "TEMPOFTP_RUN_WAIT_SECONDS": "0.2",
        **extra,
    }


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_service(folder: Path, environ: dict[str, str]) -> Iterator[Service]:
    """Run the API and the worker with this environment until the block ends; both must then exit with 0."""
    url = environ["TEMPOFTP_URL"] = f"http://127.0.0.1:{environ['TEMPOFTP_PORT']}"
    with (folder / "log").open("w") as log:
        processes = [
            subprocess.Popen([TEMPOFTP, command], env=environ, stdout=log, stderr=log)
            for command in ("serve", "worker")
        ]
        try:
            wait_until_up(f"{url}/health", processes, folder / "log")
            yield Service(url, environ, folder / "state")
        finally:
            for process in processes:
                process.terminate()
            codes = [process.wait(timeout=40) for process in processes]
    assert codes == [0, 0], (folder / "log").read_text()


def wait_until_up(url: str, processes: list[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), log.read_text()
        try:
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not become healthy: {log.read_text()}")


@dataclass(frozen=True)
class Ended:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def run_command(environ: Mapping[str, str], *argv: str) -> Ended:
    """Run `tempoftp` in this process (a start of Python costs more than most commands), with this environment only."""
    hidden: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith(("TEMPOFTP_", "FTP_DB_"))
    }
    # The developer's own configuration file is not read either.
    hidden["XDG_CONFIG_HOME"] = "/nonexistent"
    done = CliRunner().invoke(main, argv, env=hidden | dict(environ), prog_name="tempoftp")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout, done.stderr)


def make_environ(folder: Path, **extra: str) -> dict[str, str]:
    """Return a function that makes settings for a simulated service, with a free port and a token."""
    environ = build_environ(folder, TEMPOFTP_PORT=str(find_free_port()), **extra)
    made = run_command(environ, "token", "create", "pruebas", "--role", "operador")
    assert made.code == 0, made.err
    return environ | {"TEMPOFTP_TOKEN": made.out.strip()}
