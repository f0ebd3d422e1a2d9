# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``checksums``: SHA256SUMS in the share, as ``sha256sum`` writes and ``sha256sum -c`` reads it.

Where commands can run on the source, the source's sums are compared with those of the data that arrived. The file is
added after the last comparison of source and copy, and removed before the first one, so that rsync never sees it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Optional

from .._host.commands import Ended, run_command
from .._host.errors import InvalidValueError, TempoftpError
from .._host.names import UNFETCHABLE, decode_name, show_name
from .local import build_reader_argv
from .ssh import Access, build_ssh_argv

# The second name is used when the source has a file with the first name.
NAMES = ("SHA256SUMS", "SHA256SUMS.tempoftp")
FILE_MODE = 0o640
# Seconds: a week. Hashing reads all data.
_LIMIT = 604800.0
_LINE = re.compile(rb"(?P<escaped>\\?)(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")
_ESCAPES = {b"\\\\": b"\\", b"\\n": b"\n", b"\\r": b"\r"}
_ESCAPED = re.compile(rb"\\[\\nr]")
_PIPELINE = "LC_ALL=C sort -z | xargs -0 -r sha256sum --"
# Exit codes of a shell or xargs when the program is missing, and of a key that allows one other command only.
_CANNOT_RUN = (126, 127, 128)
_SSH_FAILED = 255


class Line(NamedTuple):
    """One line of a SHA256SUMS."""

    digest: bytes
    name: bytes


def build_sums_script(is_file: bool, name: str = "") -> str:
    """Return a shell command that prints the sums of all delivered files below its folder, or of one file in it."""
    if is_file:
        return f"sha256sum -- {shlex.quote('./' + name)}"
    return f"LC_ALL=C find . -name {shlex.quote(UNFETCHABLE)} -prune -o -type f -print0 | {_PIPELINE}"


def build_source_argv(access: Access, control_path: Optional[str], is_file: bool) -> list[str]:
    """Return the command line that computes the sums on the source. The source's shell reads it, so it is quoted."""
    folder, _slash, name = access.source.path.rpartition("/") if is_file else (access.source.path, "", "")
    script = f"cd -- {shlex.quote(folder or '/')} && {build_sums_script(is_file, name)}"
    if access.local:
        return [*build_reader_argv(access.source.user), "sh", "-c", script]
    ssh = build_ssh_argv(access, control_path)
    return [*ssh, "-l", access.source.user, "--", access.source.host, f"sh -c {shlex.quote(script)}"]


def compute_at_source(access: Access, control_path: Optional[str], is_file: bool, sums: Path) -> bool:
    """Write the sums that the source computes; False when no command can run there.

    TempoftpError when it cannot be reached. A file that it cannot read is missing in the sums: comparing finds that.
    """
    ended = run_command(build_source_argv(access, control_path, is_file), _LIMIT, output=sums)
    if not access.local and ended.rc == _SSH_FAILED:
        raise TempoftpError(
            f"{access.source.host} cannot be reached to compute checksums: {ended.stderr.strip()[-400:]}",
            "source_unreachable",
        )
    with sums.open("rb") as stream:
        first = stream.readline()
    return ended.rc not in _CANNOT_RUN and (not first or parse_line(first) is not None)


def compute_here(data: Path, sums: Path) -> None:
    """Write the sums of the data that arrived."""
    ended = run_command(["sh", "-c", build_sums_script(is_file=False)], _LIMIT, folder=data, output=sums)
    if ended.rc != 0:
        raise _explain(ended, sums)


def compare_sums(theirs: Path, ours: Path) -> Optional[str]:
    """Return the first name that differs between two files of sums, or None."""
    for left, right in zip_longest(_read_lines(theirs), _read_lines(ours)):
        if left != right:
            named = right or left
            return show_name(decode_name(named.name)) if named else "?"
    return None


def parse_line(line: bytes) -> Optional[Line]:
    r"""Parse one line; None for any other text. After a leading backslash the name has ``\\``, ``\n`` and ``\r``."""
    match = _LINE.fullmatch(line[:-1] if line.endswith(b"\n") else line)
    if match is None:
        return None
    name = match["name"]
    if match["escaped"]:
        name = _ESCAPED.sub(lambda found: _ESCAPES[found[0]], name)
    return Line(match["digest"], name)


def add_sums(data: Path, sums: Path, uid: int, gid: int) -> str:
    """Move the file of sums into the share; return its name there."""
    name = next((name for name in NAMES if not os.path.lexists(data / name)), None)
    if name is None:
        raise InvalidValueError(
            f"the source has files {' and '.join(NAMES)} of its own: ask for it without checksums"
        )
    facts = data.stat()
    os.chown(sums, uid, gid)
    sums.chmod(FILE_MODE)
    sums.rename(data / name)
    # The folder's time is set back to the source's, else the next comparison would find a change.
    os.utime(data, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return name


def remove_sums(data: Path) -> None:
    """Remove what an earlier copy added. A file of the source that has such a name is copied again."""
    for name in NAMES:
        path = data / name
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            path.unlink()


def _read_lines(path: Path) -> Iterator[Optional[Line]]:
    with path.open("rb") as stream:
        for line in stream:
            yield parse_line(line)


def _explain(ended: Ended, sums: Path) -> TempoftpError:
    reason = ended.stderr.strip()[-400:] or f"it ended with code {ended.rc}"
    error_class = "no_space" if "No space left" in reason else "copy_failed"
    return TempoftpError(f"sha256sum could not write {sums}: {reason}", error_class)
