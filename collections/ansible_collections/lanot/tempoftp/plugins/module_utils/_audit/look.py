# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the state of an FTP host for the audit. Nothing is written and no link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

from .._host.access import has_access_list
from .._host.boot import read_uptime
from .._host.clock import read_now
from .._host.errors import TempoftpError
from .._host.files import list_folder
from .._host.grace import read_trash_hours
from .._host.mounts import list_mounts_below
from .._host.names import parse_ftpuser, parse_id
from .._host.sessions import list_sessions
from .._host.tree import Tree, hold_tree
from .._host.units import Units
from .._record.accounts import read_account
from .._record.manifest import list_manifests
from .._record.tombstones import read_tombstone
from .._share.evictions import list_evictions, read_eviction
from .._share.library import name_library
from .._share.trash import list_due
from .._sweep.look import look_libraries
from .deep import find_irregular_entries
from .world import Home, OpenSession, Place, Staged, StateFiles, World, list_own_names

# At most so many entries of the root or of a home are read, so that a look always ends.
ENTRIES_LIMIT = 20000
# So often the host is read when runs write while the database is asked, which takes milliseconds.
LOOKS_LIMIT = 5
# Seconds that the minute timer has to end a session after the grace of its transfer.
GRACE_SLACK = 150
_STATE_FOLDERS = ("shares", "tombstones", "accounts", "staging", "held", "evictions", "trash", "lib")
_WRITTEN_FOLDERS = ("shares", "tombstones", "accounts")
_JSON_FOLDERS = ("shares", "tombstones", "accounts", "evictions")


def look_host(
    tree: Tree,
    units: Optional[Units] = None,
    read_accounts: Optional[Callable[[World], World]] = None,
    deep_limit: int = 0,
    with_sessions: bool = True,
) -> World:
    """Read the host, its files under its lock. *read_accounts* adds the users table to what was seen.

    The lock is free while *read_accounts* waits for the database, so a run may write meanwhile. Then all is read again.
    *deep_limit*: how many entries inside delivered shares are compared as well, after the lock was released.
    """
    units = units or Units()
    for _look in range(LOOKS_LIMIT):
        world, written = _look_once(tree, units, with_sessions)
        if read_accounts is None:
            break
        try:
            with_accounts = read_accounts(world)
        except TempoftpError as error:
            world = add_problem(world, f"accounts: {error.message}")
            break
        # A run that is in the middle of its writes holds the lock: this waits for its end.
        with hold_tree(tree):
            is_same = _read_written(tree) == written
        if is_same:
            world = with_accounts
            break
    else:
        world = add_problem(world, f"accounts: runs changed shares during {LOOKS_LIMIT} looks; audit again")
    if deep_limit > 0:
        irregular, whole = find_irregular_entries(tree, world, deep_limit)
        world = world._replace(irregular=irregular)
        if not whole:
            world = add_problem(
                world, f"inside of shares: only {deep_limit} entries were compared (deep_limit)"
            )
    return world


def add_problem(world: World, problem: str) -> World:
    """Return the world with one more sentence that says what was not looked at."""
    return world._replace(problems=(*world.problems, problem))


def _look_once(tree: Tree, units: Units, with_sessions: bool) -> tuple[World, tuple[int, ...]]:
    """Return what is there, and when shares and accounts were last written."""
    # Sessions first: an account that is created meanwhile is then seen with its row.
    sessions, problems = _read_sessions() if with_sessions else (None, ())
    with hold_tree(tree):
        written = _read_written(tree)
        world = _look_files(tree, units)
    return world._replace(sessions=sessions, problems=(*problems, *world.problems)), written


def _read_written(tree: Tree) -> tuple[int, ...]:
    """Return when shares, tombstones and accounts were last written: each write renames a file in its folder."""
    folders = [tree.state / name for name in _WRITTEN_FOLDERS]
    return tuple(folder.stat().st_mtime_ns for folder in folders if folder.exists())


def _read_sessions() -> tuple[Optional[tuple[OpenSession, ...]], tuple[str, ...]]:
    try:
        return tuple(OpenSession(pid, name) for pid, name in sorted(list_sessions().items())), ()
    except TempoftpError as error:
        return None, (f"sessions: {error.message}",)


def read_state_files(tree: Tree) -> StateFiles:
    """Read every manifest, tombstone and account record. Damaged files are named, below the state directory."""
    shares, wrong = list_manifests(tree)
    damaged = [f"shares/{name}" for name in wrong]
    tombstones = _read_all(tree, "tombstones", lambda name: read_tombstone(tree, parse_id(name)), damaged)
    records = _read_all(tree, "accounts", lambda name: read_account(tree, parse_ftpuser(name)), damaged)
    _read_all(tree, "evictions", lambda name: read_eviction(tree, parse_id(name)), damaged)
    return StateFiles(tuple(shares), tuple(tombstones), tuple(records), tuple(sorted(damaged)))


def _read_all(tree: Tree, folder: str, read: Callable[[str], Any], damaged: list[str]) -> list[Any]:
    found = []
    for name in _list_entries(tree.state / folder):
        if not name.endswith(".json") or name.startswith("."):
            continue
        try:
            found.append(read(name[: -len(".json")]))
        except (TempoftpError, OSError):
            damaged.append(f"{folder}/{name}")
    return [content for content in found if content is not None]


def _look_files(tree: Tree, units: Units) -> World:
    files = read_state_files(tree)
    mounts = tuple(path for path in list_mounts_below(tree.root) if path != str(tree.root))
    problems: list[str] = []
    try:
        active = frozenset(units.list_active())
    except TempoftpError as error:
        active = frozenset()
        problems.append(f"units: {error.message}")
    own = list_own_names(files)
    known: dict[str, set[str]] = {}
    for share in files.shares:
        known.setdefault(share.ftpuser, set()).add(share.id)
    homes = []
    for name in _list_entries(tree.root):
        place = look_place(tree.root / name, mounts)
        if place is not None and place.kind in ("directory", "link"):
            homes.append(_look_home(tree, name, place, name in own, known.get(name, ()), mounts))
    own_library = name_library()
    now = read_now(tree)
    if now.doubt is not None:
        problems.append(now.explain())
    return World(
        now=now.ends,
        confirmed=now.confirmed,
        root=str(tree.root),
        uid=os.geteuid(),
        gid=os.getegid(),
        shares=files.shares,
        tombstones=files.tombstones,
        records=files.records,
        damaged=files.damaged,
        temporary=tuple(_list_temporary(tree)),
        folders=_look_folders(tree, mounts),
        homes=tuple(homes),
        held=_look_entries(tree.held_folder, mounts),
        staged=tuple(
            Staged(name, place) for name, place in _look_entries(tree.state / "staging", mounts).items()
        ),
        trash=tuple(_list_due(tree)),
        libraries=tuple(
            library._replace(current=library.current or library.name == own_library)
            for library in look_libraries(tree)
        ),
        in_grace=_find_in_grace(tree),
        units=active,
        mounts=mounts,
        problems=tuple(problems),
    )


def _list_due(tree: Tree) -> Iterator[str]:
    """Yield what is to be removed. Data that waits for its hours is no finding."""
    hours = read_trash_hours()
    for name in _list_entries(tree.trash):
        share_id = name.partition(".")[0]
        if hours <= 0 or any(path.name == name for path in list_due(tree, share_id, hours)):
            yield name


def _look_home(tree: Tree, name: str, place: Place, own: bool, known: Any, mounts: tuple[str, ...]) -> Home:
    if place.kind != "directory":
        return Home(name, place)
    if own:
        return Home(name, place, _look_entries(tree.home(name), mounts))
    # The home of an account that tempoftp did not create: only the shares in it are read.
    entries = {share_id: look_place(tree.home(name) / share_id, mounts) for share_id in known}
    seen = {share_id: entry for share_id, entry in entries.items() if entry is not None}
    return Home(name, place, seen if known else None)


def look_place(path: Path, mounts: tuple[str, ...] = ()) -> Optional[Place]:
    """Return the facts of *path*, or None when it does not exist."""
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return None
    kind = "other"
    for test, word in ((stat.S_ISDIR, "directory"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "link")):
        if test(facts.st_mode):
            kind = word
    mode = stat.S_IMODE(facts.st_mode)
    listed = kind == "directory" and has_access_list(path)
    return Place(kind, facts.st_ino, facts.st_uid, facts.st_gid, mode, str(path) in mounts, listed)


def _look_entries(folder: Path, mounts: tuple[str, ...]) -> dict[str, Place]:
    seen = {name: look_place(folder / name, mounts) for name in _list_entries(folder)}
    return {name: place for name, place in seen.items() if place is not None}


def _look_folders(tree: Tree, mounts: tuple[str, ...]) -> dict[str, Place]:
    names = ["", *(f"/{name}" for name in _STATE_FOLDERS)]
    seen = {name: look_place(Path(f"{tree.state}{name}"), mounts) for name in names}
    return {name: place for name, place in seen.items() if place is not None}


def _find_in_grace(tree: Tree) -> frozenset[str]:
    """Return the accounts whose open transfers are still within their grace."""
    uptime = read_uptime()
    return frozenset(
        eviction.ftpuser
        for eviction in list_evictions(tree)[0]
        if eviction.since is None or uptime < eviction.since + eviction.grace + GRACE_SLACK
    )


def _list_temporary(tree: Tree) -> Iterator[str]:
    """Yield the temporary files of a ``write_json`` that was killed. Under the lock no other one is writing."""
    for folder in _JSON_FOLDERS:
        for name in _list_entries(tree.state / folder):
            if name.startswith(".") and ".json." in name:
                yield f"{folder}/{name}"


def _list_entries(folder: Path) -> list[str]:
    try:
        return list_folder(folder, ENTRIES_LIMIT)
    except NotADirectoryError:
        return []
