# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a caller may request of an account, and which values no account may have. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from .._host.errors import AccountConflictError, InvalidValueError
from .._host.names import parse_ftpuser
from .._host.times import require_time
from .users_table import UserRow

STATES = ("present", "absent", "blocked")
# Only the sweep (_sweep/run.py) requests this state: the account follows the shares that are left.
SWEPT = "swept"
ALWAYS = "always"
DEFAULT_HOMES = "/data"
# Narrower than the names that may be adopted: lower case only, so that the collation confuses no two new names.
NEW_NAME_PATTERN = r"[a-z][a-z0-9_]{0,31}"


class DesiredAccount(NamedTuple):
    """What the caller requests for one account. With None, a value of an existing row is not changed.

    ``adopt``: an account that tempoftp did not create may be used for shares, since its owner is known.
    ``password_generation`` counts the passwords that were requested for the account.
    """

    name: str
    state: str = "present"
    password_hash: Optional[str] = None
    password: Optional[str] = None
    update_password: str = "on_create"  # noqa: S105 - a policy
    uid: Optional[int] = None
    gid: Optional[int] = None
    home: Optional[str] = None
    expires: Optional[str] = None
    end_sessions: bool = True
    adopt: bool = False
    password_generation: Optional[int] = None


class AccountSite(NamedTuple):
    """The values that all accounts of an execution share. Widths are in characters.

    ``now``: the time by which access ends, ``confirmed``: the time by which data may go (None: the same), in seconds
    since the epoch. ``clock_problem``: why the clock is in doubt and ahead; empty when it is not. ``argon2``: whether
    pure-ftpd can read such hashes.
    """

    now: float
    confirmed: Optional[float] = None
    clock_problem: str = ""
    shares_root: Optional[str] = None
    default_uid: int = 2001
    default_gid: int = 2001
    min_uid: int = 1000
    has_expires: bool = False
    mysql_crypt: Optional[str] = None
    mysql_conf: str = "the pure-ftpd MySQL configuration"
    argon2: bool = True
    name_width: int = 64
    password_width: int = 64
    home_width: int = 255


def check_desired(desired: DesiredAccount, site: AccountSite) -> None:
    """Raise InvalidValueError for values that no account may have."""
    parse_ftpuser(desired.name)
    if desired.state not in (*STATES, SWEPT):
        raise InvalidValueError(f"state {desired.state!r} is refused: one of {', '.join(STATES)}")
    if desired.password is not None and desired.password_hash is not None:
        raise InvalidValueError(f"account {desired.name}: give password or password_hash, not both")
    if desired.password_generation is not None and desired.password_generation < 0:
        raise InvalidValueError(
            f"account {desired.name}: password_generation {desired.password_generation} is refused: it counts from 0"
        )
    for field, value in (("uid", desired.uid), ("gid", desired.gid)):
        if value is not None and not site.min_uid <= value < 2**31:
            raise InvalidValueError(
                f"account {desired.name}: {field} {value} is refused: below min_uid {site.min_uid} is the system's"
            )
    if desired.home is not None:
        _check_home(desired.home, desired.name, site)
    if desired.expires is not None:
        if site.shares_root is not None:
            raise InvalidValueError(
                f"account {desired.name}: expires is refused with shares_root: it comes from the account's shares"
            )
        if not site.has_expires and desired.state == "present":
            raise InvalidValueError(
                f"account {desired.name}: the users table has no Expires column: add it, or leave expires out"
            )
        require_time(desired.expires, canonical=True)


def build_home(name: str, site: AccountSite) -> str:
    """Return the home of an account: below ``shares_root`` no other is allowed, else it is the default."""
    return f"{(site.shares_root or DEFAULT_HOMES).rstrip('/')}/{name}"


def check_new_name(name: str) -> None:
    """Raise InvalidValueError unless an account of this name may be created."""
    if not re.fullmatch(NEW_NAME_PATTERN, name):
        raise InvalidValueError(
            f"account name {name!r} is refused: a new one must match ^{NEW_NAME_PATTERN}$"
        )


def _check_home(home: str, name: str, site: AccountSite) -> None:
    if site.shares_root is not None and home != build_home(name, site):
        raise InvalidValueError(
            f"account {name}: home {home!r} is refused: with shares_root it must be {build_home(name, site)}"
        )
    # A home has a parent below / and ends in the account's name. So it is never /, a system directory or the home of
    # another account.
    parts = home.split("/")
    if len(parts) < 3 or parts[0] or parts[-1] != name or any(part in ("", ".", "..") for part in parts[1:]):
        raise InvalidValueError(
            f"account {name}: home {home!r} is refused: it must be absolute, normal and end in /<folder>/{name}"
        )


def check_row(row: UserRow, site: AccountSite) -> None:
    """Raise TempoftpError for a row that grants more than access to a share: it is neither written nor confirmed."""
    try:
        _check_home(row.home, row.name, site)
    except InvalidValueError as error:
        raise AccountConflictError(error.message) from None
    for field, value in (("uid", row.uid), ("gid", row.gid)):
        if value < site.min_uid:
            raise AccountConflictError(
                f"account {row.name} has {field} {value}, less than min_uid {site.min_uid}: change it by hand"
            )
    for field, width in (("name", site.name_width), ("home", site.home_width)):
        if len(getattr(row, field)) > width:
            raise InvalidValueError(
                f"account {row.name}: its {field} is longer than the column's {width} characters"
            )
