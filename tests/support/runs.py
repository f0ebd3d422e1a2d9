"""Runs on a simulated host: until a share has a state, and with a record of the requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.shares.messages import say_message
from tempoftp.shares.results import Outcome
from tempoftp.states import State
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner


def work_until(runner: HostRunner, database: Database, ftp_host: str, share_id: str, *states: State) -> Share:
    """Make runs until the share is in one of the states; what is due later is made due now."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        runner.run_host(ftp_host)
        with database.write() as session:
            share = session.get_one(Share, share_id)
            if share.state in states:
                return share
            share.due_at = utc_now()
    raise AssertionError(f"{share_id} is still in {share.state}: {say_message(share)}")


class Recording:
    """A provisioner that notes what it is asked, and may do something in the middle of a run."""

    def __init__(
        self, inner: SimulatedProvisioner, meanwhile: Callable[[RunRequest], None] | None = None
    ) -> None:
        self.inner = inner
        self.requests: list[RunRequest] = []
        self.meanwhile = meanwhile or (lambda request: None)

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        self.requests.append(request)
        self.meanwhile(request)
        return self.inner.run(request, should_stop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
