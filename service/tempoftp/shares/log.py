"""One log for each share: which runs worked on it, what they found, what failed. It has no secrets.

Only named fields are written, so nothing has to be redacted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.models import Share
from tempoftp.shares.messages import say_phrases
from tempoftp.shares.results import ShareResult

FOLDER = "logs"
PIECE_BYTES = 65536
"""So much of a log is read at once."""


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Whole lines of a share's log. `following` is the byte at which what comes after begins."""

    text: str
    following: int


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
            parts.append(f"message={say_phrases(share.message)!r}")
        self._append(share.id, " ".join(parts))

    def write_late(self, share_id: str, run_id: str) -> None:
        """Write that a run ended after the share had changed, so that its outcome was ignored."""
        self._append(share_id, f"run={run_id} came late; its outcome was thrown away")

    def _append(self, share_id: str, line: str) -> None:
        descriptor = os.open(self.path_of(share_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{write_time(utc_now())} {line}\n")


def read_log(state_dir: Path, share_id: str, since: int | None = None) -> LogPiece:
    """Return the log of a share from byte `since`, by default its end: whole lines, at most `PIECE_BYTES`.

    The log of a share without a run is empty.
    """
    try:
        with (state_dir / FOLDER / f"{share_id}.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(size - PIECE_BYTES, 0) if since is None else min(since, size)
            file.seek(start)
            content = file.read(PIECE_BYTES)
    except FileNotFoundError:
        return LogPiece("", 0)
    if since is None and start:
        cut = content.find(b"\n") + 1
        start, content = start + cut, content[cut:]
    whole = content.rfind(b"\n") + 1 or (len(content) if len(content) == PIECE_BYTES else 0)
    return LogPiece(content[:whole].decode(errors="replace"), start + whole)


def _show(number: int | None) -> str:
    return "?" if number is None else str(number)
