# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the state of an FTP host for ``playbooks/preflight.yml``. Nothing is written, on this host or on a source."""

from __future__ import annotations

import contextlib
import fnmatch
import grp
import os
import posixpath
import pwd
import re
import stat
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._account.mysql_login import (
    MYSQL_ERRORS,
    PYMYSQL_IMPORT_ERROR,
    LoginOptions,
    describe_failure,
    open_connection,
)
from .._account.passwords import parse_mysql_crypt
from .._account.users_table import TableDescription, TableFacts, quote_identifier, read_table
from .._copy.local import reading_as
from .._copy.rsync import classify_end
from .._copy.ssh import DEFAULT_CONFIG_FILE, DEFAULT_KNOWN_HOSTS_FILE, Access, build_remote_shell
from .._host.commands import run_command
from .._host.errors import TempoftpError
from .._host.facts import read_greeting
from .._host.mounts import parse_mountinfo
from .._host.names import Source, parse_path
from .._host.pureftpd_config import CONFIGURATION, PureftpdConfig, read_pureftpd
from .._host.space import Need, read_disk
from .._host.tree import Tree
from .._record.accounts import read_account
from .checks import (
    FAIL,
    NAME_LENGTH,
    OK,
    SITE,
    WARN,
    Check,
    check_distribution,
    check_filesystem,
    check_homes,
    check_identity,
    check_login_query,
    check_passwords,
    check_program,
    check_pureftpd,
    check_root,
    check_skew,
    check_space,
    check_table,
)

KEYS = Path("/etc/tempoftp/ssh")
EXPIRE_FILE = Path("/etc/tempoftp/expire.json")
TIMER = "tempoftp-expire.timer"
# The role ftp_database gives the database this name.
DEFAULT_DATABASE = "pureftpd"
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock")
# Seconds.
_PROGRAM_LIMIT = 20.0
_SOURCE_LIMIT = 30.0


class PreflightOptions(NamedTuple):
    """The options of a preflight. *control_time*: the time on the control host, in seconds since the epoch."""

    root: str
    uid: int
    gid: int
    user: str
    group: str
    table: TableDescription
    login: LoginOptions
    mysql_conf: Optional[str]
    reserve: Need
    sources: Sequence[dict[str, Any]]
    control_time: Optional[float]


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
        ("sources", lambda: look_at_sources(wanted, fresh)),
        ("expire_timer", lambda: look_at_timer(fresh)),
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
    checks = [check_distribution(parse_os_release(_read_text("/etc/os-release")))]
    if Path("/run/systemd/system").is_dir():
        version = _ask("systemctl", "--version")
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
        ("rsync", ("rsync", "--version"), "3.1.0", "3.2.7", "rsync"),
        ("ssh", ("ssh", "-V"), "7.6", "8.0", "openssh-client"),
    ):
        checks.append(check_program(name, _ask(*argv), fresh=fresh, least=least, good=good, package=package))
    pymysql = None if PYMYSQL_IMPORT_ERROR else "1"
    missing = check_program("pymysql", pymysql, fresh=fresh, least="0", good="0", package="python3-pymysql")
    checks.append(missing if pymysql is None else Check("pymysql", OK, "installed"))
    return checks


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
    checks.append(check_filesystem(filesystem, options))
    return [*checks, *check_space(read_disk(there), wanted.reserve)]


def look_at_pureftpd(config: PureftpdConfig, wanted: PreflightOptions) -> list[Check]:
    """Check pure-ftpd: its version, whether it answers, and its options."""
    version = _ask_package()
    program = check_program(
        "pure_ftpd",
        version,
        fresh=not config.found,
        least="1.0.47",
        good="1.0.50",
        package="pure-ftpd with MySQL",
    )
    if not config.found:
        return [program]
    greeting = read_greeting(config.port)
    if greeting["ok"]:
        answers = Check("pure_ftpd_answers", OK, f"port {config.port}")
    else:
        what = f"nothing greets on port {config.port}: {greeting.get('error') or greeting['banner']}"
        answers = Check("pure_ftpd_answers", FAIL, what, "start it; journalctl -t pure-ftpd")
    rotated = is_rotated(config.download_log[1], _read_logrotate())
    return [program, answers, *check_pureftpd(config, wanted.uid, rotated)]


def look_at_database(
    wanted: PreflightOptions, config: PureftpdConfig, login_file: Path, sockets: Sequence[str], fresh: bool
) -> list[Check]:
    """Check the users table, by the modules' own login if there is one, else as root over the socket."""
    if PYMYSQL_IMPORT_ERROR or (fresh and not wanted.login.login_user):
        todo = SITE if fresh else "install python3-pymysql; then this can be looked at"
        return [Check("database", WARN if fresh else FAIL, "could not be asked yet", todo)]
    login = wanted.login
    if not login.login_user and not login_file.exists():
        if not sockets:
            return [Check("database", WARN, "no login yet, and no server on this host", SITE)]
        login = login._replace(
            login_config_file="",
            login_user="root",
            login_unix_socket=sockets[0],
            login_db=login.login_db or DEFAULT_DATABASE,
        )
    try:
        connection = open_connection(login)
    except TempoftpError as error:
        return [
            Check("database", FAIL, error.message, "set ftp_db_host and ftp_db_name, or start the server")
        ]
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            return _look_at_table(cursor, wanted, config, fresh)
        except TempoftpError as error:
            managed = not config.found
            todo = (
                f"{SITE}, which makes it"
                if managed
                else "set ftp_db_name, tempoftp_table and tempoftp_columns"
            )
            return [Check("table", WARN if managed else FAIL, error.message, todo)]
        except MYSQL_ERRORS as error:
            return [
                Check("database", FAIL, describe_failure(error), "look at the server and the login's grants")
            ]


def _look_at_table(cursor: Any, wanted: PreflightOptions, config: PureftpdConfig, fresh: bool) -> list[Check]:
    facts = read_table(cursor, wanted.table)
    database, now = _ask_server(cursor, "SELECT DATABASE(), UNIX_TIMESTAMP()")[0]
    checks = [Check("database", OK, f"{facts.version}, database {database}")]
    columns = _ask_server(
        cursor,
        "SELECT COLUMN_NAME, COLLATION_NAME, IS_NULLABLE, COLUMN_DEFAULT, EXTRA FROM INFORMATION_SCHEMA.COLUMNS"
        " WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        facts.table,
    )
    foreign = [
        str(name)
        for name, _collation, nullable, default, extra in columns
        if nullable == "NO"
        and default is None
        and "auto_increment" not in extra
        and name not in facts.columns.values()
    ]
    checks += check_table(facts, foreign)
    if config.found:
        mysql_crypt = parse_mysql_crypt(_read_text(config.mysql_conf))
        checks += check_passwords(mysql_crypt, facts.password_width, config.mysql_conf)
        collation = next((row[1] for row in columns if row[0] == facts.columns["name"]), None)
        checks += check_login_query(config, database, facts, collation)
    checks.append(check_skew("database_clock", time.time() - float(now), "the database"))
    checks.append(_look_at_accounts(cursor, wanted, facts))
    return checks


def _look_at_accounts(cursor: Any, wanted: PreflightOptions, facts: TableFacts) -> Check:
    name, home = (quote_identifier(facts.columns[field]) for field in ("name", "home"))
    rows = _ask_server(cursor, f"SELECT {name}, {home} FROM {quote_identifier(facts.table)}")  # noqa: S608 - quoted
    accounts = [(_to_text(name), _to_text(home)) for name, home in rows]
    wide = [name for name, home in accounts if is_above(home, wanted.root)]
    others = sum(not _is_ours(wanted.root, name) for name, _home in accounts)
    return check_homes(wanted.root, wide, others)


def _is_ours(root: str, name: str) -> bool:
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{NAME_LENGTH - 1}}}", name):
        return False
    record = read_account(Tree(Path(root)), name)
    return record is not None and record.origin == "created"


def look_at_sources(wanted: PreflightOptions, fresh: bool) -> list[Check]:
    """Check whether each root of each source can be listed with its key. Remote ones in parallel: a timeout is long."""
    pairs = [(source, root) for source in wanted.sources for root in source.get("roots") or ()]
    remote = [pair for pair in pairs if not pair[0].get("local")]
    # One after the other: each is read as its own user, and a change of the user applies to the whole process.
    local = [look_at_local_source(*pair) for pair in pairs if pair[0].get("local")]
    if not remote:
        nothing = Check("sources", WARN, "none", "set tempoftp_sources")
        return local or [nothing]
    with ThreadPoolExecutor(min(8, len(remote))) as pool:
        return [*local, *pool.map(lambda pair: look_at_source(pair[0], pair[1], fresh), remote)]


def look_at_local_source(source: dict[str, Any], root: dict[str, Any]) -> Check:
    """Check one root of a source on this host itself, as its own user."""
    name, user = f"source:{source['name']}-{root['name']}", source.get("ssh_user") or "lanotadm"
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


def look_at_source(source: dict[str, Any], root: dict[str, Any], fresh: bool) -> Check:
    """Check one root of one source."""
    name = f"source:{source['name']}-{root['name']}"
    key = KEYS / f"{source['name']}-{root['name']}"
    if not key.exists():
        todo = f"{SITE}, which makes it; then let {key}.pub in on {source['name']}"
        return Check(name, WARN if fresh else FAIL, f"{key} is not there", todo)
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
    verdict = classify_end(ended.rc, ended.stderr)
    todo = {
        "source_unreachable": f"address, port, host key or {key}.pub on {source['name']}",
        "source_denied": f"let {ssh_user} read {path} on {source['name']}",
        "source_not_found": f"is {path} there on {source['name']}, and the key's rrsync folder the same?",
    }.get(verdict.error_class, f"look at {source['name']}")
    return Check(name, FAIL, f"{verdict.error_class}: {verdict.reason}", todo)


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


def is_above(home: str, root: str) -> bool:
    """Whether an account with this home can see the whole root."""
    path = posixpath.normpath(home.partition("/./")[0] or "/")
    return path == "/" or (root.rstrip("/") + "/").startswith(path.rstrip("/") + "/")


def _read_logrotate() -> list[str]:
    folder = Path("/etc/logrotate.d")
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [_read_text(str(path)) for path in (*files, Path("/etc/logrotate.conf"))]


def _ask_server(cursor: Any, statement: str, *values: Any) -> Sequence[Sequence[Any]]:
    cursor.execute(statement, values)
    rows: Sequence[Sequence[Any]] = cursor.fetchall()
    return rows


def _ask(*argv: str) -> Optional[str]:
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


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _to_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value or "")
