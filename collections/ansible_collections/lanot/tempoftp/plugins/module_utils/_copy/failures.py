# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages for a copy or a measurement that failed: what happened, where, and what to do next."""

from __future__ import annotations

from .._host.errors import TempoftpError
from .._record.manifest import Manifest
from .verdicts import Verdict

# What happened and what to do, by error class: the same for a copy and for a measurement.
_EXPLANATIONS = {
    "source_unreachable": (
        "cannot be reached",
        "check that the source host is up and lets this host in (ssh user, key, known_hosts)",
    ),
    "source_not_found": ("does not exist on the source host", "check the path"),
    "source_denied": ("cannot be read by the ssh user", "let it read all of that path"),
    "source_shell": (
        "cannot be read, since the login shell of the ssh user prints something before rsync starts",
        "let its startup files (.bashrc, .profile) print nothing when they are not at a terminal",
    ),
    "too_large": (
        "has more entries than this host can hold in memory",
        "ask for less, or for fewer files in one folder",
    ),
}
_COPY_EXPLANATIONS = {
    **_EXPLANATIONS,
    "source_changing": ("changes while it is copied", "ask again when nobody writes there"),
    "no_space": ("does not fit any more, the disk is full", "it is tried again when others have ended"),
    "no_inodes": (
        "does not fit any more, the disk has no inode left",
        "it is tried again when others have ended",
    ),
    "copy_failed": ("could not be copied", "it is tried again; see journalctl -u tempoftp-copy-{id}"),
}
MEASURE_EXPLANATIONS = {
    **_EXPLANATIONS,
    "source_changing": ("changes while it is measured", "ask again when nobody writes there"),
    "copy_failed": ("could not be measured", "ask again; if it stays so, look at the FTP host"),
}


def build_copy_error(manifest: Manifest, verdict: Verdict) -> TempoftpError:
    """Return the classified failure of a share's copy; rsync's own words stand in parentheses."""
    error_class = verdict.error_class or "copy_failed"
    what, advice = _word(_COPY_EXPLANATIONS[error_class], verdict)
    advice = advice.replace("{id}", manifest.id)
    message = f"{manifest.source} {what}: {advice} ({verdict.reason})"
    return TempoftpError(message, error_class)


def build_measure_error(source: str, verdict: Verdict) -> TempoftpError:
    """Return the classified failure of a source's measurement; a full disk cannot make one fail."""
    error_class = verdict.error_class if verdict.error_class in MEASURE_EXPLANATIONS else "copy_failed"
    what, advice = _word(MEASURE_EXPLANATIONS[error_class], verdict)
    return TempoftpError(f"{source} {what}: {advice} ({verdict.reason})", error_class)


def _word(explanation: tuple[str, str], verdict: Verdict) -> tuple[str, str]:
    what, advice = explanation
    return verdict.what or what, verdict.advice or advice
