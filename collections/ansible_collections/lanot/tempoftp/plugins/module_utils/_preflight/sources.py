# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks whether each root of each source can be read, over ssh or on this host. Nothing is written."""

from __future__ import annotations

import pwd
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .._copy.local import reading_as
from .._copy.ssh import DEFAULT_CONFIG_FILE, DEFAULT_KNOWN_HOSTS_FILE, Access, build_remote_shell
from .._copy.verdicts import classify_end, name_paths
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.names import Source, parse_path
from .checks import (
    FAIL,
    OK,
    SITE,
    WARN,
    Check,
)

KEYS = Path("/etc/tempoftp/ssh")


_SOURCE_LIMIT = 30.0


def look_at_sources(sources: Sequence[dict[str, Any]], fresh: bool) -> list[Check]:
    """Check whether each root of each source can be listed with its key. Remote ones in parallel: a timeout is long."""
    pairs = [(source, root) for source in sources for root in source.get("roots") or ()]
    remote = [pair for pair in pairs if not pair[0].get("local")]
    # One after the other: each is read as its own user, and a change of the user applies to the whole process.
    local = [look_at_local_source(*pair, fresh) for pair in pairs if pair[0].get("local")]
    if not remote:
        nothing = Check("sources", WARN, "none", "set tempoftp_sources")
        return local or [nothing]
    with ThreadPoolExecutor(min(8, len(remote))) as pool:
        return [*local, *pool.map(lambda pair: look_at_source(pair[0], pair[1]), remote)]


def look_at_local_source(source: dict[str, Any], root: dict[str, Any], fresh: bool) -> Check:
    """Check one root of a source on this host itself, as its own user.

    A host that is new may get the user and the root from the role source_host.
    """
    name, user = f"source:{source['name']}-{root['name']}", source.get("ssh_user") or "lanotadm"
    if fresh and not (_has_user(user) and Path(root["path"]).exists()):
        todo = f"{SITE}, which makes both when this host is one of source_hosts"
        return Check(name, WARN, f"{user} or {root['path']} is not there", todo)
    try:
        path = parse_path(root["path"], "path")
        with reading_as(user):
            next(Path(path).iterdir(), None)
    except TempoftpError as error:
        return Check(name, FAIL, error.message, "correct tempoftp_sources")
    except OSError as error:
        return Check(
            name, FAIL, f"{user} cannot list {root['path']}: {error.strerror}", f"let {user} read it"
        )
    return Check(name, OK, f"{user} can read {path} on this host")


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def look_at_source(source: dict[str, Any], root: dict[str, Any]) -> Check:
    """Check one root of one source."""
    name = f"source:{source['name']}-{root['name']}"
    key = KEYS / f"{source['name']}-{root['name']}"
    if not key.exists():
        todo = f"{SITE}, which makes it; then let {key}.pub in on {source['name']}"
        return Check(name, WARN, f"{key} is not there", todo)
    ssh_user = source.get("ssh_user") or "lanotadm"
    path = parse_path(root["path"], "path")
    access = Access(
        Source(ssh_user, source["name"], path), str(key), DEFAULT_CONFIG_FILE, DEFAULT_KNOWN_HOSTS_FILE
    )
    operand = "." if root.get("restricted", True) else f"{path}/"
    argv = ["rsync", "--list-only", "--dirs", f"--rsh={build_remote_shell(access, None)}", "--"]
    ended = run_command([*argv, f"{ssh_user}@{source['name']}:{operand}"], _SOURCE_LIMIT)
    if ended.rc == 0:
        return Check(name, OK, f"{ssh_user}@{source['name']}:{path} can be read")
    verdict = classify_end(ended.rc, name_paths(ended.stderr, path, is_file=False))
    todo = {
        "source_unreachable": f"address, port, host key or {key}.pub on {source['name']}",
        "source_denied": f"let {ssh_user} read {path} on {source['name']}",
        "source_shell": f"let the startup files of {ssh_user}'s login shell on {source['name']} print nothing",
        "source_not_found": f"is {path} there on {source['name']}, and the key's rrsync folder the same?",
    }.get(verdict.error_class, f"look at {source['name']}")
    return Check(name, FAIL, f"{verdict.error_class}: {verdict.reason}", todo)
