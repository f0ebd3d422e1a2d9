# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the program of ``tempoftp-expire.timer`` on the FTP host: ``lib/<content hash>``, linked by ``lib/current``.

It is a separate package beside the copier, since it uses PyMySQL where the host has it.
"""

from __future__ import annotations

import os
from pathlib import Path

from .._host.errors import TempoftpError
from .._host.tree import Tree, prepare_tree
from .._share.library import install_files, read_package

# This import makes Ansible send the program to the host, with everything that it imports.
from .expire import expire_shares
from .look import CURRENT

PACKAGE = "tempoftp_expire"
EXPIRE = "expire"
# The program finds the root from its own resolved path: lib/<hash>/expire/__main__.py.
_ENTRY = f"""import sys
from pathlib import Path

here = Path(__file__).resolve()
sys.path.insert(0, str(here.parents[1]))
from {PACKAGE}._sweep.expire import {expire_shares.__name__}

sys.exit({expire_shares.__name__}(here.parents[4], sys.argv[1:]))
"""


def read_expire_library() -> dict[str, bytes]:
    """Return every file of the program by its path below ``lib/<hash>/``."""
    files = read_package(PACKAGE, ["_sweep.expire"])
    files[f"{EXPIRE}/__main__.py"] = _ENTRY.encode("ascii")
    return files


def is_installed(tree: Tree, name: str) -> bool:
    """Whether the timer starts the program of the library *name*."""
    return (tree.lib / CURRENT).resolve() == (tree.lib / name).resolve() and (tree.lib / name).is_dir()


def install_expire(tree: Tree) -> Path:
    """Write the program unless it is there, and set the link so that the timer starts it from now on."""
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
