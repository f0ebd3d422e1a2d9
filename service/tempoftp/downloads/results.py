"""The downloads in a run's outcome file, as `tempoftp_transfers_info` reports them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from tempoftp.results import Result


class TransfersFile(Result):
    """How often a file was downloaded."""

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
    """Whether the log could be read; with a `problem`, or `behind`, there are no shares."""

    behind: bool = False
    problem: str | None = None


class TransfersReport(Result):
    """What `tempoftp_transfers_info` returned. `time` is by the FTP host's clock."""

    shares: list[TransfersShare] = Field(default_factory=list)
    log: TransfersLog
    time: datetime
