"""One log per share: which runs worked on it, what they saw, what failed. Never a secret.

It is written from named fields only, so there is nothing to redact.
"""

from __future__ import annotations

import os
from pathlib import Path

from tempoftp.shares.models import Share, utc_now
from tempoftp.shares.results import ShareResult
from tempoftp.shares.views import write_time

FOLDER = "logs"


class ShareLog:
    """Appends to `<state>/logs/<id>.log`. An id passed the request's schema, so it is a plain file name."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)

    def path_of(self, share_id: str) -> Path:
        """Return the log file of a share."""
        return self._folder / f"{share_id}.log"

    def write(self, share: Share, run_id: str, result: ShareResult | None) -> None:
        """Add what a run did for a share."""
        parts = [
            f"run={run_id}",
            f"request={share.request_id}",
            f"generation={share.generation}",
            f"state={share.state}",
        ]
        if result is not None:
            parts.append(f"host_reports={result.state}")
            parts.append(f"bytes={_show(result.bytes_done)}/{_show(result.bytes_total)}")
            parts.append(f"files={_show(result.files_done)}/{_show(result.files_total)}")
            if result.skipped_total:
                parts.append(f"left_out={result.skipped_total}")
        if share.error_class is not None:
            parts.append(f"error={share.error_class}")
        if share.message:
            parts.append(f"message={share.message!r}")
        self._append(share.id, " ".join(parts))

    def write_late(self, share_id: str, run_id: str) -> None:
        """Note that a run came back after the share had moved on without it."""
        self._append(share_id, f"run={run_id} came late; its outcome was thrown away")

    def _append(self, share_id: str, line: str) -> None:
        descriptor = os.open(self.path_of(share_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{write_time(utc_now())} {line}\n")


def _show(number: int | None) -> str:
    return "?" if number is None else str(number)
