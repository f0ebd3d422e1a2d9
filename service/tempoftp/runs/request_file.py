"""The request file of a run (steps 5 and 6): its items are the modules' list options, key for key.

`tests/contract/` compares the keys with the modules' argument specs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tempoftp.shares.models import Account, Share
from tempoftp.shares.states import ENDING

SCHEMA = 1


class RequestPart(BaseModel):
    """Base of the request file's parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ShareItem(RequestPart):
    """An item of `tempoftp_share`'s option `shares`."""

    id: str
    generation: int
    state: Literal["present", "absent"]
    ftpuser: str
    source: str
    source_root: str
    ssh_user: str
    ssh_key_file: str | None
    size_probe: Literal["rsync", "du"]
    lifetime_days: int
    writable: bool


class UserItem(RequestPart):
    """An item of `tempoftp_ftpuser`'s option `users`."""

    name: str
    state: Literal["present", "absent"]
    password_hash: str | None = Field(repr=False)
    end_sessions: bool
    adopt: bool = False


class RunRequest(RequestPart):
    """The whole request file. `wait_timeout` is in seconds."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema")
    run_id: str
    ftp_host: str
    wait_timeout: int
    shares: list[ShareItem] = Field(default_factory=list)
    users: list[UserItem] = Field(default_factory=list)

    def write_json(self) -> str:
        """Return the file's content. Unset values are left out: the modules then take their defaults."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def build_share_item(share: Share) -> ShareItem:
    """Return what is wanted of a share."""
    return ShareItem.model_validate(
        {name: getattr(share, name) for name in ShareItem.model_fields if name != "state"}
        | {"state": "absent" if share.state in ENDING else "present"}
    )


def build_user_item(account: Account, *, wanted: bool) -> UserItem:
    """Return what is wanted of an account. One that goes takes its open sessions along."""
    return UserItem(
        name=account.name,
        state="present" if wanted else "absent",
        password_hash=account.password_hash if wanted else None,
        end_sessions=not wanted,
        adopt=account.adopt,
    )


def build_request(
    run_id: str,
    ftp_host: str,
    wait_timeout: float,
    shares: Iterable[Share],
    accounts: Iterable[tuple[Account, bool]],
) -> RunRequest:
    """Return the request of a run; `accounts` come with whether they are still wanted."""
    return RunRequest(
        run_id=run_id,
        ftp_host=ftp_host,
        wait_timeout=math.ceil(wait_timeout),  # the module takes whole seconds
        shares=[build_share_item(share) for share in shares],
        users=[build_user_item(account, wanted=wanted) for account, wanted in accounts],
    )
