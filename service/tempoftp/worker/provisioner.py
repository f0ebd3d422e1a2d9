"""What carries out a run: Ansible, or its simulation."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.errors import ShareError
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.shares.results import Outcome
from tempoftp.worker.request import RunRequest


def new_run_id() -> str:
    """Return an id that sorts by time and is short enough for a path."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


class RunFailed(Exception):  # noqa: N818 - the opposite of an outcome, not a programming error
    """A run ended without an outcome, for this reason."""

    def __init__(self, error: ShareError) -> None:
        super().__init__(error.message)
        self.error = error


class RunAbandoned(Exception):  # noqa: N818
    """A run was stopped because the worker is stopping; nobody failed and the shares stay due."""


class Provisioner(Protocol):
    """Brings the shares and accounts of a request one step nearer to what is wanted."""

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Carry out one run and return what it reports; polls `should_stop` at least every second.

        Raises RunFailed or RunAbandoned.
        """

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        """Audit one FTP host, and repair there what is safe if that is asked. Raises RunFailed or RunAbandoned."""

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        """Measure sources for one FTP host, beside whatever else is done there. Raises RunFailed or RunAbandoned."""

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return the id for the next run of a host."""

    def sweep(self) -> None:
        """Remove what killed workers left over. Called when a worker starts."""

    def close(self) -> None:
        """Stop what still runs. Called when a worker stops."""
