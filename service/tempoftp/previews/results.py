"""A preview's request and outcome files, as `lanot.tempoftp.tempoftp_source_info` takes and returns them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tempoftp.results import Result, ResultError
from tempoftp.shares.sources import Method


class PreviewPart(BaseModel):
    """Base of the request file's parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PreviewItem(PreviewPart):
    """An item of `tempoftp_source_info`'s option `sources`."""

    source: str
    source_root: str | None
    ssh_user: str
    ssh_key_file: str | None
    size_probe: Literal["rsync", "du"]
    method: Method = "auto"
    local: bool = False


class PreviewRequest(PreviewPart):
    """The request file of a run that measures sources. `time_limit` is in seconds, for all of them together."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema")
    run_id: str
    ftp_host: str
    time_limit: int
    sources: list[PreviewItem]
    requests: tuple[str, ...] = Field(default=(), exclude=True)
    """`X-Request-ID` of the requests behind it, for log lines; not in the file."""

    def write_json(self) -> str:
        """Return the file's content. Unset values are left out: the module then takes its defaults."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class SourceResult(Result):
    """One item of `tempoftp_source_info`'s `sources`. With `timed_out`, the numbers are what was counted until then."""

    source: str | None
    timed_out: bool = False
    bytes: int | None = None
    files: int | None = None
    skipped: list[str] = Field(default_factory=list)
    skipped_total: int | None = None
    need_bytes: int | None = None
    fits: bool | None = None
    shortage: ResultError | None = None
    error: ResultError | None = None


class HostRoom(Result):
    """Free space on the FTP host. `inodes_available` is None if the filesystem has no fixed number of them."""

    space_total: int
    space_free: int
    space_available: int
    inodes_available: int | None = None


class PreviewOutcome(Result):
    """The whole outcome file of a run that measures sources: one result for each, in the order of the request."""

    schema_version: Literal[1] = Field(alias="schema")
    run_id: str
    sources: list[SourceResult]
    host: HostRoom
