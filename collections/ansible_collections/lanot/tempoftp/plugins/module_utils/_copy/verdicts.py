# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the end of an rsync means, read from its exit code and error output. Everything here is pure.

The messages are those of rsync 3.2.3 to 3.5.0 (of a source also those of 3.1.3), rrsync and OpenSSH with
``LC_ALL=C``. Tests produce them with the real programs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .._host.names import is_below, show_name
from .rsync import CopyPlan, Survey, decode_escapes


class Verdict(NamedTuple):
    """The meaning of an rsync's end: ``done``, ``again`` (another pass may help), ``file`` or ``failed``.

    ``file``: the source is no directory, so it must be named without a trailing slash. For ``again``, *error_class* is
    the error after the last pass. *what* and *advice* replace those of the error class in the message.
    """

    kind: str
    error_class: str = ""
    reason: str = ""
    what: str = ""
    advice: str = ""


# What rrsync 3.5.0 calls the folder that it has opened for rsync, and its words for a path that it could not open or
# that leads out of its folder.
_PINNED = re.compile(r'/proc/self/fd/\d+(?=[/":\s]|$)')
_UNOPENED = re.compile(
    r"rrsync error: post-\w+ open failed.* "
    "(?P<why>Permission denied|No such file or directory|Not a directory|Too many levels of symbolic links)"
)
_LEADS_OUT = re.compile(r"\S*rrsync error: unsafe arg: .* \['.*', '(?P<real>.*)'\]")
_OUTSIDE = "outside of the folder that the key may read"


def name_paths(stderr: str, path: str, is_file: bool) -> str:
    """Return error output with every path as the owner of the source knows it. *path*: the path of the source."""
    folder = (path.rpartition("/")[0] or "/") if is_file else path
    return "\n".join(_name_path(line.strip(), path, folder) for line in stderr.splitlines())


def _name_path(line: str, path: str, folder: str) -> str:
    line = show_name(decode_escapes(line))
    # Two programs write into the same pipe, so more may stand on the line.
    match = _UNOPENED.search(line)
    if match:
        return f'rrsync cannot open "{path}": {match["why"]}'
    match = _LEADS_OUT.fullmatch(line)
    if match:
        return f'rrsync: "{path}" leads to "{match["real"]}", {_OUTSIDE}'
    named = _PINNED.sub(lambda _found: folder, line)
    return named.replace("//", "/") if folder == "/" and named != line else named


# Lines that rsync and ssh print at every failure.
_NOISE = re.compile(
    r"rsync error: |rsync: connection unexpectedly closed|rsync: \[\w+\] write error: Broken pipe|"
    r"IO error encountered|mux_client_|Control socket connect|ControlSocket |\(see the rsync manpage"
)
# How the lines of rsync, rrsync, ssh and a shell begin. Any other line was printed by something else on the source,
# such as the startup files of the login shell.
_PROGRAM = re.compile(
    r"rsync|\S*rrsync|ssh|kex_|Host key verification|Connection |Timeout, |client_loop|\S*sh: |\S+@\S+: |"
    r"file has vanished|ERROR: |@ERROR"
)
_FULL = re.compile(r"rsync: .* \((?:28|122)\)")
# rsync's words when the list of what the source names takes more memory than it may have on this host.
_TOO_LONG = re.compile(r"(?:ERROR: )?(?:\[(?:Receiver|receiver|generator)\] )?out of memory")
# rsync's words when the peer sent something else than its protocol.
_UNCLEAN = re.compile(r"protocol version mismatch|unexpected tag \d|.*is your shell clean")
_SSH_FAILURE = re.compile(
    r"ssh: |ssh_exchange_identification|kex_exchange_identification|Host key verification failed|"
    r"Connection (?:closed|reset|refused|timed out)|Connection to \S+ (?:closed|timed out)|No route to host|"
    r"Permission denied \((?:publickey|password|keyboard)|Timeout, server|client_loop: send disconnect"
)
_KILLED_CODES = (12, 14, 19, 20)
_NETWORK_CODES = (5, 10, 30, 35, 255)


def classify_end(rc: int, stderr: str) -> Verdict:
    """Return the meaning of an rsync's exit code and error output. A negative *rc* is the signal that killed it."""
    if rc == 0:
        return Verdict("done")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not _NOISE.match(line)]
    reason = _pick_reason(telling, rc)
    if rc == 11 or any(_FULL.fullmatch(line) for line in telling):
        return Verdict("failed", "no_space", reason)
    if rc == 22 and any(_TOO_LONG.match(line) for line in telling):
        return Verdict("failed", "too_large", reason)
    if any(_UNCLEAN.match(line) for line in telling):
        return Verdict("again", "source_shell", reason)
    ssh_lines = [line for line in telling if _SSH_FAILURE.search(line)]
    if rc in _NETWORK_CODES or (rc != 23 and ssh_lines):
        return Verdict("failed", "source_unreachable", _pick_reason(ssh_lines or telling, rc))
    for words, verdict in _SOURCE_WORDS:
        named = [line for line in telling if words.search(line) and _is_about_source(line)]
        if named:
            return verdict._replace(reason=_pick_reason(named, rc))
    if rc == 24 or (rc == 23 and _is_about_change(telling)):
        return Verdict("again", "source_changing", reason)
    if rc < 0 or rc in _KILLED_CODES:
        return Verdict("again", "copy_failed", reason)
    return Verdict("failed", "copy_failed", reason)


_NOT_FOUND = Verdict("failed", "source_not_found")
_DENIED = Verdict("failed", "source_denied")
# As a folder, a link to a file, to nothing or to itself cannot be opened. As a file, rsync tells that it is a link.
_FILE = Verdict("file", "source_not_found")
_SOURCE_WORDS = tuple(
    (re.compile(words), verdict)
    for words, verdict in (
        ("Not a directory", _FILE),
        ("Too many levels of symbolic links", _FILE),
        ("Permission denied", _DENIED),
        ("(?:change_dir|rrsync cannot open) .*No such file or directory", _FILE),
        ("No such file or directory", _NOT_FOUND),
        (r"do not use \.\. in", _DENIED),
        (f"unsafe arg:|{_OUTSIDE}", _DENIED),
    )
)


# Until 3.1.3 a message does not say who wrote it. The rsync on the FTP host is newer, so it is the source's.
_UNSIGNED = re.compile(r"rsync: (?:link_stat|change_dir|opendir|send_files|readlink_stat|readlink)\b")


def _is_about_source(line: str) -> bool:
    if "rrsync" in line:
        return True
    # A file in the tree that disappears during the copy is a change. Only the operand itself can be "not found".
    if "[sender]" in line or _UNSIGNED.match(line):
        return "Permission denied" in line or "change_dir " in line or "link_stat " in line
    return False


def _is_about_change(lines: Sequence[str]) -> bool:
    words = ("failed verification", "vanished", "No such file or directory", "Stale file handle")
    return any(word in line for line in lines for word in words)


def _pick_reason(lines: Sequence[str], rc: int) -> str:
    if not lines:
        return f"rsync was killed by signal {-rc}" if rc < 0 else f"rsync ended with code {rc}"
    named = [line for line in lines if _PROGRAM.match(line)] or lines
    more = f" (and {len(named) - 1} more)" if len(named) > 1 else ""
    return named[0][:400] + more


def judge_file(plan: CopyPlan, survey: Survey, link: str, folder_reason: str) -> Verdict:
    """Return what a dry run says about a source that was taken for a file: ``done`` when it is a plain file.

    *link*: ``name -> target`` of a link. *folder_reason*: what rsync said when it took the source for a folder.
    """
    path = plan.source.path
    if survey.folders_total:
        return Verdict("again", "source_changing", "it was replaced by a folder")
    if survey.files_total:
        return Verdict("done")
    name = f"{show_name(posixpath.basename(path))} -> "
    if link.startswith(name):
        return _judge_link(path, link[len(name) :], folder_reason, plan.source_root)
    what = "is neither a folder nor a plain file"
    return Verdict("failed", "source_not_found", "nothing else is delivered", what)


def _judge_link(path: str, target: str, folder_reason: str, source_root: Optional[str]) -> Verdict:
    """Return why a link is not delivered. What rsync said of it as a folder tells where it leads."""
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if "Too many levels" in folder_reason:
        what, advice = f"is a link to {target}, which leads back to it", "check the path"
    elif "Not a directory" not in folder_reason:
        what, advice = f"is a link to {target}, which leads nowhere", "check the path"
    elif source_root is not None and not is_below(resolved, source_root):
        what, advice = f"is a link to {target}, {_OUTSIDE}", f"ask for a path below {source_root}"
    else:
        what, advice = f"is a link to {target}, and only links to folders are followed", f"ask for {resolved}"
    return Verdict("failed", "source_not_found", "a link is not delivered", what, advice)
