# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One execution of ``tempoftp_share``: takes options and returns results. It does not use AnsibleModule."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from .._copy.bind import SweptBinds, list_binds, sweep_binds
from .._host.errors import InvalidValueError, Refused, RootMissingError, TempoftpError
from .._host.facts import read_host
from .._host.grace import read_grace, read_trash_hours
from .._host.tree import Tree, hold_tree, open_tree
from .._host.units import Units
from .batch import Batch
from .desired import DesiredShare, Site, build_desired, check_bwlimit
from .result import build_refusal
from .trash import count_kept

Item = Union["Mapping[str, Any]", Refused]


def read_site(params: Mapping[str, Any], check_mode: bool) -> Site:
    """Return what applies to every share; user and group names are looked up on this host."""
    for name in ("max_copies", "wait_timeout", "reserve_bytes", "reserve_inodes"):
        if params[name] < (1 if name == "max_copies" else 0):
            raise InvalidValueError(f"{name} {params[name]} is refused: it is too small")
    owner, group = params["owner"], params["group"]
    return Site(
        owner=owner,
        group=group,
        uid=_require_id(_read_uid(owner), "user", owner),
        gid=_require_id(_read_gid(group), "group", group),
        writable_uid=_read_uid(group),
        reserve_bytes=params["reserve_bytes"],
        reserve_inodes=params["reserve_inodes"],
        max_copies=params["max_copies"],
        bwlimit=check_bwlimit(params["bwlimit"]),
        wait=params["wait"],
        wait_timeout=float(params["wait_timeout"]),
        check_mode=check_mode,
        grace_seconds=read_grace(),
        trash_hours=read_trash_hours(),
    )


def run_shares(
    items: Sequence[Item],
    params: Mapping[str, Any],
    check_mode: bool = False,
    units: Optional[Units] = None,
) -> dict[str, Any]:
    """Bring every share nearer to what is wanted; return ``changed``, ``shares``, ``host`` and ``diff``.

    TempoftpError only when the host itself cannot be used. An error of one share is in the result of that share.
    """
    try:
        tree = open_tree(params["root"])
    except RootMissingError as error:
        return _refuse_all(items, params["root"], error)
    site = read_site(params, check_mode)
    desired_shares: list[DesiredShare] = []
    results: list[Optional[dict[str, Any]]] = []
    for item in items:
        try:
            desired_shares.append(_read_desired(item, site, desired_shares))
            results.append(None)
        except TempoftpError as error:
            results.append(build_refusal(_read_id(item), error))
    batch = Batch(tree, desired_shares, site, units or Units())
    batch_results = batch.run()
    diff = batch.build_diffs(batch_results)
    mounts = SweptBinds() if check_mode else _remount(tree)
    remaining = iter(batch_results)
    shares = [next(remaining) if result is None else result for result in results]
    return {
        "changed": any(share["changed"] for share in shares) or bool(mounts.changed),
        "shares": shares,
        "host": {
            **read_host(tree.root, batch.copies_running),
            "trash": dict(zip(("shares", "bytes"), count_kept(tree, site.trash_hours))),
            "mount_problems": list(mounts.problems),
        },
        "diff": diff,
    }


def _refuse_all(items: Sequence[Item], root: str, error: RootMissingError) -> dict[str, Any]:
    """Return the same error for every share, so that each keeps its state and is tried again."""
    return {
        "changed": False,
        "shares": [build_refusal(_read_id(item), error) for item in items],
        "host": {**read_host(Path(root), 0), "trash": {"shares": 0, "bytes": 0}, "mount_problems": []},
        "diff": [],
    }


def _read_id(item: Item) -> Any:
    return item.name if isinstance(item, Refused) else item.get("id")


def _remount(tree: Tree) -> SweptBinds:
    """Repair the mounts of all shares, also of those that this execution does not name."""
    if not list_binds(tree):
        return SweptBinds()
    with hold_tree(tree):
        return sweep_binds(tree)


def _read_desired(item: Item, site: Site, earlier: Sequence[DesiredShare]) -> DesiredShare:
    if isinstance(item, Refused):
        raise item.error
    desired = build_desired(item, site)
    if any(desired.id == other.id for other in earlier):
        raise InvalidValueError(f"share {desired.id} stands twice in one list: give each id once")
    return desired


def _require_id(number: Optional[int], kind: str, name: str) -> int:
    if number is None:
        raise InvalidValueError(f"there is no {kind} {name!r} on this host: run the role ftp_server first")
    return number


def _read_uid(name: str) -> Optional[int]:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _read_gid(name: str) -> Optional[int]:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
