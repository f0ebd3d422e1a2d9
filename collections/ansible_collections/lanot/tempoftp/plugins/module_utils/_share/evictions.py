# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions that have to end because a share left its home.

A session keeps its current folder and its open files, also when they are renamed. So a note is written *before* the
rename, one for each share, and is removed only when the sessions are gone. A kill in between loses none of them.
Sessions that begin later do not see the share and are left alone. For that the note contains the moment from which it
counts, in seconds since the boot: setting the clock does not change it, and no session survives a boot.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Optional

from .._host.boot import read_boot_id, read_uptime
from .._host.errors import TempoftpError
from .._host.files import SCHEMA, list_names, read_json, write_json
from .._host.names import parse_id
from .._host.sessions import Session, end_chosen_sessions
from .._host.tree import Tree, hold_tree, prepare_tree


class Eviction(NamedTuple):
    """The note of one share. ``since`` None: the eviction has not begun, and counts from when it does.

    ``grace``: seconds that a session with a running transfer may go on. ``adopted``: the account also has other uses,
    so only sessions whose current folder or open files are in the share are ended.
    """

    id: str
    ftpuser: str
    adopted: bool = False
    grace: float = 0.0
    boot_id: Optional[str] = None
    since: Optional[float] = None


class Evicted(NamedTuple):
    """The result of one eviction: how many sessions were ended, and how many go on because of the grace."""

    ended: int
    left: int


def write_eviction(tree: Tree, eviction: Eviction) -> None:
    """Write the note, durably. It replaces an earlier one."""
    prepare_tree(tree)
    write_json(tree.eviction(eviction.id), {"schema": SCHEMA, **eviction._asdict()})


def read_eviction(tree: Tree, share_id: str) -> Optional[Eviction]:
    """Return the note of a share, or None; raise TempoftpError when it is damaged."""
    path = tree.eviction(share_id)
    content = read_json(path)
    if content is None:
        return None
    values = {key: content[key] for key in Eviction._fields if key in content}
    try:
        eviction = Eviction(**values)
        sound = isinstance(eviction.ftpuser, str) and float(eviction.grace) >= 0.0
        since = None if eviction.since is None else float(eviction.since)
    except (TypeError, ValueError):
        sound, since, eviction = False, None, Eviction(share_id, "")
    if not sound or eviction.id != share_id:
        raise TempoftpError(f"{path} is damaged: look who is in by pure-ftpwho, then remove it")
    return eviction._replace(since=since)


def delete_eviction(tree: Tree, share_id: str) -> None:
    """Remove the note of a share."""
    tree.eviction(share_id).unlink(missing_ok=True)


def list_evictions(tree: Tree) -> tuple[list[Eviction], list[str]]:
    """Return all notes, and the names of damaged ones."""
    found, damaged = [], []
    for name in list_names(tree.eviction("x").parent):
        try:
            eviction = read_eviction(tree, parse_id(name[: -len(".json")]))
        except TempoftpError:
            damaged.append(name)
            continue
        if eviction is not None:
            found.append(eviction)
    return found, damaged


def evict(tree: Tree, eviction: Eviction, proc: Path = Path("/proc")) -> Evicted:
    """End the sessions that must end now, and remove the note once none is left; TempoftpError when that fails.

    The caller does not hold the host's lock: a session may take seconds to end.
    """
    uptime = read_uptime(proc)
    if eviction.since is None or eviction.boot_id is None:
        begun = eviction._replace(boot_id=read_boot_id(), since=uptime)
        if not _replace_note(tree, eviction, begun):
            return Evicted(0, 0)
        eviction = begun
    if eviction.boot_id != read_boot_id():
        _replace_note(tree, eviction, None)
        return Evicted(0, 0)
    chosen = _build_choice(tree, eviction, uptime)
    ended, left = end_chosen_sessions([eviction.ftpuser], chosen, proc)
    if left == 0:
        _replace_note(tree, eviction, None)
    return Evicted(ended, left)


def _build_choice(tree: Tree, eviction: Eviction, uptime: float) -> Callable[[Session], Optional[bool]]:
    """Return a function of a session: True, end it now; False, it may go on for a while; None, leave it alone."""
    since = eviction.since or 0.0

    def choose(session: Session) -> Optional[bool]:
        if session.started > since:
            return None
        if eviction.adopted and not _is_inside(tree, eviction.id, session):
            return None
        return not (session.busy and uptime < since + eviction.grace)

    return choose


def _is_inside(tree: Tree, share_id: str, session: Session) -> bool:
    state = os.path.realpath(tree.state)
    held, trash = f"{state}/held/{share_id}/", f"{state}/trash/{share_id}."
    return any(f"{place}/".startswith(held) or place.startswith(trash) for place in session.places)


def _replace_note(tree: Tree, before: Eviction, after: Optional[Eviction]) -> bool:
    """Replace a note unless another process changed it meanwhile; say whether it was replaced."""
    with hold_tree(tree):
        if read_eviction(tree, before.id) != before:
            return False
        if after is None:
            delete_eviction(tree, before.id)
        else:
            write_eviction(tree, after)
    return True
