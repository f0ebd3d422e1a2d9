"""What tests of several folders need: the lab's hosts, a service, a MariaDB, a mail server, a receiver of webhooks.

Each is started once at most and stopped at the end, whatever happened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import mailbox, receiver, run_service
from tests.support.mailbox import Mailbox
from tests.support.mariadb_server import Server, run_mariadb
from tests.support.receiver import Receiver
from tests.support.stage import Stage

NETS: dict[str, dict[str, Any]] = {
    "test": {"subnet": "10.117.2", "port": 19043},
    "faults": {"subnet": "10.117.5", "port": 19045},
    "deb11": {"subnet": "10.117.7", "port": 19046},
}
# Nobody need wait as long as in production: for transfers to be counted, for a dead worker's lease, for an answer
# while the host is paused.
SETTINGS = """\
TEMPOFTP_TRANSFERS_SECONDS=5
TEMPOFTP_LEASE_SECONDS=10
TEMPOFTP_HEARTBEAT_SECONDS=3
TEMPOFTP_DELETION_WAIT_SECONDS=1
"""


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A net of the lab with `site.yml` applied and a control host beside it (KEEP_LAB=1 leaves it up, and uses it).

    TEMPOFTP_STAGE_NET says which net: `test`, or `faults`, whose hosts have small disks.
    """
    net = os.environ.get("TEMPOFTP_STAGE_NET", "test")
    with Stage(net, **NETS[net]).stand(SETTINGS) as stage:
        yield stage


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB server for the session."""
    with run_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def make_environ() -> Callable[..., dict[str, str]]:
    """The environment of a simulated service of one's own, with a port that is free and a token in it."""
    return run_service.make_environ


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[run_service.Service]:
    """A service with simulated FTP hosts, for the session."""
    folder = tmp_path_factory.mktemp("service")
    with run_service.run_service(folder, run_service.make_environ(folder)) as running:
        yield running


@pytest.fixture
def start_mailbox() -> Iterator[Callable[..., Mailbox]]:
    with mailbox.run_mailboxes() as start:
        yield start


@pytest.fixture
def start_receiver() -> Iterator[Callable[..., Receiver]]:
    with receiver.run_receivers() as start:
        yield start
