# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired state of a share, and what applies to every share of one execution. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from .._copy.source import check_source
from .._copy.ssh import resolve_source
from .._host.errors import InvalidValueError
from .._host.names import parse_ftpuser, parse_id
from .._record.manifest import MANAGERS, OPERATOR, Manifest

STATES = ("present", "absent", "blocked")
# Only the sweep uses this state: end the share if its time is up, else change nothing.
ABSENT_IF_EXPIRED = "absent_if_expired"
_BWLIMIT = re.compile(r"[0-9]+(?:\.[0-9]+)?[KMG]?", re.IGNORECASE)
# Options of a request that are not part of the manifest.
_NOT_KEPT = ("state", "generation", "require_existing", "adopt", "restore", "managed_by", "take_over")
# Options that may change within one generation: how the source is reached, not what is shared and with whom.
_CONNECTION = (
    *("ssh_key_file", "ssh_config_file", "ssh_known_hosts_file", "size_probe"),
    *("method", "reuse"),
)


class DesiredShare(NamedTuple):
    """What a caller wants of one share. ``generation`` None: that of the manifest, or one more than the tombstone's.

    ``require_existing``: only change a live share, never start a new one. ``adopt``: the home may be one that was there
    before tempoftp, since an operator confirmed whose it is. ``restore``: data of this share that still waits in the
    trash is used instead of a new copy. ``managed_by`` None: whoever manages the share already; a new share is an
    operator's, since the service always says that it is its own. ``take_over``: a share that the other one manages
    becomes ``managed_by``'s.
    """

    id: str
    state: str = "present"
    generation: Optional[int] = None
    require_existing: bool = False
    adopt: bool = False
    restore: bool = True
    managed_by: Optional[str] = None
    take_over: bool = False
    ftpuser: str = ""
    source: str = ""
    source_root: Optional[str] = None
    ssh_user: str = "lanotadm"
    ssh_key_file: Optional[str] = None
    ssh_config_file: Optional[str] = None
    ssh_known_hosts_file: Optional[str] = None
    size_probe: str = "rsync"
    lifetime_days: int = 10
    writable: bool = False
    method: str = "auto"
    local: bool = False
    reuse: bool = False
    checksums: bool = False

    @property
    def wanted(self) -> bool:
        """Whether the share should be on this host, blocked or not."""
        return self.state in ("present", "blocked")

    @property
    def hidden(self) -> bool:
        """Whether the share should be kept out of the home."""
        return self.state == "blocked"


# The options of one share, as they stand in an item of ``shares`` and in a request file.
SHARE_OPTIONS = DesiredShare._fields


class Site(NamedTuple):
    """What applies to every share of one execution. ``writable_uid`` None: this host cannot have writable shares."""

    owner: str = "root"
    group: str = "pureftpd"
    uid: int = 0
    gid: int = 0
    writable_uid: Optional[int] = None
    reserve_bytes: int = 0
    reserve_inodes: int = 0
    max_copies: int = 4
    bwlimit: Optional[str] = None
    wait: bool = True
    wait_timeout: float = 3600.0
    check_mode: bool = False
    # Seconds that a running transfer may go on when the time of its share is up.
    grace_seconds: float = 0.0
    # Hours for which the data of an ended share waits in the trash.
    trash_hours: float = 0.0
    # Whether this execution ends sessions; else the caller does that afterwards.
    evicts: bool = True


def build_desired(values: Mapping[str, Any], site: Site) -> DesiredShare:
    """Check the options of one share; raise InvalidValueError for the first that is not valid."""
    given = {key: values[key] for key in SHARE_OPTIONS if values.get(key) is not None}
    if "id" not in given:
        raise InvalidValueError("a share without an id is refused: give it one")
    desired = DesiredShare(**given)
    parse_id(desired.id)
    if desired.state not in STATES:
        raise InvalidValueError(f"state {desired.state!r} is refused: it is one of {', '.join(STATES)}")
    if desired.managed_by is not None and desired.managed_by not in MANAGERS:
        raise InvalidValueError(
            f"managed_by {desired.managed_by!r} is refused: it is one of {', '.join(MANAGERS)}"
        )
    if desired.generation is not None and desired.generation < 1:
        raise InvalidValueError(f"generation {desired.generation} is refused: generations count from 1")
    return _check_wanted(desired, site) if desired.wanted else desired


def _check_wanted(desired: DesiredShare, site: Site) -> DesiredShare:
    if not desired.ftpuser or not desired.source:
        raise InvalidValueError(f"share {desired.id}: state {desired.state} needs ftpuser and source")
    parse_ftpuser(desired.ftpuser)
    desired = desired._replace(source_root=check_source(desired))
    if desired.method == "bind" and (desired.writable or desired.checksums):
        raise InvalidValueError(
            f"share {desired.id}: a bind is the source itself, so it can be neither "
            "writable nor have checksums; use copy"
        )
    if desired.lifetime_days < 1:
        raise InvalidValueError(f"lifetime_days {desired.lifetime_days} is refused: at least one day")
    if desired.writable and site.writable_uid is None:
        raise InvalidValueError(
            f"a writable share needs a user {site.group!r} on this host: run the role ftp_server"
        )
    return desired


def check_bwlimit(value: Optional[str]) -> Optional[str]:
    """Return *value* when rsync takes it as a limit; raise InvalidValueError otherwise."""
    if value is not None and not _BWLIMIT.fullmatch(value):
        raise InvalidValueError(f"bwlimit {value!r} is refused: a number, with K, M or G behind it")
    return value


def differs(manifest: Manifest, desired: DesiredShare) -> bool:
    """Whether *desired* asks for other data or another account than the manifest of this generation says."""
    return (
        manifest.ftpuser != desired.ftpuser
        or resolve_source(manifest.source, manifest.ssh_user)
        != resolve_source(desired.source, desired.ssh_user)
        or manifest.source_root != desired.source_root
        or manifest.writable != desired.writable
        or manifest.local != desired.local
        or manifest.checksums != desired.checksums
        or (manifest.method == "bind") != (desired.method == "bind")
    )


def is_managed_elsewhere(manifest: Optional[Manifest], desired: DesiredShare) -> bool:
    """Whether a living share belongs to the other one of service and operator, and is not to be taken over."""
    if manifest is None or not manifest.live or desired.take_over:
        return False
    return desired.managed_by not in (None, manifest.managed_by)


def choose_manager(manifest: Optional[Manifest], desired: DesiredShare) -> str:
    """Return who manages the share once it is as *desired*."""
    before = OPERATOR if manifest is None else manifest.managed_by
    return desired.managed_by or before


def adjust_manifest(manifest: Manifest, desired: DesiredShare, generation: int) -> Manifest:
    """Return the manifest with what a later request may change without copying anything again."""
    state = manifest.state
    if manifest.arrived:
        state = "blocked" if desired.hidden else "delivered"
    return manifest._replace(
        generation=generation,
        copy_generation=manifest.copied_for,
        managed_by=choose_manager(manifest, desired),
        lifetime_days=desired.lifetime_days,
        hidden=desired.hidden,
        state=state,
    )


def build_manifest(
    desired: DesiredShare,
    site: Site,
    generation: int,
    path: str,
    origin: str,
    managed_by: str,
    now: str,
    boot_id: str,
) -> Manifest:
    """Return the manifest of a new share."""
    writable_uid = site.writable_uid if site.writable_uid is not None else site.uid
    values = {key: getattr(desired, key) for key in SHARE_OPTIONS if key not in _NOT_KEPT}
    return Manifest(
        **values,
        generation=generation,
        copy_generation=generation,
        hidden=desired.hidden,
        origin=origin,
        managed_by=managed_by,
        owner=site.group if desired.writable else site.owner,
        group=site.group,
        uid=writable_uid if desired.writable else site.uid,
        gid=site.gid,
        path=path,
        created_at=now,
        boot_id=boot_id,
        reserve_bytes=site.reserve_bytes,
        reserve_inodes=site.reserve_inodes,
        bwlimit=site.bwlimit,
    )


def refresh_manifest(manifest: Manifest, desired: DesiredShare, site: Site) -> Manifest:
    """Return the manifest with the options that may change within one generation, before a copy starts again."""
    changes = {key: getattr(desired, key) for key in _CONNECTION}
    changes.update(reserve_bytes=site.reserve_bytes, reserve_inodes=site.reserve_inodes, bwlimit=site.bwlimit)
    return manifest._replace(lifetime_days=desired.lifetime_days, **changes)
