# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One execution of ``tempoftp_source_info``: takes options, returns results, writes nothing. No AnsibleModule.

The host's lock is not held, so another copy may take the free space a moment later. A share reserves its room when it
is copied.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from .._host.errors import InvalidValueError, Refused, TempoftpError
from .._host.space import Disk, Need, check_space, estimate_need, read_disk
from .._host.times import format_now
from .._host.tree import Tree, open_tree
from . import ssh as _ssh
from .local import check_local_path
from .source import check_source
from .source_hosts import check_configured
from .source_probe import Measure, measure_source
from .staging import sum_held

# The options of one source, as they stand in an item of ``sources`` and in a request file.
SOURCE_OPTIONS = (
    *("source", "source_root", "ssh_user", "ssh_key_file", "ssh_config_file", "ssh_known_hosts_file"),
    *("size_probe", "method", "local"),
)
_POLL_SECONDS = 0.05


class SourceQuestion(NamedTuple):
    """The source to measure: the options of a share that say where its data is."""

    source: str
    source_root: Optional[str] = None
    ssh_user: str = "lanotadm"
    ssh_key_file: Optional[str] = None
    ssh_config_file: Optional[str] = None
    ssh_known_hosts_file: Optional[str] = None
    size_probe: str = "rsync"
    method: str = "auto"
    local: bool = False


class Room(NamedTuple):
    """What is free on this host, what running copies still need of it, and the reserve."""

    disk: Disk
    held: Need
    reserve: Need


Item = Union["Mapping[str, Any]", Refused]


def run_source_info(items: Sequence[Item], params: Mapping[str, Any]) -> dict[str, Any]:
    """Measure every source; return ``sources`` and ``host``.

    TempoftpError only when the host or an option for all sources is not valid. An error of one source is in its result.
    """
    for name, least in (("time_limit", 1), ("max_probes", 1), ("reserve_bytes", 0), ("reserve_inodes", 0)):
        if params[name] < least:
            raise InvalidValueError(f"{name} {params[name]} is refused: it is at least {least}")
    tree = open_tree(params["root"])
    reserve = Need(params["reserve_bytes"], params["reserve_inodes"])
    deadline = time.monotonic() + params["time_limit"]
    probes: int = params["max_probes"]

    def tell(item: Item) -> dict[str, Any]:
        try:
            desired = build_source_question(item)
            return build_result(desired, _measure(tree, desired, probes, deadline), read_room(tree, reserve))
        except TempoftpError as error:
            return build_refusal(item, error)
        except OSError as error:
            source = item.name if isinstance(item, Refused) else item.get("source")
            return build_refusal(item, TempoftpError(f"{source} could not be measured: {error}"))

    with ThreadPoolExecutor(max_workers=probes) as pool:
        results = list(pool.map(tell, items))
    return {"sources": results, "host": describe_room(read_room(tree, reserve))}


def build_source_question(item: Item) -> SourceQuestion:
    """Check the options of one source; raise TempoftpError for the first that is not valid."""
    if isinstance(item, Refused):
        raise item.error
    given = {key: item[key] for key in SOURCE_OPTIONS if item.get(key) is not None}
    if "source" not in given:
        raise InvalidValueError("a source is missing: write host:/path or user@host:/path")
    desired = SourceQuestion(**given)
    return desired._replace(source_root=check_source(desired))


def _measure(tree: Tree, desired: SourceQuestion, probes: int, deadline: float) -> Measure:
    access = _ssh.read_access(desired)
    if access.local:
        check_local_path(tree, access.source.path)
    else:
        check_configured(access)
    folder = Path(_ssh.SOCKET_DIRECTORY)
    with hold_slot(folder, probes, deadline) as held:
        if not held or time.monotonic() >= deadline:
            return Measure(complete=False)
        measure = measure_source(desired, access, deadline, folder, tree)
    if desired.method == "bind" and measure.unsafe_total:
        # The copier would refuse it with the same message.
        raise InvalidValueError(
            f"{desired.source} cannot be mounted, since a mount leaves nothing out and these must not be shared: "
            f"{', '.join(measure.skipped[:5])}; use copy"
        )
    return measure


@contextmanager
def hold_slot(folder: Path, count: int, deadline: float) -> Iterator[bool]:
    """Hold one of *count* slots for measurements on this host; gives False when none was free in time.

    All executions share the slots. The kernel frees the slot of a process that was killed.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for number in range(count):
            descriptor = os.open(
                folder / f"probe-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield True
            finally:
                os.close(descriptor)
            return
        if time.monotonic() >= deadline:
            yield False
            return
        time.sleep(_POLL_SECONDS)


def read_room(tree: Tree, reserve: Need) -> Room:
    """Read what is free now, and what the running copies still need of it."""
    held = sum_held(tree, "") if tree.staging("x").parent.is_dir() else Need(0, 0)
    return Room(read_disk(tree.root), held, reserve)


def plan_need(desired: SourceQuestion, measure: Measure, disk: Disk) -> Need:
    """Return the most that a share of the source needs; mounted or cloned data needs no room."""
    if desired.method == "bind":
        return Need(0, 0)
    return estimate_need(0 if desired.method == "reflink" else measure.bytes, measure.entries, 0, disk)


def build_result(desired: SourceQuestion, measure: Measure, room: Room) -> dict[str, Any]:
    """Return the result of one source. ``fits`` is never True for a source that was not counted to its end."""
    need = plan_need(desired, measure, room.disk)
    mounted = desired.method == "bind"
    shortage = None if mounted else check_space(need, room.held, room.reserve, room.disk)
    known = measure.complete or measure.entries > 0
    fits = shortage is None if measure.complete or shortage is not None else None
    return {
        "source": desired.source,
        "timed_out": not measure.complete,
        "bytes": measure.bytes if known else None,
        "files": measure.files if known else None,
        "entries": measure.entries if known else None,
        "skipped": list(measure.skipped),
        "skipped_total": measure.skipped_total if known else None,
        "need_bytes": need.bytes if known else None,
        "need_inodes": need.inodes if known else None,
        "fits": fits,
        "shortage": None if shortage is None else shortage.to_dict(),
        "error": None,
    }


def build_refusal(item: Item, error: TempoftpError) -> dict[str, Any]:
    """Return the result of a source that could not be measured."""
    names = ("bytes", "files", "entries", "skipped_total", "need_bytes", "need_inodes", "fits", "shortage")
    return {
        "source": item.name if isinstance(item, Refused) else item.get("source"),
        "timed_out": False,
        "skipped": [],
        **dict.fromkeys(names),
        "error": error.to_dict(),
    }


def describe_room(room: Room) -> dict[str, Any]:
    """Return ``host``: what is free and how much of it a share may use."""
    disk, held, reserve = room
    inodes = max(0, disk.inodes_free - held.inodes - reserve.inodes)
    return {
        "space_total": disk.bytes_total,
        "space_free": disk.bytes_free,
        "space_held": held.bytes,
        "space_available": max(0, disk.bytes_free - held.bytes - reserve.bytes),
        "inodes_free": disk.inodes_free,
        "inodes_available": inodes if disk.inodes_total else None,
        "time": format_now(),
    }
