# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One execution of tempoftp_audit: look, compare, repair what is safe, look again. Step 7 of docs/dataflow.md."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._account.passwords import is_known_hash, read_mysql_crypt
from .._account.run import Execution, complete_site
from .._account.users_table import TableFacts, UserRow, commit, read_rows, read_rows_below, read_table
from .._host.errors import DatabaseUnavailableError, TempoftpError
from .._host.facts import read_host
from .._host.names import parse_ftpuser, parse_id
from .._host.pureftpd_binary import has_libsodium
from .._host.root import STATE_DIRECTORY
from .._host.times import format_time
from .._host.tree import Tree, open_tree
from .._host.units import COPY_PREFIX, Units
from .._record.accounts import Account
from .._record.manifest import Manifest
from .._record.tombstones import Tombstone
from .findings import find_findings, has_lost, list_suspended
from .look import add_problem, look_host
from .repair import Repairs, repair_findings
from .world import ExpectedRow, Finding, Home, World, list_adopted_names, list_own_names

# An account that may write can create any number of names.
FINDINGS_LIMIT = 2000


class AuditOptions(NamedTuple):
    """The options of one execution. With ``accounts`` None, the users table is not read."""

    tree: Tree
    accounts: Optional[Execution]
    expected: Optional[tuple[ExpectedRow, ...]] = None
    repair: bool = False
    deep_limit: int = 0
    with_sessions: bool = True


def parse_expected(items: Optional[Sequence[Mapping[str, Any]]]) -> Optional[tuple[ExpectedRow, ...]]:
    """Return the expected rows; raise InvalidValueError for the first that is not valid."""
    if items is None:
        return None
    rows = []
    for item in items:
        row = ExpectedRow(**{key: item[key] for key in ExpectedRow._fields if item.get(key) is not None})
        parse_id(row.id)
        if row.ftpuser:
            parse_ftpuser(row.ftpuser)
        rows.append(row)
    return tuple(rows)


def run_audit(options: AuditOptions, units: Optional[Units] = None) -> dict[str, Any]:
    """Read the host and compare; with ``repair``, also repair and read again. Returns the module's result."""
    units = units or Units()
    world = look(options, units)
    findings = find_findings(world, options.expected)
    changed, failures = False, []
    if options.repair and not has_lost(findings) and any(finding.repair == "safe" for finding in findings):
        repairs = Repairs(options.tree, units, options.accounts, options.deep_limit)
        failures = repair_findings(repairs, world, findings)
        after = look(options, units)
        findings = compare_findings(findings, find_findings(after, options.expected), list_suspended(after))
        # A repair counts when the second look does not find the inconsistency again.
        changed = any(finding.repaired for finding in findings)
        world = after
    return {
        "changed": changed,
        "summary": format_summary(findings, world.now),
        "findings": describe_findings(findings),
        "failures": [clean_text(failure) for failure in failures],
        "facts": describe_world(world),
    }


def format_summary(findings: Sequence[Finding], now: float) -> str:
    """Return the numbers of open and repaired findings in one line for a person."""
    open_ones = [finding for finding in findings if not finding.repaired]
    repaired = len(findings) - len(open_ones)
    safe = sum(finding.repair == "safe" for finding in open_ones)
    counted = f"{len(open_ones)} findings" if open_ones else "nothing is wrong"
    extra = [f"{safe} of them repairable"] * bool(safe) + [f"{repaired} repaired"] * bool(repaired)
    return f"{format_time(now)}: {', '.join([counted, *extra])}"


def describe_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings for the result: bounded in number, and with names that are safe for a terminal and for JSON."""
    bounded = [
        finding._replace(subject=clean_text(finding.subject), detail=clean_text(finding.detail))
        for finding in findings[:FINDINGS_LIMIT]
    ]
    if len(findings) > FINDINGS_LIMIT:
        left = f"{len(findings) - FINDINGS_LIMIT} findings more are left out: put these right and audit again"
        bounded.append(Finding("not_looked_at", "host", left))
    return [finding._asdict() for finding in bounded]


def clean_text(text: str) -> str:
    """Return *text* with invalid bytes and control characters written as escapes."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in readable
    )


_HELD = "; it is held, since the clock of this host is in doubt now"


def compare_findings(
    before: Sequence[Finding], after: Sequence[Finding], suspended: frozenset[str] = frozenset()
) -> list[Finding]:
    """Return the findings of the second look, and as repaired those of the first look that are gone.

    Of a share in *suspended* the second look does not find again that its time is up, though it is not ended.
    """
    left = {(finding.kind, finding.subject) for finding in after}
    gone = [finding for finding in before if (finding.kind, finding.subject) not in left]
    held = [
        finding for finding in gone if finding.kind == "share_past_expiry" and finding.subject in suspended
    ]
    done = [finding._replace(repaired=True) for finding in gone if finding not in held]
    return [*done, *(finding._replace(detail=finding.detail + _HELD) for finding in held), *after]


def look(options: AuditOptions, units: Units) -> World:
    """Read the host to the extent that the options ask for.

    The connection is opened first: the host's lock is never held while the database is waited for.
    """
    accounts = options.accounts
    if accounts is None:
        return look_host(options.tree, units, None, options.deep_limit, options.with_sessions)
    try:
        with contextlib.closing(accounts.connect()) as connection, connection.cursor() as cursor:
            table = UsersTable(connection, cursor, accounts, read_table(cursor, accounts.table))
            return look_host(options.tree, units, table.add_to, options.deep_limit, options.with_sessions)
    except DatabaseUnavailableError as error:
        world = look_host(options.tree, units, None, options.deep_limit, options.with_sessions)
        return add_problem(world, f"accounts: {error.message}")


class UsersTable(NamedTuple):
    """The users table over an open connection."""

    connection: Any
    cursor: Any
    accounts: Execution
    facts: TableFacts

    def add_to(self, world: World) -> World:
        """Add the rows of the users table: those of known accounts, and all whose home is below the root."""
        names = {share.ftpuser for share in world.shares} | {record.name for record in world.records}
        names.update(end.ftpuser for end in world.tombstones if end.ftpuser)
        names.update(session.account for session in world.sessions or ())
        commit(self.connection)  # else the server would show the rows as they were at the first look
        seen = read_rows(self.cursor, self.facts, sorted(names))
        rows = {row.name: row for row in read_rows_below(self.cursor, self.facts, world.root)}
        rows.update((row.name, row) for found in seen.rows.values() for row in found)
        conf, mysql_crypt = read_mysql_crypt(self.accounts.mysql_conf)
        site = complete_site(
            self.accounts.site._replace(now=world.now), self.facts, conf, mysql_crypt, has_libsodium()
        )
        doubled = [row for found in seen.rows.values() for row in found[1:]]
        return world._replace(
            rows=(*(rows[name] for name in sorted(rows)), *doubled),
            lookalikes=tuple(seen.lookalikes),
            site=site,
        )


_SHARE_KEYS = (
    *("id", "generation", "state", "ftpuser", "origin", "managed_by", "path", "source", "source_root"),
    "ssh_user",
    *("ssh_key_file", "size_probe", "local", "method", "reuse", "checksums", "lifetime_days", "writable"),
    *("created_at", "delivered_at", "ready_at", "expires", "bytes_total", "files_total", "skipped_total"),
)


def describe_share(share: Manifest) -> dict[str, Any]:
    """Return a manifest in the form of the facts."""
    return {key: getattr(share, key) for key in _SHARE_KEYS}


def describe_tombstone(end: Tombstone) -> dict[str, Any]:
    """Return a tombstone in the form of the facts."""
    return end._asdict()


def describe_account(
    name: str, record: Optional[Account], row: Optional[UserRow], sessions: Sequence[int]
) -> dict[str, Any]:
    """Return an account in the form of the facts. It has no hash, only a digest by which a caller can compare it."""
    return {
        "name": name,
        "origin": record.origin if record is not None else ("adopted" if row is not None else None),
        "password_generation": getattr(record, "password_generation", 0) if record is not None else 0,
        "state": "absent" if row is None else ("present" if row.status == "1" else "blocked"),
        "home": None if row is None else row.home,
        "uid": None if row is None else row.uid,
        "gid": None if row is None else row.gid,
        "expires": None if row is None else row.expires,
        "password_digest": None if row is None else digest_hash(row.password),
        "sessions": len(sessions),
    }


def digest_hash(stored: str) -> Optional[str]:
    """Return a digest of a stored hash; None for what is no hash, since its digest could be used to guess it."""
    if not is_known_hash(stored):
        return None
    return "sha256:" + hashlib.sha256(stored.encode()).hexdigest()


def describe_world(world: World) -> dict[str, Any]:
    """Return the state of the host, for a caller that compares it with its own database."""
    return {
        "time": format_time(world.now),
        "root": world.root,
        "shares": [describe_share(share) for share in world.shares],
        "tombstones": [describe_tombstone(end) for end in world.tombstones],
        "accounts": describe_accounts(world),
        "damaged": list(world.damaged),
        "copies_running": sum(unit.startswith(COPY_PREFIX) for unit in world.units),
        "problems": list(world.problems),
    }


def describe_accounts(world: World) -> Optional[list[dict[str, Any]]]:
    """Return the accounts that tempoftp knows, and those whose home is below the root; None without a users table."""
    if world.rows is None:
        return None
    records = {record.name: record for record in world.records}
    rows = {row.name: row for row in world.rows}
    names = set(records) | {share.ftpuser for share in world.shares}
    names.update(row.name for row in world.rows if row.home.startswith(world.root + "/"))
    serving: dict[str, list[int]] = {}
    for session in world.sessions or ():
        serving.setdefault(session.account, []).append(session.pid)
    return [
        describe_account(name, records.get(name), rows.get(name), serving.get(name, []))
        for name in sorted(names)
    ]


def run_share_info(root: str, ids: Optional[Sequence[str]], units: Optional[Units] = None) -> dict[str, Any]:
    """Return what a host records of its shares: all of them, or those of *ids*."""
    tree = open_tree(root)
    world = look_host(tree, units, with_sessions=False)
    wanted = None if ids is None else {parse_id(share_id) for share_id in ids}
    ended = {end.id: end for end in world.tombstones}
    staged = {entry.name for entry in world.staged}
    shares = [
        {
            **describe_share(share),
            "copying": COPY_PREFIX + share.id in world.units,
            "staged": share.id in staged,
            "tombstone": ended[share.id].generation if share.id in ended else None,
        }
        for share in world.shares
        if wanted is None or share.id in wanted
    ]
    return {
        "shares": shares,
        "tombstones": [
            describe_tombstone(end) for end in world.tombstones if wanted is None or end.id in wanted
        ],
        "damaged": list(world.damaged),
        "homes": [_describe_home(home, world) for home in world.homes if home.name != STATE_DIRECTORY],
        "staging": sorted(staged),
        "held": sorted(world.held),
        "trash": list(world.trash),
        "libraries": [library.name for library in world.libraries],
        "units": sorted(world.units),
        "mounts": list(world.mounts),
        "problems": list(world.problems),
        "host": read_host(tree.root, sum(unit.startswith(COPY_PREFIX) for unit in world.units)),
    }


def _describe_home(home: Home, world: World) -> dict[str, Any]:
    """Return a folder below the root: whose home it is, its owner and mode, and its content."""
    origin = "created" if home.name in list_own_names(world) else "unknown"
    known = {share.id for share in world.shares if share.ftpuser == home.name}
    return {
        "name": clean_text(home.name),
        "kind": home.place.kind,
        "uid": home.place.uid,
        "gid": home.place.gid,
        "mode": f"{home.place.mode:04o}",
        "origin": "adopted" if home.name in list_adopted_names(world) else origin,
        "shares": sorted(known & set(home.entries or ())),
        "others": sorted(clean_text(name) for name in set(home.entries or ()) - known),
    }


def run_ftpuser_info(root: str, accounts: Execution, names: Optional[Sequence[str]]) -> dict[str, Any]:
    """Return the accounts of a host: all that concern tempoftp, or those of *names*."""
    options = AuditOptions(open_tree(root), accounts)
    wanted = None if names is None else {parse_ftpuser(name) for name in names}
    world = look(options, Units())
    found = describe_accounts(world)
    if found is None:
        raise TempoftpError("; ".join(world.problems), "database_unavailable")
    live: dict[str, list[str]] = {}
    for share in world.shares:
        if share.live:
            live.setdefault(share.ftpuser, []).append(share.id)
    return {
        "users": [
            {**account, "shares": live.get(account["name"], [])}
            for account in found
            if wanted is None or account["name"] in wanted
        ],
        "problems": list(world.problems),
    }
