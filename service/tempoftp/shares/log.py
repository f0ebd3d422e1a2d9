"""One log for each share: which runs worked on it, what they found, what failed. It has no secrets.

Only named fields are written, so nothing has to be redacted.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tempoftp.db.clock import utc_now, write_time
from tempoftp.db.models import Share
from tempoftp.shares.messages import say_phrases
from tempoftp.shares.results import ShareResult
from tempoftp.shares.schemas import ID_PATTERN

logger = logging.getLogger(__name__)

LOG_MODE = 0o640
PIECE_BYTES = 65536
"""So much of a log is read at once."""


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Whole lines of a share's log. `following` is the byte at which what comes after begins."""

    text: str
    following: int


class ShareLog:
    """Appends to `<id>.log` in the folder of the logs. Only the worker writes there; the API reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)

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
        try:
            path = find_log(self._folder, share_id)
        except ValueError as error:
            logger.warning("nothing is logged: %s", error)
            return
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640
        )
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            if not os.fstat(descriptor).st_size:
                os.fchmod(
                    descriptor, LOG_MODE
                )  # the API is another user of the group, and the umask may be 077
            file.write(f"{write_time(utc_now())} {line}\n")


def find_log(folder: Path, share_id: str) -> Path:
    """Return the log file of a share. Raises ValueError for an id that is no plain name.

    Ids pass a schema when a share is requested. The worker reads them from rows, which the API's user can write.
    """
    if not re.fullmatch(ID_PATTERN, share_id):
        raise ValueError(f"{share_id!r} is no id of a share")
    return folder / f"{share_id}.log"


def read_log(folder: Path, share_id: str, since: int | None = None) -> LogPiece:
    """Return the log of a share from byte `since`, by default its end: whole lines, at most `PIECE_BYTES`.

    The log of a share without a run is empty.
    """
    try:
        with find_log(folder, share_id).open("rb") as file:
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
