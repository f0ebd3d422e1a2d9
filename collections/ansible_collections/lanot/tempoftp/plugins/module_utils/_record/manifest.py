# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: what an FTP host knows of each share, in one file a share.

Every function takes a ``Tree``. Callers that write hold the host's lock (``_host.tree.hold_tree``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._host.errors import InvalidValueError, TempoftpError
from .._host.files import (
    SCHEMA,
    build_damaged,
    check_schema,
    delete_file,
    is_generation,
    list_names,
    read_json,
    write_json,
)
from .._host.names import parse_ftpuser, parse_id
from .._host.times import DAY, add_days, format_time
from .._host.tree import Tree
from .facts import fill_facts, parse_facts

ARRIVED_STATES = ("delivered", "blocked")
LIVE_STATES = ("copying", *ARRIVED_STATES)
MANIFEST_STATES = (*LIVE_STATES, "absent")
ORIGINS = ("created", "adopted")
SERVICE, OPERATOR = "service", "operator"
MANAGERS = (SERVICE, OPERATOR)
DELETED, EXPIRED = "deleted", "expired"
REASONS = (DELETED, EXPIRED)
_OWNER = re.compile(r'"ftpuser"\s*:\s*"([^"]*)"')


class Manifest(NamedTuple):
    """One share as the FTP host knows it. Times are ISO 8601 UTC with ``Z``, ``durations`` are in seconds.

    ``state`` ``absent`` means: being taken away; once it is, a tombstone stands instead of the manifest.
    ``origin`` says who made the home: ``created`` by tempoftp, or ``adopted`` (it was there before).
    ``managed_by`` says who asked for the share and may change it: the ``service``, or an ``operator`` without it.
    Manifests of older releases do not say it: they count as the service's, which reports the shares that it does not
    know.
    ``hidden``: it is kept out of the home; a share that is ``blocked`` is, and one on its way may be.
    ``copy_generation``: the wish for which the data is or was copied, since a later one may change only how long
    the share lives and whether it is seen; 0 is ``generation``. ``reason``: why it is ``absent``.
    """

    id: str
    generation: int
    ftpuser: str
    source: str
    origin: str = "created"
    managed_by: str = SERVICE
    source_root: Optional[str] = None
    ssh_user: str = "lanotadm"
    ssh_key_file: Optional[str] = None
    ssh_config_file: Optional[str] = None
    ssh_known_hosts_file: Optional[str] = None
    size_probe: str = "rsync"
    method: str = "auto"
    local: bool = False
    reuse: bool = False
    checksums: bool = False
    lifetime_days: int = 10
    writable: bool = False
    owner: str = "root"
    group: str = "pureftpd"
    uid: int = 0
    gid: int = 0
    state: str = "copying"
    hidden: bool = False
    copy_generation: int = 0
    reason: Optional[str] = None
    path: str = ""
    bytes_total: Optional[int] = None
    files_total: Optional[int] = None
    created_at: str = ""
    delivered_at: Optional[str] = None
    ready_at: Optional[str] = None
    expires: Optional[str] = None
    boot_id: str = ""
    skipped: tuple[str, ...] = ()
    skipped_total: int = 0
    reserve_bytes: int = 0
    reserve_inodes: int = 0
    bwlimit: Optional[str] = None
    durations: dict[str, float] = {}  # never changed in place
    facts: dict[str, str] = {}  # never changed in place

    @property
    def live(self) -> bool:
        """Whether the share is wanted: on its way, delivered or blocked."""
        return self.state in LIVE_STATES

    @property
    def arrived(self) -> bool:
        """Whether the whole data is here, seen by the recipient or not."""
        return self.state in ARRIVED_STATES

    @property
    def copied_for(self) -> int:
        """The generation for which the data is copied, which its status bears."""
        return self.copy_generation or self.generation

    @property
    def promised(self) -> Optional[str]:
        """The end that ``ready_at`` and ``lifetime_days`` make, None before the share is ready."""
        return None if self.ready_at is None else add_days(self.ready_at, self.lifetime_days)

    @property
    def ends_at(self) -> Optional[str]:
        """When the share is over. An extension counts as soon as it is written down here: until the account has
        been confirmed with it, the later of both ends holds, so that nothing is deleted that was just extended."""
        ends = [end for end in (self.expires, self.promised) if end is not None]
        return max(ends) if self.expires is not None else None

    def is_over(self, now: float) -> bool:
        """Whether the share's time is up. *now*: seconds since the epoch, never earlier than once seen."""
        return self.ends_at is not None and self.ends_at <= format_time(now)

    def is_from_future(self, now: float) -> bool:
        """Whether the share became ready more than a day after *now*: a clock that was wrong has set its times."""
        return self.ready_at is not None and self.ready_at > format_time(now + DAY)


def read_manifest(tree: Tree, share_id: str) -> Optional[Manifest]:
    """Return the manifest of a share, or None; raise TempoftpError when it is damaged."""
    path = tree.manifest(share_id)
    content = read_json(path)
    return None if content is None else parse_manifest(content, share_id, path)


def write_manifest(tree: Tree, manifest: Manifest) -> None:
    """Write a manifest so that after a crash either the old or the new one is there, whole."""
    write_json(tree.manifest(manifest.id), dump_manifest(manifest))


def dump_manifest(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as it is written."""
    content = manifest._asdict()
    facts = fill_facts(content.pop("facts"))
    return {"schema": SCHEMA, **content, **facts}


def delete_manifest(tree: Tree, share_id: str) -> None:
    """Remove a manifest; one that is gone already is fine."""
    delete_file(tree.manifest(share_id))


def list_manifests(tree: Tree) -> tuple[list[Manifest], list[str]]:
    """Return all readable manifests, and the names of damaged files: one of them must not stop the others."""
    manifests: list[Manifest] = []
    damaged: list[str] = []
    for name in list_names(tree.manifest("x").parent):
        share_id = name[: -len(".json")]
        try:
            manifest = read_manifest(tree, parse_id(share_id))
        except TempoftpError:
            damaged.append(name)
            continue
        if manifest is not None:
            manifests.append(manifest)
    return manifests, damaged


def list_account_manifests(tree: Tree, ftpuser: str) -> list[Manifest]:
    """Return the live manifests of one account."""
    return [manifest for manifest in list_manifests(tree)[0] if manifest.live and manifest.ftpuser == ftpuser]


def may_belong(tree: Tree, damaged: str, ftpuser: str) -> bool:
    """Whether the share of a damaged manifest may be one of this account's.

    What is left of the text may say whose it is; else what it names may stand somewhere.
    """
    path = tree.manifest("x").with_name(damaged)
    share_id = damaged[: -len(".json")]
    try:
        owners = _OWNER.findall(path.read_text(encoding="utf-8", errors="replace"))
        parse_id(share_id)
    except InvalidValueError:
        return False
    except OSError:
        owners = []
    if owners:
        return ftpuser in owners
    places = (tree.destination(ftpuser, share_id), tree.held(share_id), tree.staging(share_id))
    return any(os.path.lexists(place) for place in places)


def parse_manifest(content: dict[str, Any], share_id: str, path: Path) -> Manifest:
    """Check what was read against the schema. Unknown keys are ignored: a newer release may write them."""
    check_schema(content, path)
    values = {key: content[key] for key in Manifest._fields if key in content}
    values["facts"] = parse_facts(content)
    skipped = values.get("skipped", ())
    try:
        manifest = Manifest(**{**values, "skipped": tuple(skipped)})
        wrong = [key for key, value in manifest._asdict().items() if not _fits(key, value)]
        parse_ftpuser(manifest.ftpuser)
    except (TypeError, InvalidValueError):
        raise build_damaged(path) from None
    if wrong or manifest.id != share_id or not is_generation(manifest.generation):
        raise build_damaged(path)
    words = (
        (manifest.state, MANIFEST_STATES),
        (manifest.origin, ORIGINS),
        (manifest.managed_by, MANAGERS),
    )
    if any(word not in known for word, known in words):
        raise build_damaged(path)
    return manifest


_REQUIRED = frozenset({"id", "ftpuser", "source"})
_COUNTED_LATER = frozenset({"bytes_total", "files_total"})


def _fits(key: str, value: Any) -> bool:
    """Whether a value has the type of its field, as the default shows it."""
    default = Manifest._field_defaults.get(key)
    if key in _COUNTED_LATER and value is None:
        return True
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int) or key in _COUNTED_LATER or key == "generation":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if key == "facts":
        return True  # read by parse_facts
    if key == "skipped":
        return all(isinstance(line, str) for line in value)
    if key == "durations":
        return isinstance(value, dict) and all(
            isinstance(seconds, (int, float)) for seconds in value.values()
        )
    if default is None and key not in _REQUIRED and value is None:
        return True
    return isinstance(value, str)
