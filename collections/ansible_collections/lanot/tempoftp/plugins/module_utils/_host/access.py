# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may read what is delivered: access lists (setfacl) are removed, and it is tried with the rights of the account.

A new file inherits the default access list of its folder. Where a list exists, the mode's group bits are only its mask:
a file of mode 0640 can then be closed to its group, and open to others.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Union

from .commands import run_command

ACCESS_LIST, DEFAULT_LIST = "system.posix_acl_access", "system.posix_acl_default"
_LISTS = (ACCESS_LIST, DEFAULT_LIST)
_NOBODY = 65534
# Filesystems without access lists answer with one of these.
_NONE = frozenset({errno.ENOTSUP, errno.ENODATA})


def has_access_list(target: Union[int, str, Path]) -> bool:
    """Whether a file or folder, given as a descriptor or a path, has an access list; no symlink is followed."""
    try:
        names = (
            os.listxattr(target) if isinstance(target, int) else os.listxattr(target, follow_symlinks=False)
        )
    except OSError as error:
        if error.errno in _NONE:
            return False
        raise
    return any(name in _LISTS for name in names)


def remove_access_lists(target: Union[int, str, Path]) -> bool:
    """Remove the access lists of a file or folder, no symlink followed; return whether there was one.

    Its mode stays as it is, and from then on the mode alone says who may do what.
    """
    if not has_access_list(target):
        return False
    for name in _LISTS:
        try:
            if isinstance(target, int):
                os.removexattr(target, name)
            else:
                os.removexattr(target, name, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NONE:
                raise
    return True


def find_unreadable(folder: Path, gid: int, limit: float) -> str:
    """Return the first name below *folder* that a user with no right but those of the group *gid* cannot read.

    "" when all can be read. Raises TempoftpError (``run_timeout``) after *limit* seconds. The FTP server serves an
    account with these rights. It is run inside the folder, since the folders above do not matter to a session.
    """
    drop = ["setpriv", f"--reuid={_NOBODY}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--"]
    tests = ["-type", "f", "!", "-readable", "-o", "-type", "d", "!", "(", "-readable", "-executable", ")"]
    ended = run_command([*drop, "find", ".", "(", *tests, ")", "-print", "-quit"], limit, folder=folder)
    return ended.stdout.strip() or ended.stderr.strip()
