# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at a source host: what the role ``source_host`` needs there, and what FTP hosts need afterwards.

Nothing is written.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._copy.local import reading_as
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .checks import FAIL, SITE, WARN, Check, check_distribution, check_program
from .look import ask_program, parse_os_release, read_text
from .source_checks import (
    KEYS_FILE,
    PathFacts,
    Reader,
    check_keys_file,
    check_reader,
    check_rrsync,
    check_source_root,
    check_sshd,
    parse_sshd,
)

RRSYNC = "/usr/bin/rrsync"
SSHD = "/usr/sbin/sshd"
_SSHD_LIMIT = 20.0


class SourceHostOptions(NamedTuple):
    """The options of a look at a source host.

    *name*: its entry in *sources*. *addresses*: those from which the FTP hosts come, as far as they are known.
    *creates_roots*: whether the role makes roots that are missing.
    """

    name: str
    sources: Sequence[dict[str, Any]]
    addresses: Sequence[str] = ()
    creates_roots: bool = False


def run_source_host(wanted: SourceHostOptions) -> list[Check]:
    """Return all checks. A part that cannot be read becomes a failed check."""
    entries = [source for source in wanted.sources if source.get("name") == wanted.name]
    if len(entries) != 1:
        names = ", ".join(str(source.get("name")) for source in wanted.sources) or "none"
        todo = "add it there once, or set source_host_name for this host"
        return [Check("source_entry", FAIL, f"tempoftp_sources has no {wanted.name}, only {names}", todo)]
    (source,) = entries
    user = source.get("ssh_user") or "lanotadm"
    reader = read_reader_facts(user)
    checks: list[Check] = []
    parts: tuple[tuple[str, Callable[[], Sequence[Check]]], ...] = (
        ("programs", lambda: look_at_programs(source)),
        ("ssh_user", lambda: [check_reader(user, reader, time.time())]),
        (
            "roots",
            lambda: [look_at_root(root, reader, wanted.creates_roots) for root in source.get("roots") or ()],
        ),
        # What lies on an FTP host itself is read without ssh.
        (
            "sshd",
            lambda: [] if source.get("local") else look_at_sshd(user, reader, wanted.addresses),
        ),
    )
    for name, look in parts:
        try:
            checks += look()
        except (OSError, TempoftpError, ValueError) as error:
            checks.append(Check(name, FAIL, f"could not be looked at: {error}", "look at the host"))
    return checks


def look_at_programs(source: Mapping[str, Any], rrsync: str = RRSYNC) -> list[Check]:
    """Check the distribution and rsync; rrsync if a root needs it. The role installs what is missing."""
    version = ask_program("rsync", "--version")
    checks = [
        check_distribution(parse_os_release(read_text("/etc/os-release"))),
        check_program("rsync", version, fresh=True, least="3.1.0", good="3.1.3", package="rsync"),
    ]
    if any(root.get("restricted", True) for root in source.get("roots") or ()):
        checks.append(check_rrsync(rrsync, os.access(rrsync, os.X_OK), version is not None))
    return checks


def read_reader_facts(name: str) -> Optional[Reader]:
    """Return the user as whom data is read, or None when there is none of this name."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    fields = _read_shadow(name)
    groups = []
    for gid in os.getgrouplist(name, entry.pw_gid):
        try:
            groups.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue  # a group that only has a number can stand in no list of sshd
    return Reader(
        name,
        entry.pw_dir.rstrip("/") or "/",
        entry.pw_shell or "/bin/sh",
        tuple(groups),
        locked=fields[1].startswith("!"),
        expires=int(fields[7]) if fields[7].isdigit() else None,
    )


def look_at_root(root: Mapping[str, Any], reader: Optional[Reader], created: bool) -> Check:
    """Check one root: whether it is a folder, and whether its user can list it."""
    path, kind, error = Path(root["path"]), None, None
    if os.path.lexists(path):
        # The role refuses a link: rrsync and the copies would see other paths than the inventory says.
        kind = "directory" if path.is_dir() and not path.is_symlink() else "other"
    if kind == "directory" and reader is not None:
        try:
            with reading_as(reader.name):
                next(path.iterdir(), None)
        except OSError as failure:
            error = failure.strerror
    return check_source_root(root["name"], str(path), reader, kind=kind, error=error, created=created)


def look_at_sshd(
    user: str, reader: Optional[Reader], addresses: Sequence[str], sshd: str = SSHD
) -> list[Check]:
    """Ask sshd itself how it would treat the user from each address: it knows its included files and Match blocks."""
    if not os.access(sshd, os.X_OK):
        return [
            Check("sshd", FAIL, f"there is no {sshd}", "install the OpenSSH server: FTP hosts log in by it")
        ]
    if reader is None:
        todo = f"{SITE}, which makes the user, then look again"
        return [Check("sshd", WARN, f"what it would do with {user} is known once there is {user}", todo)]
    checks: list[Check] = []
    for address in addresses or ("",):
        where = address or "127.0.0.1"
        ended = run_command([sshd, "-T", "-C", f"user={user},host={where},addr={where}"], _SSHD_LIMIT)
        if ended.rc != 0:
            said = ended.stderr.strip().splitlines()[-1:] or [f"code {ended.rc}"]
            todo = (
                f"look there for AllowUsers, AllowGroups and AuthorizedKeysFile: {user} must get in by a key"
            )
            return [Check("sshd", WARN, f"its configuration could not be read: {said[0]}", todo)]
        options = parse_sshd(ended.stdout)
        checks += [
            check_sshd(reader, options, address),
            check_keys_file(reader, options, *_read_paths(reader)),
        ]
    # A judgement that is the same for all addresses is printed once.
    return list(dict.fromkeys(checks))


def _read_paths(reader: Reader) -> tuple[list[PathFacts], int]:
    """Return owner and mode of the home and of what of the keys is there, and the user's uid."""
    found = []
    home = Path(reader.home)
    for path in (home, (home / KEYS_FILE).parent, home / KEYS_FILE):
        try:
            facts = path.stat()
        except FileNotFoundError:
            break
        found.append(PathFacts(str(path), facts.st_uid, stat.S_IMODE(facts.st_mode)))
    return found, pwd.getpwnam(reader.name).pw_uid


def _read_shadow(name: str) -> list[str]:
    """Return the fields of the user in /etc/shadow; empty ones when it has no line there."""
    for line in read_text("/etc/shadow").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) >= 8:
            return fields
    return [""] * 9
