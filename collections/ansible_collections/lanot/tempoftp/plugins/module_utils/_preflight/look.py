# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the state of an FTP host for ``playbooks/preflight.yml``. Nothing is written, on this host or on a source."""

from __future__ import annotations

import contextlib
import fnmatch
import grp
import locale
import os
import pwd
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Optional

from .._account.mysql_login import (
    PYMYSQL_IMPORT_ERROR,
)
from .._host.commands import LOCALE, run_command
from .._host.errors import TempoftpError
from .._host.facts import read_greeting
from .._host.mounts import parse_mountinfo
from .._host.pureftpd_config import CONFIGURATION, PureftpdConfig, read_pureftpd
from .._host.space import read_disk
from .checks import (
    FAIL,
    NETWORK_FILESYSTEMS,
    OK,
    SITE,
    WARN,
    Check,
    check_distribution,
    check_filesystem,
    check_identity,
    check_locale,
    check_program,
    check_pureftpd,
    check_root,
    check_skew,
    check_space,
)
from .database import look_at_database
from .options import PreflightOptions
from .sandbox import look_at_sandboxes
from .sources import look_at_sources

EXPIRE_FILE = Path("/etc/tempoftp/expire.json")
TIMER = "tempoftp-expire.timer"
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
# Seconds.
_PROGRAM_LIMIT = 20.0


def run_preflight(wanted: PreflightOptions) -> tuple[list[Check], PureftpdConfig]:
    """Return all checks, and pure-ftpd's configuration. A part that cannot be read becomes a failed check."""
    config = read_pureftpd(CONFIGURATION, wanted.mysql_conf)
    login_file = Path(wanted.login.login_config_file or "/nonexistent")
    sockets = [path for path in SOCKETS if Path(path).exists()]
    fresh = not (config.found or login_file.exists() or sockets)
    checks: list[Check] = []
    parts: tuple[tuple[str, Callable[[], Sequence[Check]]], ...] = (
        ("system", lambda: look_at_system(fresh)),
        ("identities", lambda: look_at_identities(wanted)),
        ("root", lambda: look_at_root(wanted)),
        ("pure_ftpd", lambda: look_at_pureftpd(config, wanted)),
        ("database", lambda: look_at_database(wanted, config, login_file, sockets, fresh)),
        ("sources", lambda: look_at_sources(wanted.sources, fresh)),
        ("expire_timer", lambda: look_at_timer(fresh)),
        ("sandbox", lambda: look_at_sandboxes(wanted.root, wanted.sources) if has_systemd() else []),
        ("clock", lambda: look_at_clock(wanted)),
    )
    for name, look in parts:
        try:
            checks += look()
        except (OSError, TempoftpError, ValueError) as error:
            checks.append(Check(name, FAIL, f"could not be looked at: {error}", "look at the host"))
    return checks, config


def look_at_system(fresh: bool) -> list[Check]:
    """Check systemd, the distribution, and the programs that copies need."""
    checks = [check_distribution(parse_os_release(read_text("/etc/os-release")))]
    if has_systemd():
        version = ask_program("systemctl", "--version")
        checks.append(
            check_program("systemd", version, fresh=False, least="236", good="247", package="systemd")
        )
    else:
        checks.append(
            Check("systemd", FAIL, "does not run here", "copies are units of systemd: use another host")
        )
    python = ".".join(str(part) for part in sys.version_info[:3])
    checks.append(check_program("python", python, fresh=fresh, least="3.9", good="3.9", package="python3"))
    for name, argv, least, good, package in (
        ("rsync", ("rsync", "--version"), "3.1.3", "3.2.3", "rsync"),
        ("ssh", ("ssh", "-V"), "7.6", "8.0", "openssh-client"),
    ):
        checks.append(
            check_program(name, ask_program(*argv), fresh=fresh, least=least, good=good, package=package)
        )
    pymysql = None if PYMYSQL_IMPORT_ERROR else "1"
    missing = check_program("pymysql", pymysql, fresh=fresh, least="0", good="0", package="python3-pymysql")
    checks.append(missing if pymysql is None else Check("pymysql", OK, "installed"))
    return [*checks, look_at_locale()]


def has_systemd() -> bool:
    """Whether systemd runs this host."""
    return Path("/run/systemd/system").is_dir()


def look_at_locale(files: Sequence[str] = ("/etc/locale.conf", "/etc/default/locale")) -> Check:
    """Check the locale of tempoftp's programs, and the one that this host gives to all others."""
    values: dict[str, str] = {}
    for path in files:
        with contextlib.suppress(OSError):
            values.update(parse_os_release(read_text(path)))
    name = values.get("LC_ALL") or values.get("LANG", "")
    return check_locale(is_generated(LOCALE), name, not name or is_generated(name))


def is_generated(name: str) -> bool:
    """Return whether this host has a locale."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return True


def look_at_identities(wanted: PreflightOptions) -> list[Check]:
    """Check the uid and the gid that FTP accounts get."""
    holder = owner = None
    with contextlib.suppress(KeyError):
        holder = pwd.getpwuid(wanted.uid).pw_name
    with contextlib.suppress(KeyError):
        owner = grp.getgrgid(wanted.gid).gr_name
    own_uid = own_gid = None
    with contextlib.suppress(KeyError):
        own_uid = pwd.getpwnam(wanted.user).pw_uid
    with contextlib.suppress(KeyError):
        own_gid = grp.getgrnam(wanted.group).gr_gid
    return [
        check_identity("uid", wanted.uid, wanted.user, holder, own_uid),
        check_identity("gid", wanted.gid, wanted.group, owner, own_gid),
    ]


def look_at_root(wanted: PreflightOptions) -> list[Check]:
    """Check owner, filesystem and space of the delivery root."""
    path = Path(wanted.root)
    kind, uid, mode = None, 0, 0
    with contextlib.suppress(FileNotFoundError):
        facts = os.lstat(path)
        uid, mode = facts.st_uid, stat.S_IMODE(facts.st_mode)
        kind = "directory" if stat.S_ISDIR(facts.st_mode) else "other"
        kind = "symlink" if stat.S_ISLNK(facts.st_mode) else kind
    checks = [check_root(wanted.root, kind, uid, mode)]
    there = path
    while not there.exists():
        there = there.parent
    filesystem, options = find_filesystem(Path("/proc/self/mountinfo").read_bytes(), str(there.resolve()))
    maker = find_maker(there) if filesystem in NETWORK_FILESYSTEMS else None
    checks.append(check_filesystem(filesystem, options, maker))
    return [*checks, *check_space(read_disk(there), wanted.reserve)]


def find_maker(folder: Path) -> int:
    """Return whose a new folder in *folder* is; -1 when none can be made. A server may take root for somebody else."""
    try:
        with tempfile.TemporaryDirectory(prefix=".tempoftp-preflight-", dir=folder) as made:
            return Path(made).stat().st_uid
    except OSError:
        return -1


def look_at_pureftpd(config: PureftpdConfig, wanted: PreflightOptions) -> list[Check]:
    """Check pure-ftpd: its version, whether it answers, and its options."""
    version = _ask_package()
    program = check_program(
        "pure_ftpd",
        version,
        fresh=not config.found,
        least="1.0.47",
        good="1.0.49",
        package="pure-ftpd with MySQL",
    )
    if not config.found:
        return [program]
    greeting = read_greeting(config.port, config.address)
    if greeting["ok"]:
        answers = Check("pure_ftpd_answers", OK, f"port {config.port}")
    else:
        what = f"nothing greets on port {config.port}: {greeting.get('error') or greeting['banner']}"
        answers = Check("pure_ftpd_answers", FAIL, what, "start it; journalctl -t pure-ftpd")
    rotated = is_rotated(config.download_log[1], _read_logrotate())
    return [program, answers, *check_pureftpd(config, wanted.uid, rotated)]


def look_at_timer(fresh: bool) -> list[Check]:
    """Check the timer that ends shares without the control host."""
    if fresh:
        return []
    if not EXPIRE_FILE.exists():
        return [Check("expire_timer", WARN, f"{TIMER} is not there yet", SITE)]
    state = run_command(["systemctl", "is-active", TIMER], _PROGRAM_LIMIT).stdout.strip()
    if state == "active":
        return [Check("expire_timer", OK, f"{TIMER} is active")]
    return [
        Check(
            "expire_timer", FAIL, f"{TIMER} is {state}: no share would end", f"systemctl enable --now {TIMER}"
        )
    ]


def look_at_clock(wanted: PreflightOptions) -> list[Check]:
    """Compare this host's clock with that of the control host."""
    if wanted.control_time is None:
        return []
    return [check_skew("clock", time.time() - wanted.control_time, "the control host")]


def parse_os_release(text: str) -> dict[str, str]:
    """Return the variables of ``/etc/os-release``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _equals, value in pairs}


def find_filesystem(mountinfo: bytes, path: str) -> tuple[str, list[str]]:
    """Return type and options of the filesystem of *path*: its deepest mount point, and the last mount on it."""
    best, found = "", ("?", [""])
    for line, point in zip(mountinfo.splitlines(), parse_mountinfo(mountinfo)):
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            before, _dash, after = line.decode("utf-8", "replace").partition(" - ")
            best, found = point, (after.split(" ")[0], before.split(" ")[5].split(","))
    return found


def is_rotated(log: str, configurations: Sequence[str]) -> bool:
    """Whether one of logrotate's files names *log*, literally or by a pattern."""
    words = (word.strip("\"'") for text in configurations for word in re.findall(r"\S+", text))
    return bool(log) and any(word.startswith("/") and fnmatch.fnmatch(log, word) for word in words)


def _read_logrotate() -> list[str]:
    folder = Path("/etc/logrotate.d")
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [read_text(str(path)) for path in (*files, Path("/etc/logrotate.conf"))]


def ask_program(*argv: str) -> Optional[str]:
    """Return the first line that a program prints, or None when the program is missing."""
    try:
        ended = run_command(argv, _PROGRAM_LIMIT)
    except TempoftpError:
        return None
    lines = (ended.stdout or ended.stderr).splitlines()
    return lines[0].strip() if lines else "?"


def _ask_package() -> Optional[str]:
    """Return the version of the pure-ftpd with MySQL; Debian's package `pure-ftpd` is one without."""
    for argv in (
        ("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", "pure-ftpd-mysql"),
        ("rpm", "-q", "--qf", "installed %{VERSION}", "pure-ftpd"),
    ):
        with contextlib.suppress(TempoftpError):
            status, _blank, version = run_command(argv, _PROGRAM_LIMIT).stdout.partition(" ")
            if status == "installed":
                return version
    return None


def read_text(path: str) -> str:
    """Return the content of a file; nothing when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
