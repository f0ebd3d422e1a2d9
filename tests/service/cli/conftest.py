"""Commands of the real command line, against the running service or alone."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.run_service import (
    Ended,
    Run,
    Service,
    build_environ,
    find_free_port,
    run_command,
    run_service,
    wait_until_up,
)

PLAIN_USER = 65534


@pytest.fixture
def as_plain_user() -> list[str]:
    """Words to put before a command, so that a user runs it who may write only in `plain_home`.

    This user may read everything, because the interpreter can be in a folder that only root can read.
    """
    if os.geteuid() != 0:
        return []
    only = "=-all,+dac_read_search"
    return [
        *("setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups"),
        *(f"--bounding-set{only}", f"--inh-caps{only}", f"--ambient-caps{only}"),
    ]


@pytest.fixture
def plain_home() -> Iterator[Path]:
    """A folder of that user. `tmp_path` will not do, because only root can enter the folders above it."""
    with tempfile.TemporaryDirectory(prefix="tempoftp-try-") as name:
        if os.geteuid() == 0:
            os.chown(name, PLAIN_USER, PLAIN_USER)
        yield Path(name)


@pytest.fixture
def free_port() -> int:
    """A port on loopback on which no program listens."""
    return find_free_port()


@pytest.fixture(scope="session")
def serve_and_work() -> Callable[[Path, dict[str, str]], AbstractContextManager[Service]]:
    """Run an API and a worker for one test."""
    return run_service


@pytest.fixture
def run_tempoftp() -> Callable[..., Ended]:
    """Run a command; the first argument is its environment."""
    return run_command


@pytest.fixture(scope="session")
def wait_for_answer() -> Callable[[str, list[subprocess.Popen[bytes]], Path], None]:
    """Wait until an address of processes that the test started answers 200."""
    return wait_until_up


@pytest.fixture
def tempoftp(service: Service) -> Run:
    """Run a client command against the running service."""

    def run(*argv: str, **environ: str) -> Ended:
        return run_command(service.environ | environ, *argv)

    return run


@pytest.fixture
def tempoftp_alone(tmp_path: Path) -> Run:
    """Run a command with settings of its own and no service."""
    environ = build_environ(tmp_path)

    def run(*argv: str, **changes: str | None) -> Ended:
        merged = {name: value for name, value in (environ | changes).items() if value is not None}
        return run_command(merged, *argv)

    return run
