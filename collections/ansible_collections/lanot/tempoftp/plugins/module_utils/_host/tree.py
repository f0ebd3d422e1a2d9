# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths below the root of an FTP host (see docs/dataflow.md, "On disk")."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import InvalidValueError
from .lock import LOCK_TIMEOUT, hold_lock
from .root import STATE_DIRECTORY, check_root

_FOLDERS = ("shares", "tombstones", "accounts", "staging", "held", "evictions", "trash", "lib", "binds")


class Tree(NamedTuple):
    """The paths below one root, for example ``/data``. The names in them were checked by ``names``."""

    root: Path

    @property
    def state(self) -> Path:
        """``root/.tempoftp``: owned by root, 0700, on the same filesystem as the homes."""
        return self.root / STATE_DIRECTORY

    @property
    def lock(self) -> Path:
        """The one lock of the host."""
        return self.state / "lock"

    @property
    def trash(self) -> Path:
        """Data that is being deleted."""
        return self.state / "trash"

    @property
    def ballast(self) -> Path:
        """Files that are removed when the disk is full."""
        return self.state / "ballast"

    @property
    def lib(self) -> Path:
        """The programs for the host, each in a folder named by the hash of its content."""
        return self.state / "lib"

    @property
    def transfers(self) -> Path:
        """The counts from the transfer log."""
        return self.state / "transfers"

    def counted(self, share_id: str) -> Path:
        """The counted downloads of a share."""
        return self.transfers / f"{share_id}.json"

    def home(self, ftpuser: str) -> Path:
        """The chroot home of an account."""
        return self.root / ftpuser

    def destination(self, ftpuser: str, share_id: str) -> Path:
        """The delivered share."""
        return self.root / ftpuser / share_id

    def manifest(self, share_id: str) -> Path:
        """What the host knows of a live share."""
        return self.state / "shares" / f"{share_id}.json"

    def tombstone(self, share_id: str) -> Path:
        """What the host knows of a share that ended."""
        return self.state / "tombstones" / f"{share_id}.json"

    def account(self, name: str) -> Path:
        """Whether tempoftp created an account or found it."""
        return self.state / "accounts" / f"{name}.json"

    @property
    def clock(self) -> Path:
        """The latest time that this host has seen."""
        return self.state / "clock.json"

    @property
    def held_folder(self) -> Path:
        """The folder of the blocked shares."""
        return self.state / "held"

    def held(self, share_id: str) -> Path:
        """A blocked share."""
        return self.held_folder / share_id

    def eviction(self, share_id: str) -> Path:
        """The note that sessions must be ended since a share left its home."""
        return self.state / "evictions" / f"{share_id}.json"

    @property
    def binds(self) -> Path:
        """One folder for each share that is a bind mount of its source."""
        return self.state / "binds"

    def bind(self, share_id: str) -> Path:
        """Where the source of such a share is mounted, read-only and outside of the home."""
        return self.binds / share_id

    def staging(self, share_id: str) -> Path:
        """The folder in which a share is copied before it is delivered."""
        return self.state / "staging" / share_id

    def data(self, share_id: str) -> Path:
        """rsync's target."""
        return self.staging(share_id) / "data"

    def alive(self, share_id: str) -> Path:
        """Locked by the copier of this share while it lives."""
        return self.staging(share_id) / "alive"

    def status(self, share_id: str) -> Path:
        """The state of the copy, written by the copier."""
        return self.staging(share_id) / "status.json"

    def list_records(self) -> list[Path]:
        """Everything that the host believes or runs: what a copy must not change."""
        names = (
            "shares",
            "tombstones",
            "accounts",
            "evictions",
            "lib",
            "binds",
            "transfers",
            "clock.json",
            "root.json",
        )
        return [self.state / name for name in names]

    def starts(self, share_id: str) -> Path:
        """How often its copier was started without progress."""
        return self.staging(share_id) / "starts.json"


def open_tree(root: str) -> Tree:
    """Return the tree of *root*, which must be a directory of this user on the recorded disk; nothing is written."""
    path = Path(root)
    if not path.is_absolute() or ".." in path.parts or path == Path("/"):
        raise InvalidValueError(f"root {root!r} is refused: it must be an absolute path below /")
    # First of all: the folder below the mount point of a missing disk may have any owner and mode.
    check_root(path)
    tree = Tree(path)
    for folder in (path, tree.state):
        check_owned_directory(folder, os.lstat(folder))
    return tree


@contextlib.contextmanager
def hold_tree(tree: Tree, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the host's lock, with the right disk below the root; raise LockTimeoutError or RootMissingError.

    While the lock is held its open file keeps the disk from being unmounted.
    """
    check_root(tree.root)
    with hold_lock(tree.lock, timeout):
        check_root(tree.root)
        yield


def prepare_tree(tree: Tree) -> None:
    """Make the missing folders of the state directory, which is there: without its marker there is no tree."""
    for name in _FOLDERS:
        (tree.state / name).mkdir(mode=0o700, exist_ok=True)


def check_owned_directory(path: Path, facts: os.stat_result) -> None:
    """Raise InvalidValueError unless *path* is a directory, not a symlink, and only this user may write to it."""
    if not stat.S_ISDIR(facts.st_mode):
        raise InvalidValueError(f"{path} is not a directory (or is a symlink): move it away")
    if facts.st_uid != os.geteuid():
        raise InvalidValueError(
            f"{path} belongs to uid {facts.st_uid}, not to {os.geteuid()}: chown it first"
        )
    if facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and facts.st_gid != os.getegid()):
        raise InvalidValueError(
            f"{path} can be written by others (mode {facts.st_mode & 0o7777:04o}): chmod go-w it first"
        )


HOME_MODE = 0o750
