# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deep look: compares, and repairs, owner, mode and access list of the entries inside delivered, read-only shares.

The number of entries is bounded. A folder is opened by the descriptor of its parent and no link is followed, so that a
change during the walk cannot lead root to another place. A mount is never entered, since it is the source itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .._host.access import has_access_list, remove_access_lists
from .._host.safe_open import closing_descriptor, open_directory, open_directory_below, open_file
from .._host.tree import Tree
from .._record.manifest import Manifest
from .world import ACCESS_LIST_DETAIL, IrregularEntry, World

_FOLDER_MODE, _FILE_MODE = 0o750, 0o640
# Each level costs a descriptor.
_DEPTH_LIMIT = 200


class Walk:
    """One walk through shares. ``left``: entries that may still be compared; ``whole``: all were compared."""

    def __init__(self, limit: int, repair: bool = False) -> None:
        self.left = limit
        self.whole = True
        self._repair = repair

    def walk(
        self, folder: int, path: str, share: Manifest, device: int, depth: int = 0
    ) -> Iterator[IrregularEntry]:
        """Yield the entries below *folder* that are not as delivered. *folder* is a descriptor and stays open."""
        for name in sorted(os.listdir(folder)):
            if self.left <= 0 or depth >= _DEPTH_LIMIT:
                self.whole = False
                return
            self.left -= 1
            with suppress(FileNotFoundError):
                yield from self._look(folder, name, f"{path}/{name}", share, device, depth)

    def _look(
        self, folder: int, name: str, path: str, share: Manifest, device: int, depth: int
    ) -> Iterator[IrregularEntry]:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        wrong = _describe(facts, share) or _describe_list(folder, name, facts)
        if wrong is not None:
            yield IrregularEntry(share.id, path, wrong)
            if self._repair:
                _repair_entry(folder, name, facts, share)
        if stat.S_ISDIR(facts.st_mode) and facts.st_dev == device:
            with suppress(OSError), closing_descriptor(open_directory(name, folder)) as inner:
                yield from self.walk(inner, path, share, device, depth + 1)


def find_irregular_entries(
    tree: Tree, world: World, limit: int, repair: bool = False
) -> tuple[tuple[IrregularEntry, ...], bool]:
    """Return the entries inside shares that are not as delivered, and whether *limit* was enough for all entries."""
    walk = Walk(limit, repair)
    found: list[IrregularEntry] = []
    for share in list_plain_shares(world):
        path = tree.held(share.id) if share.hidden else tree.destination(share.ftpuser, share.id)
        found.extend(_walk_share(walk, tree, path, share))
    return tuple(found), walk.whole


def list_plain_shares(world: World) -> Iterable[Manifest]:
    """Return the shares whose content only tempoftp writes: read-only, complete, and with no mount inside."""
    for share in world.shares:
        place = f"{world.root}/{share.ftpuser}/{share.id}"
        if (
            share.arrived
            and not share.writable
            and not any(mount == place or mount.startswith(place + "/") for mount in world.mounts)
        ):
            yield share


def _walk_share(walk: Walk, tree: Tree, path: Path, share: Manifest) -> list[IrregularEntry]:
    with closing_descriptor(open_directory(tree.root)) as root:
        try:
            descriptor = open_directory_below(root, path.relative_to(tree.root).parts)
        except OSError:
            return []
    with closing_descriptor(descriptor):
        return list(walk.walk(descriptor, str(path), share, os.fstat(descriptor).st_dev))


def _describe(facts: os.stat_result, share: Manifest) -> Optional[str]:
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISLNK(facts.st_mode):
        wanted = mode
    elif stat.S_ISDIR(facts.st_mode):
        wanted = _FOLDER_MODE
    elif stat.S_ISREG(facts.st_mode):
        wanted = _FILE_MODE
    else:
        return None  # A copy never delivers such an entry; a person has to look at it, the audit removes no data.
    if (facts.st_uid, facts.st_gid, mode) == (share.uid, share.gid, wanted):
        return None
    return f"is {facts.st_uid}:{facts.st_gid} {mode:04o}, not {share.uid}:{share.gid} {wanted:04o}"


def _describe_list(folder: int, name: str, facts: os.stat_result) -> Optional[str]:
    # listxattr takes no descriptor of a folder.
    path = f"/proc/self/fd/{folder}/{name}"
    return None if stat.S_ISLNK(facts.st_mode) or not has_access_list(path) else ACCESS_LIST_DETAIL


def _repair_entry(folder: int, name: str, facts: os.stat_result, share: Manifest) -> None:
    """Set owner and mode of one entry and remove its access list; of a link, set only the owner."""
    os.chown(name, share.uid, share.gid, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        return
    with closing_descriptor(open_file(name, folder)) as descriptor:
        if os.fstat(descriptor).st_ino == facts.st_ino:
            remove_access_lists(descriptor)
            os.fchmod(descriptor, _FOLDER_MODE if stat.S_ISDIR(facts.st_mode) else _FILE_MODE)
