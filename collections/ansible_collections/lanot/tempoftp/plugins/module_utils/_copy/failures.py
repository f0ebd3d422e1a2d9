# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told when a copy ends badly: what happened, where, and what to do."""

from __future__ import annotations

from .._host.errors import TempoftpError
from .._record.manifest import Manifest
from .rsync import Verdict

# What happened to the source or the copy, and what to do, by class.
_EXPLANATIONS = {
    "source_unreachable": (
        "cannot be reached",
        "check that the source host is up and lets this host in (ssh user, key, known_hosts)",
    ),
    "source_not_found": ("does not exist on the source host", "check the path"),
    "source_denied": ("cannot be read by the ssh user", "let it read all of that path"),
    "source_changing": ("changes while it is copied", "ask again when nobody writes there"),
    "no_space": ("does not fit any more, the disk is full", "it is tried again when others have ended"),
    "no_inodes": (
        "does not fit any more, the disk has no inode left",
        "it is tried again when others have ended",
    ),
    "copy_failed": ("could not be copied", "it is tried again; see journalctl -u tempoftp-copy-{id}"),
}


def build_copy_error(manifest: Manifest, verdict: Verdict) -> TempoftpError:
    """Return the classified failure of a share's copy, with rsync's own words behind."""
    error_class = verdict.error_class or "copy_failed"
    what, advice = _EXPLANATIONS[error_class]
    told = f"{manifest.source} {what}: {advice.format(id=manifest.id)} ({verdict.reason})"
    return TempoftpError(told, error_class)
