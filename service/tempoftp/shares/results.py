"""The outcome file, as the modules of `lanot.tempoftp` return it (step 7 of the flow).

Keys that are not needed here are left alone: a newer collection may report more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from tempoftp.downloads.results import TransfersReport
from tempoftp.results import Result, ResultError
from tempoftp.shares.fields import Reported


class ShareResult(Reported):
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
    restorable_until: datetime | None = None
    """Until when its data waits in the trash, for one that is absent."""
    path: str | None = None
    skipped: list[str] = Field(default_factory=list)
    skipped_total: int | None = None
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
