"""The request file of a run (steps 5 and 6): its items are the modules' list options, key for key.

`tests/contract/` compares the keys with the modules' argument specs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tempoftp.accounts.accounts import is_rotating, needs_new_password
from tempoftp.db.clock import write_time
from tempoftp.db.models import Account, Share
from tempoftp.downloads.counts import FILES_LIMIT, TransfersRequest
from tempoftp.shares.desired_state import DesiredState, read_desired_state
from tempoftp.shares.fields import Requested
from tempoftp.shares.sources import Method
from tempoftp.states import DELIVERED, ON_ITS_WAY

SCHEMA = 1
_DERIVED = frozenset({"state", "require_existing", "adopt", "restore", "managed_by"})


class RequestPart(BaseModel):
    """Base of the request file's parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ShareItem(Requested, RequestPart):
    """An item of `tempoftp_share`'s option `shares`."""

    id: str
    generation: int
    state: Literal["present", "blocked", "absent"]
    require_existing: bool = False
    ftpuser: str
    source: str
    source_root: str | None
    ssh_user: str
    ssh_key_file: str | None
    size_probe: Literal["rsync", "du"]
    local: bool = False
    method: Method = "auto"
    reuse: bool = False
    checksums: bool = False
    writable: bool
    adopt: bool = False
    restore: bool = False
    managed_by: Literal["service"] = "service"


class UserItem(RequestPart):
    """An item of `tempoftp_ftpuser`'s option `users`."""

    name: str
    state: Literal["present", "blocked", "absent"]
    password_hash: str | None = Field(repr=False)
    password_generation: int | None = None
    update_password: Literal["on_create", "always"] | None = None
    end_sessions: bool
    adopt: bool = False


class TransfersItem(RequestPart):
    """Options of `tempoftp_transfers_info`. `since` is ISO 8601 UTC by the FTP host's clock."""

    since: str | None
    files_limit: int


class RunRequest(RequestPart):
    """The whole request file. `wait_timeout` is in seconds."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema")
    run_id: str
    ftp_host: str
    wait_timeout: int
    shares: list[ShareItem] = Field(default_factory=list)
    users: list[UserItem] = Field(default_factory=list)
    transfers: TransfersItem | None = None
    """Only when downloads are to be counted."""
    requests: tuple[str, ...] = Field(default=(), exclude=True)
    """`X-Request-ID` of the requests behind it, for log lines; not in the file."""

    def write_json(self) -> str:
        """Return the file's content. Unset values are left out: the modules then take their defaults."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def build_share_item(share: Share, account: Account) -> ShareItem:
    """Return what is wanted of a share. One that was delivered is never begun anew behind its requester's back."""
    values = {name: getattr(share, name) for name in ShareItem.model_fields if name not in _DERIVED}
    values["source_root"] = share.source_root or None
    return ShareItem.model_validate(
        values
        | {
            "state": read_desired_state(share, account).value,
            "require_existing": share.state in DELIVERED,
            "adopt": account.adopt,
            # A new request wants the present data of its source, not what an ended share has left in the trash.
            "restore": share.restorable_until is not None and share.state in ON_ITS_WAY,
        }
    )


def build_user_item(
    account: Account, *, wanted: bool, end_sessions: bool = False, shut: bool = False
) -> UserItem:
    """Return what is wanted of an account; with `shut` it is blocked whatever its shares are."""
    if not wanted:
        return UserItem(
            name=account.name,
            state="absent",
            password_hash=None,
            end_sessions=True,
            adopt=account.adopt,
        )
    return UserItem(
        name=account.name,
        state="blocked" if shut else "present",
        password_hash=account.password_hash,
        password_generation=account.password_generation,
        update_password="always" if needs_new_password(account) else None,
        end_sessions=end_sessions,
        adopt=account.adopt,
    )


def find_shut(shares: Iterable[Share], accounts: Mapping[str, Account]) -> set[str]:
    """Return the blocked accounts of which a share could not be hidden at the first try: the login waits for none.

    Else the FTP host blocks the login by itself once all of the account's shares are hidden. That is better, since a
    run that comes late cannot undo it: shares have generations, which the login itself has not.
    """
    return {
        share.ftpuser
        for share in shares
        if share.attempt
        and accounts[share.ftpuser].blocked
        and accounts[share.ftpuser].exists_since is not None
    }


def find_session_enders(shares: Iterable[Share], accounts: Mapping[str, Account]) -> set[str]:
    """Return the accounts whose open sessions have to end: some of what they reach is to be out of reach, or was opened
    with a password that is not to work any more."""
    return {
        share.ftpuser
        for share in shares
        if is_rotating(accounts[share.ftpuser])
        or (
            read_desired_state(share, accounts[share.ftpuser]) is not DesiredState.PRESENT
            and share.confirmed_generation < share.generation
        )
    }


def build_request(
    run_id: str,
    ftp_host: str,
    wait_timeout: float,
    shares: Iterable[Share],
    accounts: Iterable[tuple[Account, bool]],
    transfers: TransfersRequest | None = None,
) -> RunRequest:
    """Return the request of a run; `accounts` come with whether they are still wanted."""
    shares, accounts = list(shares), list(accounts)
    by_name = {account.name: account for account, _wanted in accounts}
    enders, shut = find_session_enders(shares, by_name), find_shut(shares, by_name)
    return RunRequest(
        run_id=run_id,
        ftp_host=ftp_host,
        wait_timeout=math.ceil(wait_timeout),  # the module takes whole seconds
        shares=[build_share_item(share, by_name[share.ftpuser]) for share in shares],
        users=[
            build_user_item(
                account,
                wanted=wanted,
                end_sessions=account.name in enders,
                shut=account.name in shut,
            )
            for account, wanted in accounts
        ],
        transfers=build_transfers_item(transfers) if transfers is not None else None,
        requests=tuple(sorted({share.request_id for share in shares})),
    )


def build_transfers_item(desired: TransfersRequest) -> TransfersItem:
    """Return what is asked about downloads."""
    return TransfersItem(since=write_time(desired.since), files_limit=FILES_LIMIT)
