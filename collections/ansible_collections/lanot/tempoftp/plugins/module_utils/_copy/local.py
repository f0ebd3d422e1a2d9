# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources on the FTP host itself: read as their own user, never as root.

A user who may write in a source can replace a folder by a link while it is read. Over ssh, the link leads only to what
the ssh user may read. Reading a local source as its user has the same limit.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._host.errors import InvalidValueError
from .._host.tree import Tree


def read_reader(user: str) -> pwd.struct_passwd:
    """Return the user as whom a local source is read; raise InvalidValueError when there is none of that name."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise InvalidValueError(
            f"there is no user {user!r} on the FTP host to read its local sources: make one, or give another ssh_user"
        ) from None


def build_reader_argv(user: str) -> list[str]:
    """Return the words before a command line that run it as *user*; none when this process runs as that user."""
    entry = read_reader(user)
    if entry.pw_uid == os.geteuid():
        return []
    return [
        "setpriv",
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--init-groups",
        "--no-new-privs",
        "--",
    ]


def build_local_shell(user: str) -> str:
    """Return a remote shell for rsync that runs here. rsync adds the host (as ``$0``) and its remote command."""
    return " ".join([*build_reader_argv(user), "sh", "-c", "'exec \"$@\"'"])


@contextmanager
def reading_as(user: str) -> Iterator[None]:
    """Open files as *user* in a ``with`` block. This changes the whole process: the copier has only one thread."""
    entry = read_reader(user)
    if entry.pw_uid == os.geteuid():
        yield
        return
    groups, gid, uid = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(os.getgrouplist(entry.pw_name, entry.pw_gid))
    try:
        os.setegid(entry.pw_gid)
        os.seteuid(entry.pw_uid)
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


def check_local_path(tree: Tree, path: str) -> None:
    """Raise InvalidValueError for a source that is the delivery root, contains it or lies in it."""
    real, root = Path(path).resolve(), tree.root.resolve()
    if real == root or real in root.parents or root in real.parents:
        raise InvalidValueError(
            f"{path} is refused as a source: the shares of this host lie in {root}, which it must not touch"
        )
