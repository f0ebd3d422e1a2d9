# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look at an FTP host saw: manifests, accounts, folders, units, mounts, sessions. Values only."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from .._account.desired import AccountSite
from .._account.users_table import UserRow
from .._record.accounts import Account
from .._record.manifest import Manifest
from .._record.tombstones import Tombstone
from .._sweep.plan import Library


class StateFiles(NamedTuple):
    """What is read of the files under the state directory."""

    shares: tuple[Manifest, ...]
    tombstones: tuple[Tombstone, ...]
    records: tuple[Account, ...]
    damaged: tuple[str, ...]


class Place(NamedTuple):
    """What stands at a path, links not followed. ``kind``: directory, file, link, other; ``mounted``: a mount point."""

    kind: str
    inode: int = 0
    uid: int = 0
    gid: int = 0
    mode: int = 0
    mounted: bool = False


class Home(NamedTuple):
    """A folder right below the root. ``entries``: what stands in it; None when it was not looked into."""

    name: str
    place: Place
    entries: Optional[dict[str, Place]] = None


class Staged(NamedTuple):
    """What stands in staging under one name."""

    name: str
    place: Place


class OpenSession(NamedTuple):
    """An open FTP session: a process, and whom it serves."""

    pid: int
    account: str


class IrregularEntry(NamedTuple):
    """Something inside a share that is not as it was delivered: found by the deep look."""

    share_id: str
    path: str
    detail: str


class World(NamedTuple):
    """Everything that a look at one host saw, and the site's rules by which accounts are planned.

    ``rows`` and ``sessions`` None: nobody could be asked, and ``problems`` says why. ``site`` None with them.
    ``trash`` and ``mounts`` are names below the trash and absolute paths; ``units`` has no ``.service``. ``in_grace``:
    accounts whose open transfers still have the grace that an expiry gives them.
    """

    now: float
    root: str
    uid: int = 0
    gid: int = 0
    shares: tuple[Manifest, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    records: tuple[Account, ...] = ()
    damaged: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()
    folders: dict[str, Place] = {}  # never changed in place
    homes: tuple[Home, ...] = ()
    held: dict[str, Place] = {}  # never changed in place
    staged: tuple[Staged, ...] = ()
    trash: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()
    in_grace: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    mounts: tuple[str, ...] = ()
    rows: Optional[tuple[UserRow, ...]] = None
    lookalikes: tuple[str, ...] = ()
    sessions: Optional[tuple[OpenSession, ...]] = None
    site: Optional[AccountSite] = None
    irregular: tuple[IrregularEntry, ...] = ()
    problems: tuple[str, ...] = ()


class ExpectedRow(NamedTuple):
    """One share as somebody else's books have it, for example the service's database. ``expires``: ISO 8601 UTC."""

    id: str
    generation: int
    state: str
    ftpuser: str = ""
    expires: Optional[str] = None


class Finding(NamedTuple):
    """Something that is not as it should be. ``repair``: ``safe`` is done by ``repair: true``, ``manual`` is listed."""

    kind: str
    subject: str
    detail: str
    repair: str = "manual"
    repaired: bool = False


def list_own_names(seen: Union[StateFiles, World]) -> frozenset[str]:
    """Return the accounts that tempoftp made, as far as this host remembers."""
    adopted = list_adopted_names(seen)
    names = {share.ftpuser for share in seen.shares} | {record.name for record in seen.records}
    names.update(end.ftpuser for end in seen.tombstones if end.ftpuser)
    return frozenset(names - adopted)


def list_adopted_names(seen: Union[StateFiles, World]) -> frozenset[str]:
    """Return the accounts of others in which our shares stand, or stood."""
    recorded = {record.name for record in seen.records}
    adopted = {record.name for record in seen.records if record.origin == "adopted"}
    return frozenset(
        adopted
        | {
            share.ftpuser
            for share in seen.shares
            if share.origin == "adopted" and share.ftpuser not in recorded
        }
    )
