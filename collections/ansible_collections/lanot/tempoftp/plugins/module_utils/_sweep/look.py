# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first part of the sweep's look → plan → apply: reads what may be due on a host. Nothing is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from .._host.clock import read_now
from .._host.errors import TempoftpError
from .._host.files import list_folder, list_names
from .._host.names import parse_id
from .._host.tree import Tree
from .._host.units import COPY_PREFIX, Units
from .._record.accounts import Account, read_account
from .._record.manifest import list_manifests
from .._record.status import read_status
from .._share.evictions import list_evictions
from .._share.trash import list_due_ids
from .plan import Library, Staging, SweepSeen

# The link in ``lib`` to the program that the timer starts.
CURRENT = "current"


class Guard:
    """A context that turns an error into a problem of *what*, so that the sweep goes on with the rest."""

    def __init__(self, what: str, problems: list[str]) -> None:
        self._what = what
        self._problems = problems

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], _trace: Any) -> bool:
        if isinstance(error, TempoftpError):
            self._problems.append(error.message)
        elif isinstance(error, OSError):
            self._problems.append(f"{self._what}: {error}: look at the disk of the FTP host")
        else:
            return False
        return True


class SweepLook:
    """A look at one host. Damaged files are named among the *problems*, and the look goes on without them."""

    def __init__(self, tree: Tree, units: Units, problems: list[str], trash_hours: float = 0.0) -> None:
        self._tree = tree
        self._trash_hours = trash_hours
        self._units = units
        self._problems = problems
        self._active: Optional[set[str]] = None

    def look(self) -> SweepSeen:
        """Read everything."""
        manifests, damaged = list_manifests(self._tree)
        evictions, unreadable = list_evictions(self._tree)
        self._problems += [f"shares/{name} cannot be read: look at it, then move it away" for name in damaged]
        self._problems += [
            f"evictions/{name} cannot be read: look at it, then remove it" for name in unreadable
        ]
        now = read_now(self._tree)
        if now.doubt is not None:
            self._problems.append(now.explain())
        return SweepSeen(
            now=now.ends,
            confirmed=now.confirmed,
            doubt=now.doubt is not None,
            held=tuple(list_folder(self._tree.held_folder)),
            manifests=tuple(manifests),
            damaged=tuple(damaged),
            records=tuple(self._read_records()),
            trash=tuple(list_due_ids(self._tree, self._trash_hours)),
            evictions=tuple(evictions),
            staging=tuple(self._look_staging()),
            libraries=tuple(look_libraries(self._tree)),
        )

    def look_staged(self, share_id: str) -> Staging:
        """Read how far the copy of one share is."""
        parse_id(share_id)
        status = read_status(self._tree.status(share_id))
        failed_at = None
        if status is not None and status.phase == "failed":
            failed_at = os.lstat(self._tree.status(share_id)).st_mtime
        return Staging(
            share_id,
            os.lstat(self._tree.staging(share_id)).st_mtime,
            failed_at,
            copying=COPY_PREFIX + share_id in self._list_active(),
        )

    def _read_records(self) -> Iterator[Account]:
        for name in list_names(self._tree.account("x").parent):
            with Guard(f"accounts/{name}", self._problems):
                record = read_account(self._tree, name[: -len(".json")])
                if record is not None:
                    yield record

    def _look_staging(self) -> Iterator[Staging]:
        for name in list_folder(self._tree.staging("x").parent):
            with Guard(f"staging/{name}", self._problems):
                yield self.look_staged(name)

    def _list_active(self) -> set[str]:
        """Ask systemd once, and only when staging is not empty: so the usual sweep starts no process."""
        if self._active is None:
            self._active = self._units.list_active()
        return self._active


def look_libraries(tree: Tree) -> Iterator[Library]:
    """Yield the programs under ``lib``. ``current`` is the one that the timer starts."""
    current = (tree.lib / CURRENT).resolve().name
    for name in list_folder(tree.lib):
        path = tree.lib / name
        with suppress(OSError):
            facts = os.lstat(path)
            if stat.S_ISDIR(facts.st_mode):
                yield Library(name, facts.st_mtime, current=name == current)


def read_running(tree: Tree) -> set[str]:
    """Return the names of the libraries from which a process runs."""
    prefix = f"{tree.lib}/"
    running = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            for word in (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0"):
                if word.startswith(prefix):
                    running.add(word[len(prefix) :].partition("/")[0])
    return running
