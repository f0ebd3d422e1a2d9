# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the audit: what one look at an FTP host saw, the rows it is compared with, and the findings."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union

from .._account.desired import AccountSite
from .._account.users_table import UserRow
from .._record.accounts import Account
from .._record.manifest import Manifest
from .._record.tombstones import Tombstone
from .._sweep.plan import Library

ACCESS_LIST_DETAIL = "has an access list (getfacl), by which others may read it, or the account may not"


class StateFiles(NamedTuple):
    """The content of the files under the state directory. ``damaged``: names of those that cannot be read."""

    shares: tuple[Manifest, ...]
    tombstones: tuple[Tombstone, ...]
    records: tuple[Account, ...]
    damaged: tuple[str, ...]


class Place(NamedTuple):
    """The facts of a path; links are not followed. ``kind``: directory, file, link, other; ``mounted``: a mount.

    ``listed``: it has an access list (setfacl).
    """

    kind: str
    inode: int = 0
    uid: int = 0
    gid: int = 0
    mode: int = 0
    mounted: bool = False
    listed: bool = False


class Home(NamedTuple):
    """A folder directly below the root. ``entries``: its content; None when it was not read."""

    name: str
    place: Place
    entries: Optional[dict[str, Place]] = None


class Staged(NamedTuple):
    """An entry of the staging folder."""

    name: str
    place: Place


class OpenSession(NamedTuple):
    """An open FTP session: its process and its account."""

    pid: int
    account: str


class IrregularEntry(NamedTuple):
    """An entry inside a share whose owner, mode or access list is not as it was delivered. The deep look finds it."""

    share_id: str
    path: str
    detail: str


class World(NamedTuple):
    """Everything that one look at a host saw, and the site's values by which accounts are planned.

    ``rows`` and ``sessions`` are None when they could not be read; ``problems`` says why. ``site`` is None with them.
    ``trash`` has names below the trash, ``mounts`` absolute paths; ``units`` has names without ``.service``.
    ``in_grace``: accounts whose open transfers may still finish after the end of their share.
    """

    now: float
    root: str
    # The time by which data may go; None: ``now``, by which access ends.
    confirmed: Optional[float] = None
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
    """One share as the caller expects it, for example from the service's database. ``expires``: ISO 8601 UTC."""

    id: str
    generation: int
    state: str
    ftpuser: str = ""
    expires: Optional[str] = None


class Finding(NamedTuple):
    """An inconsistency. ``repair``: a ``safe`` one is repaired by ``repair: true``, a ``manual`` one is only listed."""

    kind: str
    subject: str
    detail: str
    repair: str = "manual"
    repaired: bool = False


def list_own_names(seen: Union[StateFiles, World]) -> frozenset[str]:
    """Return the accounts that tempoftp created, as far as the files of this host record them."""
    adopted = list_adopted_names(seen)
    names = {share.ftpuser for share in seen.shares} | {record.name for record in seen.records}
    names.update(end.ftpuser for end in seen.tombstones if end.ftpuser)
    return frozenset(names - adopted)


def list_adopted_names(seen: Union[StateFiles, World]) -> frozenset[str]:
    """Return the accounts that tempoftp did not create and that have or had shares."""
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
