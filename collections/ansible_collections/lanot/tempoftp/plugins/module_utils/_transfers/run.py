# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the downloads of this host's shares in pure-ftpd's transfer log. Step 7 of docs/dataflow.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .._host.errors import InvalidValueError, LockTimeoutError
from .._host.facts import read_server
from .._host.lock import hold_lock
from .._host.names import encode_name, show_name
from .._host.times import format_now, format_time, require_time
from .._host.tree import Tree, open_tree
from .._record.manifest import Manifest, list_manifests
from .._share.delivered import DeliveredTree
from .log import LogError, LogReader, Position, RotatedError
from .state import (
    Listing,
    ShareCount,
    forget_others,
    read_count,
    read_position,
    write_count,
    write_position,
)
from .transfers import FileCount, Transfer, add_transfer, is_comment, parse_line

KNOWN_LOGS = ("/var/log/pure-ftpd/transfer.log", "/var/log/pureftpd.log")
"""The transfer logs that the role ftp_server configures, on Debian and on the RHEL family."""
READ_LIMIT = 64 * 1024 * 1024
"""At most so many bytes of the log are read by one execution, which takes some seconds."""
NEVER_FETCHED_KEPT = 1000
_LOCK_SECONDS = 2.0
_ATTEMPTS = 5


class TransfersOptions(NamedTuple):
    """The options of one execution. *since*: shares that have not changed since this time are left out."""

    root: str
    log: Optional[str] = None
    since: Optional[str] = None
    files_limit: int = 1000
    check_mode: bool = False


class _Share:
    """One share with the counts of its downloads."""

    def __init__(self, tree: Tree, manifest: Manifest) -> None:
        self.manifest = manifest
        self.count = read_count(tree, manifest.id, manifest.created_at)
        self.files = dict(self.count.files)
        self.born = require_time(manifest.created_at)
        self.delivered = DeliveredTree(tree, manifest)
        self.grew = False
        self._sizes: dict[str, Optional[int]] = {}

    def add(self, number: int, name: str, transfer: Transfer) -> None:
        """Count one transfer, unless an earlier run counted it or it belongs to an earlier share of this id."""
        # The times of the log are whole seconds.
        if number < self.count.upto or transfer.at < self.born:
            return
        if name not in self._sizes:
            self._sizes[name] = self.delivered.read_size(name)
        size = self._sizes[name]
        if size is None:
            return
        self.files[name] = add_transfer(self.files.get(name, FileCount()), size, transfer.size, transfer.at)
        self.grew = True

    def settle(self, upto: int) -> bool:
        """Mark the counts as complete up to a line; return whether they have to be written."""
        listing = self.count.listing
        if self.manifest.state != "copying" and (self.grew or listing is None):
            listing = build_listing(self.files, self.delivered.list_files())
        if not self.grew and listing == self.count.listing:
            return False
        self.count = self.count._replace(
            upto=upto, files=self.files, listing=listing, changed_at=format_now()
        )
        return True


def run_transfers(desired: TransfersOptions) -> dict[str, Any]:
    """Count what is new in the log; return ``shares``, ``log`` and ``time``.

    Raises InvalidValueError for an invalid option. When the log cannot be read, ``log`` has the problem and ``shares``
    is empty: the downloads are then unknown, which is not the same as zero.
    """
    if desired.files_limit < 0:
        raise InvalidValueError(f"files_limit {desired.files_limit} is refused: it is 0 or more")
    since = None if desired.since is None else format_time(require_time(desired.since))
    tree = open_tree(desired.root)
    log = choose_log(desired.log)
    report: dict[str, Any] = {"path": str(log), **_EMPTY_LOG}
    answer: dict[str, Any] = {"shares": [], "log": report, "time": format_now()}
    manifests = [manifest for manifest in list_manifests(tree)[0] if manifest.live]
    if not manifests:
        if not desired.check_mode and tree.transfers.is_dir():
            forget_others(tree, set())
        return answer
    if not desired.check_mode:
        tree.transfers.mkdir(mode=0o700, exist_ok=True)
    try:
        if desired.check_mode:
            shares = _count(tree, log, manifests, report, keep=False)
        else:
            with hold_lock(tree.transfers / "lock", _LOCK_SECONDS):
                shares = _count(tree, log, manifests, report, keep=True)
    except (LogError, LockTimeoutError) as error:
        report["problem"] = str(error)
        return answer
    if not report["behind"]:
        listed = [share for share in shares if share.count.listing is not None]
        answer["shares"] = [
            build_result(share.manifest, share.count, desired.files_limit)
            for share in listed
            if since is None or share.count.changed_at >= since
        ]
    return answer


_EMPTY_LOG: dict[str, Any] = {
    "lines": 0,
    "unknown_lines": 0,
    "gap": False,
    "behind": False,
    "damaged": [],
    "problem": None,
}


def choose_log(log: Optional[str]) -> Path:
    """Return the log to read: the given one, else the one that the role recorded, else a known one that exists."""
    if log is not None:
        if not log.startswith("/"):
            raise InvalidValueError(f"log {log!r} is refused: it must be an absolute path")
        return Path(log)
    noted = read_server().get("transfer_log")
    if isinstance(noted, str) and noted.startswith("/"):
        return Path(noted)
    return next((Path(path) for path in KNOWN_LOGS if Path(path).exists()), Path(KNOWN_LOGS[0]))


def _count(
    tree: Tree, log: Path, manifests: list[Manifest], report: dict[str, Any], *, keep: bool
) -> list[_Share]:
    """Read the new lines and update the counts of the shares. With *keep*, write the counts to disk."""
    start = read_position(tree)
    for _attempt in range(_ATTEMPTS):
        shares = [_Share(tree, manifest) for manifest in manifests]
        report.update(_EMPTY_LOG)
        oldest = min(share.born for share in shares)
        reader = LogReader(log, start, oldest, READ_LIMIT)
        try:
            position = _read(reader, start, shares, str(tree.root), report)
            break
        except RotatedError:
            continue
    else:
        raise LogError(f"{log} was rotated {_ATTEMPTS} times while it was read: it will be read again")
    report.update(gap=reader.gap, behind=reader.behind, damaged=reader.damaged)
    changed = [share for share in shares if share.settle(position.consumed)]
    if keep:
        # The counts are written first. Each records its last line, so that after a kill no line is counted twice.
        for share in changed:
            write_count(tree, share.count)
        if position != start:
            write_position(tree, position)
        forget_others(tree, {manifest.id for manifest in manifests})
    return shares


def _read(
    reader: LogReader, start: Position, shares: list[_Share], root: str, report: dict[str, Any]
) -> Position:
    """Count every new download for its share; return how far the log is read."""
    by_place = {(share.manifest.ftpuser, share.manifest.id): share for share in shares}
    newest = start.newest
    for line in reader.read_lines():
        if is_comment(line.text):
            continue
        report["lines"] += 1
        transfer = parse_line(line.text)
        if transfer is None:
            report["unknown_lines"] += 1
            continue
        newest = max(newest, transfer.at)
        # After a gap the position in the log is lost: lines up to the latest known time count as read.
        if not transfer.download or (reader.gap and transfer.at <= start.newest):
            continue
        ftpuser, share_id, name = split_path(transfer.path, root)
        share = by_place.get((ftpuser, share_id))
        if share is not None:
            share.add(line.number, name, transfer)
    if report["lines"] and report["lines"] == report["unknown_lines"]:
        raise LogError(
            f"{report['path']} has no line of the formats w3c and clf: set pure-ftpd's AltLog to w3c:{report['path']}"
        )
    return reader.position._replace(newest=newest)


def split_path(path: str, root: str) -> tuple[str, str, str]:
    """Return account, share and file of a path below the root; empty strings for any other path."""
    parts = path[len(root) + 1 :].split("/", 2)
    if not path.startswith(f"{root}/") or len(parts) != 3:
        return "", "", ""
    return parts[0], parts[1], parts[2]


def build_listing(counts: Mapping[str, FileCount], sizes: Optional[Mapping[str, int]]) -> Optional[Listing]:
    """Return which files of a share were fetched. An empty file counts as fetched, since clients skip such files."""
    if sizes is None:
        return None
    empty = FileCount()
    complete = sum(not size or counts.get(name, empty).complete > 0 for name, size in sizes.items())
    never = sorted(
        (
            name
            for name, size in sizes.items()
            if size and not (counts.get(name, empty).complete or counts.get(name, empty).partial)
        ),
        key=encode_name,
    )
    return Listing(len(sizes), complete, tuple(never[:NEVER_FETCHED_KEPT]), len(never))


def build_result(manifest: Manifest, count: ShareCount, files_limit: int) -> dict[str, Any]:
    """Return the result for one share."""
    listing = count.listing or Listing(0, 0, (), 0)
    seen = sorted(count.files.items(), key=lambda item: (-(item[1].last or 0), item[0]))
    fetched = [(name, file) for name, file in seen if file.complete or file.partial]
    last = fetched[0][1].last if fetched else None
    return {
        "id": manifest.id,
        "generation": manifest.generation,
        "complete": sum(file.complete for file in count.files.values()),
        "partial": sum(file.partial for file in count.files.values()),
        "files_total": listing.files_total,
        "files_complete": listing.files_complete,
        "never_fetched": [show_name(name) for name in listing.never_fetched[:files_limit]],
        "never_fetched_total": listing.never_fetched_total,
        "last_download": None if last is None else format_time(last),
        "files": [
            {
                "name": show_name(name),
                "complete": file.complete,
                "partial": file.partial,
                "last": None if file.last is None else format_time(file.last),
            }
            for name, file in fetched[:files_limit]
        ],
        "files_fetched": len(fetched),
    }
