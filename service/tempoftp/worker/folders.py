"""The worker's own folder, and a look at every place that the worker executes, imports or reads as configuration.

The worker becomes root on FTP hosts. So nobody else may write what it trusts, and nobody else may put another folder
in the place of it. The API runs as another user of the same group; it may write the state folder and nothing more.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tempoftp.settings import Settings, SettingsError

PRIVATE_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Trusted:
    """Who may write what the worker trusts: root, the worker, and who owns the project, who could change its code."""

    users: frozenset[int]
    groups: frozenset[int]

    @classmethod
    def of(cls, project_dir: Path) -> Trusted:
        """Return who is trusted; a group only if it may write the project's folder already."""
        status = project_dir.stat()
        groups = {0} | ({status.st_gid} if status.st_mode & stat.S_IWGRP else set())
        return cls(frozenset({0, os.geteuid(), status.st_uid}), frozenset(groups))


def prepare_worker_folder(settings: Settings) -> None:
    """Make the folder of the worker and its parts, for the worker alone."""
    folder = settings.worker_folder
    for path in (folder, folder / "runs", folder / "ansible", folder / "cp"):
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
        if stat.S_IMODE(path.stat().st_mode) != PRIVATE_MODE:
            path.chmod(PRIVATE_MODE)


def check_places(settings: Settings) -> None:
    """Raise SettingsError when another user could write or replace something that the worker trusts."""
    trusted = Trusted.of(settings.project_dir)
    for variable, path in _list_places(settings):
        weakness = find_weakness(path, trusted)
        if weakness is not None:
            raise SettingsError(
                f"{variable}: {weakness}. The worker is root on FTP hosts, so only root and the worker may write there"
            )


def find_weakness(path: Path, trusted: Trusted) -> str | None:
    """Return who else could write `path` or put something else in its place; None when nobody could.

    Looks at the path and all of its parents, as written and with links followed. In a folder with the sticky bit
    nobody can rename what belongs to somebody else.
    """
    for place in _list_chain(path):
        try:
            status = place.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(status.st_mode):
            if status.st_uid not in trusted.users:
                return f"user {status.st_uid} owns {place}"
            continue
        shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX and place != path
        if status.st_uid not in trusted.users:
            return f"user {status.st_uid} owns {place}"
        if status.st_mode & stat.S_IWOTH and not shared:
            return f"everybody may write {place}"
        if status.st_mode & stat.S_IWGRP and status.st_gid not in trusted.groups and not shared:
            return f"group {status.st_gid} may write {place}"
    return None


def _list_places(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "TEMPOFTP_WORKER_DIR", settings.worker_folder
    yield "TEMPOFTP_LOG_DIR", settings.log_folder
    yield "TEMPOFTP_PROJECT_DIR", settings.project_dir
    yield "TEMPOFTP_PROJECT_DIR", settings.project_dir / "ansible.cfg"
    yield "TEMPOFTP_PROJECT_DIR", settings.project_dir / "collections"
    yield "TEMPOFTP_SOURCES_FILE", settings.sources_file
    if settings.inventory is not None:
        yield "TEMPOFTP_INVENTORY", settings.inventory
    yield "the Python of tempoftp", Path(sys.prefix)


def _list_chain(path: Path) -> Iterator[Path]:
    """Yield the parents from the root on and then the path: as it is written, then with links followed."""
    for spelling in dict.fromkeys((path.absolute(), path.resolve())):
        yield from reversed(spelling.parents)
        yield spelling
