# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each kind of unit needs on the host: a copy, the connection to its source, a measurement and a removal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .._host.grace import SETTINGS_FILE
from .._host.root import find_server_file
from .._host.sandbox import SECRETS, View, build_sandbox
from .._host.tree import Tree
from .._record.manifest import Manifest
from .ssh import SOCKET_DIRECTORY, Access

SETTINGS_FOLDER = "/etc/tempoftp"
LOGIN_FILES = (f"{SETTINGS_FOLDER}/mysql.cnf", f"{SETTINGS_FOLDER}/pureftpd.cnf")
_HOMES = ("/root", "/home", "/run/user")

# rsync sets owner and modes, and goes on where folders belong to the account already.
_COPY = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
# A local source is read by processes of its own user, which the copier starts and ends.
_COPY_LOCAL = (*_COPY, "CAP_SETUID", "CAP_SETGID", "CAP_KILL")
_MEASURE_LOCAL = ("CAP_SETUID", "CAP_SETGID")
_PURGE = ("CAP_DAC_OVERRIDE", "CAP_FOWNER")


def sandbox_copy(version: int, tree: Tree, manifest: Manifest, access: Access) -> list[str]:
    """Return the properties of the copy of a share. It may change what is staged for this share, and no other data.

    Nor can it see what was delivered to others. A hard link cannot cross a mount, and each path of a sandbox is one:
    with `reuse` the homes, whose files are linked, and staging must be on the same mount. Such a copy sees and may
    change the homes; what the host believes or runs is read-only.
    """
    view = _view_local(tree) if access.local else _view_access(tree, access)
    writable, protected = [SOCKET_DIRECTORY], []
    if manifest.reuse:
        writable.append(str(tree.root))
        protected = [str(path) for path in tree.list_records()]
    else:
        view = _hide_deliveries(tree, manifest.id, view)
    return build_sandbox(
        version,
        writable=writable,
        protected=protected,
        capabilities=_COPY_LOCAL if access.local else _COPY,
        network=not access.local,
        # A local source may lie anywhere, also below /tmp.
        own_tmp=not access.local,
        view=view,
    )


def sandbox_connection(version: int, tree: Tree, access: Access) -> list[str]:
    """Return the properties of the ssh that all copies from one source share. It may change its socket only."""
    return build_sandbox(
        version,
        writable=[SOCKET_DIRECTORY],
        capabilities=(),
        network=True,
        view=_view_access(tree, access),
    )


def sandbox_measure(version: int, tree: Tree, access: Access) -> list[str]:
    """Return the properties of a program that measures a source. It may change nothing, and sees no delivery."""
    view = _view_local(tree) if access.local else _view_access(tree, access)
    return build_sandbox(
        version,
        writable=[],
        capabilities=_MEASURE_LOCAL if access.local else (),
        network=not access.local,
        own_tmp=not access.local,
        view=view._replace(empty=[*view.empty, str(tree.root)]),
    )


def sandbox_purge(version: int, tree: Tree) -> list[str]:
    """Return the properties of a removal. It may change the trash only."""
    return build_sandbox(
        version,
        writable=[str(tree.trash)],
        capabilities=_PURGE,
        network=False,
        view=_view_nothing(tree, [str(find_server_file()), str(SETTINGS_FILE)]),
    )


def _view_access(tree: Tree, access: Access) -> View:
    """Hide everything of the host's settings but what this source needs.

    Without a key of its own, ssh looks for one in root's home and in its configuration, so these stay visible.
    """
    if not access.key_file:
        return _view_local(tree)
    files = [access.key_file, access.config_file, access.known_hosts_file, str(find_server_file())]
    return _view_nothing(tree, [path for path in files if path])


def _view_local(tree: Tree) -> View:
    return View(hidden=_leave_root(tree, (*SECRETS, *LOGIN_FILES)))


def _view_nothing(tree: Tree, shown: list[str]) -> View:
    folders = (str(find_server_file().parent), *_HOMES)
    return View(hidden=_leave_root(tree, SECRETS), empty=_leave_root(tree, folders), shown=shown)


def _hide_deliveries(tree: Tree, share_id: str, view: View) -> View:
    """Leave of the delivery root only what a copy needs: records to read, its staging folder and the lock to change.

    It also sees what is staged for others: it must count the room that their copies reserve.
    """
    deliveries = (tree.held_folder, tree.binds, tree.trash, tree.transfers)
    return view._replace(
        hidden=[*view.hidden, *map(str, deliveries)],
        empty=[*view.empty, str(tree.root)],
        shown=[*view.shown, str(tree.state)],
        lent=[str(tree.staging(share_id)), str(tree.lock)],
    )


def _leave_root(tree: Tree, paths: Iterable[str]) -> list[str]:
    """Return the paths that may be hidden: not those in which the delivery root lies."""
    root = tree.root.resolve()
    return [path for path in paths if Path(path) != root and Path(path) not in root.parents]
