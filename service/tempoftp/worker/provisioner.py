"""The interface of what carries out a run: Ansible, or its simulation."""

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
    """A run was stopped because the worker stops. This is no failure, and the shares stay due."""


def check_run_id(outcome: Outcome | AuditOutcome | PreviewOutcome, run_id: str) -> None:
    """Raise RunFailed when an outcome is of another run."""
    if outcome.run_id != run_id:
        raise RunFailed(
            ShareError.of("run_failed", f"the outcome file is of run {outcome.run_id}, not of {run_id}")
        )


class Provisioner(Protocol):
    """Brings the shares and accounts of a request one step nearer to the desired state."""

    def run(self, request: RunRequest, should_stop: Callable[[], bool]) -> Outcome:
        """Carry out one run and return what it reports; polls `should_stop` at least every second.

        Raises RunFailed or RunAbandoned.
        """

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        """Audit one FTP host; with `repair`, repair there what is safe. Raises RunFailed or RunAbandoned."""

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        """Measure sources for one FTP host, at the same time as other runs there. Raises as `run` does."""

    def reserve_run_id(self, ftp_host: str) -> str:
        """Return the id for the next run of a host."""

    def sweep(self) -> None:
        """Remove what killed workers left. A worker calls it when it starts."""

    def close(self) -> None:
        """Stop what still runs. A worker calls it when it stops."""
