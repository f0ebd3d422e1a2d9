# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of preflight. Each one judges values that ``look`` has read. Pure.

``fresh`` means: tempoftp was never set up on this host, so what ``site.yml`` creates may still be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._account.passwords import choose_schemes, require_scheme
from .._account.users_table import TableFacts
from .._host.commands import LOCALE
from .._host.errors import TempoftpError
from .._host.pureftpd_config import PureftpdConfig
from .._host.space import Disk, Need

OK, WARN, FAIL = "ok", "warn", "fail"
STATUSES = (OK, WARN, FAIL)
SITE = "run playbooks/site.yml"
# The service gives accounts names of at most so many characters.
NAME_LENGTH = 32
# Seconds.
SKEW_WARN, SKEW_FAIL = 5.0, 60.0
LISTING_ENOUGH = 100_000
_TESTED = {("debian", "11"), ("debian", "12"), ("debian", "13")}
_RENDERED = ("rhel", "rocky", "almalinux", "centos")
_LOCAL_FILESYSTEMS = ("ext4", "xfs", "btrfs", "ext3", "zfs", "f2fs")
NETWORK_FILESYSTEMS = ("nfs", "nfs4")
_POOR_FILESYSTEMS = ("vfat", "exfat", "ntfs", "ntfs3", "cifs", "smb3", "fuseblk", "9p", "squashfs", "iso9660")


class Check(NamedTuple):
    """One line of the report: the name, ``ok|warn|fail``, what was found, what to do about it (empty when ok)."""

    name: str
    status: str
    what: str
    todo: str = ""


def check_distribution(os_release: Mapping[str, str]) -> Check:
    """Check whether the roles have been tested on this distribution."""
    name, version = os_release.get("ID", "?"), os_release.get("VERSION_ID", "?")
    what = os_release.get("PRETTY_NAME") or f"{name} {version}"
    if (name, version) in _TESTED:
        return Check("distribution", OK, what)
    if name in _RENDERED and version.startswith("9"):
        return Check(
            "distribution", WARN, what, "the roles' RHEL side is rendered in tests, not run: try it first"
        )
    return Check(
        "distribution", WARN, what, "the roles know Debian 11 to 13; the modules may work all the same"
    )


def check_program(
    name: str, version: Optional[str], *, fresh: bool, least: str, good: str, package: str
) -> Check:
    """Check whether a program is installed and new enough. *version*: None when it is missing."""
    if version is None:
        todo = f"{SITE}, which installs {package}" if fresh else f"install {package}"
        return Check(name, WARN if fresh else FAIL, "not installed", todo)
    if parse_version(version) < parse_version(least):
        return Check(name, FAIL, version, f"{least} or newer is needed")
    if parse_version(version) < parse_version(good):
        return Check(name, WARN, version, f"tested from {good} on")
    return Check(name, OK, version)


def check_locale(has_plain: bool, name: str, is_generated: bool) -> Check:
    """Check whether there is C.UTF-8, in which every program of tempoftp runs. *name*: the host's own locale."""
    if not has_plain:
        return Check(
            "locale",
            WARN,
            f"{LOCALE} is missing",
            "install it (Debian: libc-bin, RHEL: glibc-minimal-langpack); other names than ASCII are shown as escapes",
        )
    if name and not is_generated:
        return Check(
            "locale",
            WARN,
            f"{name} is this host's locale and is not generated",
            f"generate it (locale-gen) or set LANG={LOCALE}, which tempoftp uses: Ansible does not start on this host",
        )
    return Check("locale", OK, LOCALE)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the first version number in *text*, like ``3.2.7``, as numbers."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else (0,)


def check_identity(kind: str, number: int, name: str, holder: Optional[str], own: Optional[int]) -> Check:
    """Check whether *name* has, or can get, a uid or gid. *holder*: who has *number*; *own*: the number of *name*."""
    if holder is not None and holder != name:
        return Check(
            kind,
            FAIL,
            f"{number} is {holder}'s",
            f"set tempoftp_{kind} to a free one; nobody is ever renumbered",
        )
    if own is not None and own != number:
        return Check(kind, FAIL, f"{name} has {own}, not {number}", f"set tempoftp_{kind}: {own}")
    return Check(kind, OK, f"{number} is {name}'s" if holder else f"{number} is free")


def check_root(path: str, kind: Optional[str], uid: int, mode: int) -> Check:
    """Check the delivery root. *kind*: ``directory``, ``symlink``, ``other``, or None when it does not exist."""
    if kind is None:
        return Check("root_owner", OK, f"{path} is not there; site.yml makes it")
    if kind != "directory":
        return Check("root_owner", FAIL, f"{path} is a {kind}", "a real folder is needed: set tempoftp_root")
    if uid != 0 or mode & 0o022:
        return Check(
            "root_owner",
            FAIL,
            f"{path} belongs to uid {uid}, mode {mode:04o}",
            f"chown root {path}; chmod go-w {path}: who may write there can change links that root follows. "
            "The accounts' own homes keep their owners",
        )
    return Check("root_owner", OK, f"root's, mode {mode:04o}")


def check_filesystem(kind: str, options: Sequence[str], maker: Optional[int] = None) -> Check:
    """Check the filesystem that holds the shares.

    *maker*: whose a folder is there that root has made; None when that was not tried, -1 when root may make none.
    """
    if "ro" in options:
        return Check("root_filesystem", FAIL, f"{kind}, read-only", "mount it read-write")
    if kind in _POOR_FILESYSTEMS:
        return Check("root_filesystem", FAIL, kind, "owners, modes and hard links are needed: ext4 or xfs")
    if kind in NETWORK_FILESYSTEMS and maker not in (None, 0):
        what = (
            f"{kind}, on which root may write nothing" if maker == -1 else f"{kind}, on which root is {maker}"
        )
        return Check(
            "root_filesystem",
            FAIL,
            what,
            "every share needs files of other owners: export it with no_root_squash, or use a disk of this host",
        )
    if kind in _LOCAL_FILESYSTEMS:
        return Check("root_filesystem", OK, kind)
    return Check("root_filesystem", WARN, kind, "not tested; ext4, xfs or btrfs is what it is made for")


def check_space(disk: Disk, reserve: Need) -> list[Check]:
    """Check the free bytes and inodes, without the reserve."""
    entries = [("space", disk.bytes_free, disk.bytes_total, reserve.bytes, "bytes")]
    if disk.inodes_total:
        entries.append(("inodes", disk.inodes_free, disk.inodes_total, reserve.inodes, "inodes"))
    checks = []
    for name, free, total, held, unit in entries:
        what = f"{free} of {total} {unit} free, {held} in reserve"
        if free <= held:
            checks.append(Check(name, FAIL, what, "nothing can be delivered: make room"))
        elif free < total // 10:
            checks.append(Check(name, WARN, what, "less than a tenth is free: make room"))
        else:
            checks.append(Check(name, OK, what))
    return checks


def check_table(facts: TableFacts, foreign: Sequence[str]) -> list[Check]:
    """Check the users table. *foreign*: columns that tempoftp does not use and that need a value in each new row."""
    checks = [Check("table", OK, f"{facts.table}: {', '.join(facts.columns.values())}")]
    missing = [name for name in foreign if name not in facts.extra_columns]
    if missing:
        names = ", ".join(missing)
        checks.append(
            Check(
                "table_columns",
                FAIL,
                f"{names}: NOT NULL and without a default",
                f"say in tempoftp_extra_columns what new rows get in {names}",
            )
        )
    if facts.name_width < NAME_LENGTH:
        checks.append(
            Check(
                "name_width",
                WARN,
                f"{facts.name_width} characters",
                f"names of accounts have up to {NAME_LENGTH}; longer ones are refused: widen it, or map accounts",
            )
        )
    else:
        checks.append(Check("name_width", OK, f"{facts.name_width} characters"))
    return checks


def check_passwords(mysql_crypt: Optional[str], width: int, conf: str, argon2: bool = True) -> list[Check]:
    """Check whether a safe hash fits into the column and is accepted by pure-ftpd. *argon2*: it can read them."""
    schemes = choose_schemes(mysql_crypt, width, argon2)
    checks = [Check("password_width", OK if width >= 60 else FAIL, f"{width} characters")]
    if width < 60:
        checks = [checks[0]._replace(todo="bcrypt needs 60, argon2id 97: widen the column")]
    if schemes:
        built = "" if argon2 else ", since this pure-ftpd was built without libsodium"
        return [*checks, Check("mysql_crypt", OK, f"MYSQLCrypt {mysql_crypt}: {schemes[0]}{built}")]
    try:
        require_scheme(mysql_crypt, width, conf, argon2)
    except TempoftpError as error:
        return [*checks, Check("mysql_crypt", FAIL, f"MYSQLCrypt {mysql_crypt}", error.message)]
    raise AssertionError("unreachable")


def check_login_query(
    config: PureftpdConfig, database: Optional[str], facts: TableFacts, collation: Optional[str]
) -> list[Check]:
    """Check the query of pure-ftpd at a login, and whether it reads the table that tempoftp writes."""
    query = config.mysql.get("mysqlgetpw", "")
    words = {word.lower() for word in re.findall(r"[\w$-]+", query)}
    if not query:
        return [Check("login_query", FAIL, f"no MYSQLGetPW in {config.mysql_conf or 'any file'}", "set it")]
    asked = config.mysql.get("mysqldatabase")
    if facts.table.lower() not in words or (database and asked and asked != database):
        return [
            Check(
                "login_query",
                FAIL,
                f"pure-ftpd asks database {asked}: {query}",
                f"tempoftp would write {database}.{facts.table}: set tempoftp_db_name and tempoftp_table",
            )
        ]
    checks = [Check("login_query", OK, f"asks {asked}.{facts.table}")]
    expires = facts.columns.get("expires")
    if expires is None:
        what = "the table has no column for the end of an account"
    else:
        what = f"MYSQLGetPW does not ask for {expires}"
    if expires is not None and expires.lower() in words:
        checks.append(Check("login_query_expires", OK, f"asks for {expires}: access ends on the second"))
    else:
        checks.append(
            Check(
                "login_query_expires",
                WARN,
                what,
                "expiry then depends on tempoftp-expire.timer: within a minute, and not while it is stopped; for an "
                "end on the second add the column (DATETIME) and … AND (Expires IS NULL OR Expires > UTC_TIMESTAMP())",
            )
        )
    status = facts.columns["status"]
    if status.lower() in words:
        checks.append(Check("login_query_status", OK, f"asks for {status}"))
    else:
        checks.append(
            Check(
                "login_query_status",
                WARN,
                f"MYSQLGetPW does not ask for {status}",
                f"a blocked account can still log in: add … AND {status}='1'",
            )
        )
    if "binary" in words or (collation or "").endswith(("_bin", "binary")):
        checks.append(Check("login_query_exact", OK, "names are compared byte by byte"))
    else:
        checks.append(
            Check(
                "login_query_exact",
                WARN,
                f"names are compared by {collation}",
                "FTP_A may log in as ftp_a: write … WHERE BINARY …",
            )
        )
    return checks


def check_pureftpd(config: PureftpdConfig, uid: int, rotated: bool) -> list[Check]:
    """Check pure-ftpd's own options. *rotated*: whether logrotate rotates the download log."""
    tls = {
        0: Check("tls", WARN, "off", "passwords travel in clear: set TLS to 3, or at least to 1"),
        1: Check(
            "tls", WARN, "offered", "a client that does not use it sends the password in clear: set TLS to 3"
        ),
        2: Check("tls", OK, "required for passwords"),
        3: Check("tls", OK, "required"),
    }
    checks = [tls.get(config.tls, tls[0])]
    ports, wanted = config.passive_ports, 2 * config.clients
    if ports is None:
        checks.append(
            Check(
                "passive_range", WARN, "any port", "no firewall can let just these in: set PassivePortRange"
            )
        )
    elif ports[1] - ports[0] + 1 < wanted:
        what = f"{ports[0]}-{ports[1]} for {config.clients} clients"
        checks.append(
            Check("passive_range", WARN, what, f"transfers may wait for a port: give it {wanted} of them")
        )
    else:
        checks.append(Check("passive_range", OK, f"{ports[0]}-{ports[1]} for {config.clients} clients"))
    if config.listing < LISTING_ENOUGH:
        what = f"{config.listing} entries"
        todo = "listings of larger folders are cut off without a word: set LimitRecursion above the largest"
        checks.append(Check("limit_recursion", WARN, what, todo))
    else:
        checks.append(Check("limit_recursion", OK, f"{config.listing} entries"))
    if config.is_on("ChrootEveryone"):
        checks.append(Check("chroot", OK, "everyone"))
    else:
        checks.append(
            Check(
                "chroot", FAIL, "not everyone", "requesters would see the whole disk: set ChrootEveryone yes"
            )
        )
    least = config.options.get("minuid", "100")
    if least.isdecimal() and int(least) > uid:
        checks.append(
            Check("min_uid", FAIL, least, f"accounts with uid {uid} could not log in: lower MinUID")
        )
    else:
        checks.append(Check("min_uid", OK, least))
    style, path = config.download_log
    if style not in ("w3c", "clf"):
        what = f"format {style}" if style else "no AltLog"
        checks.append(
            Check("download_log", WARN, what, "downloads cannot be counted: set AltLog to w3c:<path>")
        )
    else:
        checks.append(Check("download_log", OK, path))
        todo = "" if rotated else f"it grows for ever: rotate {path} with copytruncate"
        checks.append(
            Check("log_rotation", OK if rotated else WARN, "rotated" if rotated else "not rotated", todo)
        )
    return checks


def check_skew(name: str, seconds: float, other: str) -> Check:
    """Check the difference of two clocks. *seconds*: by how much this host's clock is ahead."""
    what = f"{seconds:+.1f} s against {other}"
    if abs(seconds) > SKEW_FAIL:
        return Check(
            name,
            FAIL,
            what,
            "shares would end at another time than announced: run chrony or timesyncd",
        )
    if abs(seconds) > SKEW_WARN:
        return Check(name, WARN, what, "run chrony or systemd-timesyncd on both")
    return Check(name, OK, what)


def check_homes(root: str, wide: Sequence[str], others: int) -> Check:
    """Check the accounts of the table. *wide*: those whose home is the root or above it."""
    if wide:
        names = ", ".join(wide[:5])
        return Check(
            "accounts",
            WARN,
            f"{names}: home is {root} or above",
            "such an account sees everybody's shares: move its home",
        )
    return Check("accounts", OK, f"{others} accounts that tempoftp did not create; they stay as they are")


def summarise(checks: Sequence[Check]) -> dict[str, Any]:
    """Return how many checks have each status."""
    return {status: sum(check.status == status for check in checks) for status in STATUSES}
