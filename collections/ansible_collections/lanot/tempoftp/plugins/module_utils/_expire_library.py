# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the program of ``tempoftp-expire.timer`` on the FTP host: ``lib/<content hash>``, with ``lib/current`` to it.

It is a package of its own beside the copier's, since it may use PyMySQL where the host has it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ._errors import TempoftpError

# Ansible sends it along because it is imported here, with everything that it imports itself.
from ._expire import expire_shares
from ._library import FILES, install_files, read_package
from ._sweep_look import CURRENT
from ._tree import Tree, prepare_tree

PACKAGE = "tempoftp_expire"
EXPIRE = "expire"
EXPIRE_FILES = (
    *FILES,
    "_account_plan.py",
    "_account_wish.py",
    "_accounts.py",
    "_ballast.py",
    "_evictions.py",
    "_expire.py",
    "_expire_settings.py",
    "_ftpuser_run.py",
    "_grace.py",
    "_library.py",
    "_mysql_login.py",
    "_passwords.py",
    "_sessions.py",
    "_share_apply.py",
    "_share_batch.py",
    "_share_look.py",
    "_share_plan.py",
    "_share_result.py",
    "_share_wish.py",
    "_starts.py",
    "_sweep.py",
    "_sweep_look.py",
    "_sweep_plan.py",
    "_table_options.py",
    "_units.py",
    "_users_table.py",
)
# The root is found from where the program lies, whatever link led there: lib/<hash>/expire/__main__.py.
_ENTRY = f"""import sys
from pathlib import Path

here = Path(__file__).resolve()
sys.path.insert(0, str(here.parents[1]))
from {PACKAGE}._expire import {expire_shares.__name__}

sys.exit({expire_shares.__name__}(here.parents[4], sys.argv[1:]))
"""


def read_expire_library() -> dict[str, bytes]:
    """Return every file of the program by its path below ``lib/<hash>/``."""
    files = read_package(PACKAGE, EXPIRE_FILES)
    files[f"{EXPIRE}/__main__.py"] = _ENTRY.encode("ascii")
    return files


def is_installed(tree: Tree, name: str) -> bool:
    """Whether the timer starts the program of this name."""
    return (tree.lib / CURRENT).resolve() == (tree.lib / name).resolve() and (tree.lib / name).is_dir()


def install_expire(tree: Tree) -> Path:
    """Write the program unless it is there, and let the timer start this one from now on."""
    prepare_tree(tree)
    target = install_files(tree, read_expire_library())
    link = tree.lib / f".{CURRENT}.{os.getpid()}"
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(tree.lib / CURRENT)
    except OSError as error:
        raise TempoftpError(f"{tree.lib / CURRENT} could not be written: {error.strerror}") from None
    return target
