"""An audit's request file and its outcome file, as `lanot.tempoftp.tempoftp_audit` returns it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tempoftp.results import Result

LIVE = frozenset({"copying", "delivered", "blocked"})
OPERATOR = "operator"


class AuditRequest(BaseModel):
    """The request file of an audit run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema")
    run_id: str
    ftp_host: str
    repair: bool = False

    def write_json(self) -> str:
        """Return the file's content."""
        return self.model_dump_json(by_alias=True)


class Finding(Result):
    """Something that is wrong, on a host or between a host and its rows."""

    kind: str
    subject: str
    detail: str
    repair: Literal["safe", "manual"] = "manual"
    repaired: bool = False


class HostShare(Result):
    """A manifest of an FTP host."""

    id: str
    generation: int
    state: str
    ftpuser: str
    source: str
    origin: str = "created"
    managed_by: str = "service"
    path: str | None = None
    source_root: str | None = None
    ssh_user: str = "lanotadm"
    ssh_key_file: str | None = None
    size_probe: str = "rsync"
    local: bool = False
    method: str = "auto"
    reuse: bool = False
    checksums: bool = False
    lifetime_days: int
    writable: bool = False
    created_at: datetime | None = None
    ready_at: datetime | None = None
    expires: datetime | None = None
    bytes_total: int | None = None
    files_total: int | None = None

    @field_validator("created_at", mode="before")
    @classmethod
    def _take_unknown(cls, value: object) -> object:
        return value or None  # a manifest of an older release does not have it

    @property
    def live(self) -> bool:
        """Whether it is copied or delivered, and is not removed now."""
        return self.state in LIVE


class HostTombstone(Result):
    """What an FTP host still knows of a share that has ended."""

    id: str
    generation: int
    ended_at: datetime | None = None
    ftpuser: str | None = None
    reason: str | None = None
    managed_by: str | None = None


class HostAccount(Result):
    """An account of an FTP host."""

    name: str
    origin: Literal["created", "adopted"] | None = None
    state: Literal["present", "blocked", "absent"]
    password_generation: int = 0
    password_digest: str | None = None


class HostFacts(Result):
    """The state of an FTP host; `accounts` None: its users table could not be read.

    Operators deliver shares without the service too. No row belongs to these, so they are kept apart: rows are compared
    with the service's shares only. A share of a host that does not say whose it is counts as the service's.
    """

    time: datetime
    shares: list[HostShare] = Field(default_factory=list)
    tombstones: list[HostTombstone] = Field(default_factory=list)
    accounts: list[HostAccount] | None = None
    damaged: list[str] = Field(default_factory=list)

    @cached_property
    def live(self) -> dict[str, HostShare]:
        """The live shares of the service by id."""
        return {name: share for name, share in self._all_live.items() if share.managed_by != OPERATOR}

    @cached_property
    def live_of_operators(self) -> dict[str, HostShare]:
        """The live shares of operators by id."""
        return {name: share for name, share in self._all_live.items() if share.managed_by == OPERATOR}

    @cached_property
    def _all_live(self) -> dict[str, HostShare]:
        """The live shares by id. A share with a tombstone of the same generation has ended."""
        ends = {end.id: end.generation for end in self.tombstones}
        return {
            share.id: share
            for share in self.shares
            if share.live and share.generation > ends.get(share.id, 0)
        }

    @cached_property
    def ended(self) -> dict[str, HostTombstone]:
        """The shares of the service that have ended, or are removed now, by id."""
        return {name: end for name, end in self.all_ended.items() if end.managed_by != OPERATOR}

    @cached_property
    def all_ended(self) -> dict[str, HostTombstone]:
        """The shares that have ended, or are removed now, by id, also those of operators."""
        ended = {end.id: end for end in self.tombstones if end.id not in self._all_live}
        for share in self.shares:
            known = ended.get(share.id)
            if not share.live and (known is None or known.generation < share.generation):
                ended[share.id] = HostTombstone(
                    id=share.id,
                    generation=share.generation,
                    ftpuser=share.ftpuser,
                    managed_by=share.managed_by,
                )
        return ended

    @cached_property
    def generations(self) -> dict[str, int]:
        """The newest generation that the host knows of each id of the service."""
        known: dict[str, int] = {}
        entries: list[HostShare | HostTombstone] = [*self.shares, *self.tombstones]
        for entry in entries:
            if entry.managed_by != OPERATOR:
                known[entry.id] = max(known.get(entry.id, 0), entry.generation)
        return known

    @cached_property
    def damaged_shares(self) -> frozenset[str]:
        """The ids of which the manifest cannot be read: the host says nothing about them."""
        names = (name.removeprefix("shares/") for name in self.damaged if name.startswith("shares/"))
        return frozenset(name.removesuffix(".json") for name in names)


class AuditOutcome(Result):
    """The whole outcome file of an audit run."""

    schema_version: Literal[1] = Field(alias="schema")
    run_id: str
    findings: list[Finding] = Field(default_factory=list)
    failures: list[str] = Field(default_factory=list)
    facts: HostFacts
