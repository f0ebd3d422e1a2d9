# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``reuse``: files that have not changed since an earlier share of the same source become hard links to its files.

Both shares are read-only, so no recipient writes through a link. The copier never writes into a linked file either
(``staging.prepare_data``, and ``CopyPlan.inplace`` is off while there are links). Deleting a share only removes names.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Optional

from .._host.tree import Tree
from .._record.manifest import Manifest, list_manifests
from .ssh import resolve_source


def find_base(tree: Tree, manifest: Manifest) -> Optional[Path]:
    """Return the folder of the newest share on this host whose files *manifest* may link, or None."""
    if not manifest.reuse or manifest.writable or manifest.method == "bind":
        return None
    fitting = [other for other in list_manifests(tree)[0] if may_give(other, manifest)]
    for other in sorted(fitting, key=lambda other: other.delivered_at or "", reverse=True):
        path = tree.destination(other.ftpuser, other.id)
        if _is_plain_folder(path):
            return path
    return None


def may_give(other: Manifest, manifest: Manifest) -> bool:
    """Whether *manifest* may link files of *other*: the same source, owner and modes, and neither is writable."""
    return (
        other.id != manifest.id
        and other.state == "delivered"
        and not other.writable
        and other.method != "bind"
        and (other.uid, other.gid) == (manifest.uid, manifest.gid)
        and other.local == manifest.local
        and _locate(other) == _locate(manifest)
    )


def _locate(manifest: Manifest) -> tuple[str, str]:
    source = resolve_source(manifest.source, manifest.ssh_user)
    return source.host.lower(), source.path


def _is_plain_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
