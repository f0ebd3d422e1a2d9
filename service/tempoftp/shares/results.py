"""The outcome file, as the modules of `lanot.tempoftp` return it (step 7 of the flow).

Keys that are not needed here are left alone: a newer collection may report more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tempoftp.shares.errors import ShareError


class Result(BaseModel):
    """Base of everything that is read from an outcome file."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ResultError(Result):
    """The classified error of one item."""

    error_class: str = Field(alias="class")
    message: str
    transient: bool = True

    def to_share_error(self) -> ShareError:
        """Return it by our own table, which decides what is transient."""
        return ShareError.of(self.error_class, self.message)


class ShareResult(Result):
    """One item of `tempoftp_share`'s `shares`. Bytes, bytes per second, seconds."""

    id: str
    generation: int | None = None
    state: Literal[
        "queued",
        "probing",
        "copying",
        "verifying",
        "delivered",
        "blocked",
        "failed",
        "purging",
        "absent",
    ]
    reason: str | None = None
    """Why it is absent, as its tombstone says: `deleted` or `expired`."""
    path: str | None = None
    bytes_total: int | None = None
    bytes_done: int | None = None
    files_total: int | None = None
    files_done: int | None = None
    percent: float | None = None
    rate: float | None = None
    eta: float | None = None
    skipped: list[str] = Field(default_factory=list)
    skipped_total: int | None = None
    delivered_by: Literal["rsync", "copy", "reflink", "links", "bind"] | None = None
    checksums_by: Literal["source", "arrival"] | None = None
    error: ResultError | None = None


class UserShare(Result):
    """A delivered share of an account, with the times that the FTP host fixed for it."""

    id: str
    generation: int
    ready_at: datetime | None = None
    expires: datetime | None = None


class UserResult(Result):
    """One item of `tempoftp_ftpuser`'s `users`."""

    name: str
    state: Literal["present", "absent", "blocked", "unknown"]
    origin: Literal["created", "adopted"] | None = None
    created: bool = False
    password_hash: str | None = Field(default=None, repr=False)
    password_matches: bool | None = None
    skipped_reason: str | None = None
    kept_reason: str | None = None
    shares: list[UserShare] = Field(default_factory=list)
    error: ResultError | None = None


class TransfersFile(Result):
    """How often a file was fetched."""

    name: str
    complete: int
    partial: int
    last: str | None = None


class TransfersShare(Result):
    """One item of `tempoftp_transfers_info`'s `shares`."""

    id: str
    generation: int
    complete: int
    partial: int
    files_total: int
    files_complete: int
    never_fetched: list[str]
    never_fetched_total: int
    last_download: datetime | None
    files: list[TransfersFile]


class TransfersLog(Result):
    """How the reading of the log went; with a `problem`, or `behind`, there are no shares."""

    behind: bool = False
    problem: str | None = None


class TransfersReport(Result):
    """What `tempoftp_transfers_info` returned. `time` is by the FTP host's clock."""

    shares: list[TransfersShare] = Field(default_factory=list)
    log: TransfersLog
    time: datetime


class Outcome(Result):
    """The whole outcome file of a run."""

    schema_version: Literal[1] = Field(alias="schema")
    run_id: str
    shares: list[ShareResult] = Field(default_factory=list)
    users: list[UserResult] = Field(default_factory=list)
    host: dict[str, Any] | None = None
    database: dict[str, Any] | None = None
    transfers: TransfersReport | None = None
    """None when the run did not ask, or the module broke."""
