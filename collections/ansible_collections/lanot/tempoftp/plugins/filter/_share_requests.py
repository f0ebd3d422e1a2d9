# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operator's list of shares → options of the modules, and the modules' results → the printed lines.

The list may come from an untrusted person, so it is parsed as strictly as a request over HTTP. A refused item does
not stop the other items. Private: only the playbooks `share` and `selftest` of this collection use these filters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Callable

from ansible_collections.lanot.tempoftp.plugins.module_utils._account.passwords import (
    verify_password,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import (
    parse_ftpuser,
    parse_id,
    parse_source,
    relativize_path,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import OPERATOR

STATES = ("present", "blocked", "absent")
KEYS = frozenset({"id", "ftpuser", "source", "lifetime_days", "state", "writable", "adopt", "take_over"})
LIFETIME_DEFAULT = 10
LIFETIME_MAX = 3650
SSH_USER_DEFAULT = "lanotadm"
# The name becomes a file name here and an account on the host. The module creates only accounts with such names, and
# adopts those that parse_ftpuser accepts.
_FTPUSER = re.compile(r"[a-z][a-z0-9_]{0,31}")


class RefusedError(Exception):
    """One item of the list is refused; the message says which one and what to correct."""


def plan_shares(requests: Any, sources: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the `shares` and `users` options of the modules, and `refused` with an id and a message each.

    `requests` is the parsed file, `{"shares": [{id, ftpuser, source, …}]}` with the keys of KEYS; `sources` is the
    inventory's `tempoftp_sources`.
    """
    items = requests.get("shares") if isinstance(requests, Mapping) else None
    if not isinstance(items, list):
        return _build_plan([], [{"id": "(the file)", "message": "it must have a list named shares"}])
    known = list(sources)
    planned: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for number, item in enumerate(items, start=1):
        try:
            planned.append(_plan_share(item, known, {share["id"] for share in planned}))
        except (RefusedError, TempoftpError) as error:
            name = item.get("id") if isinstance(item, Mapping) else None
            refused.append({"id": str(name or f"number {number}"), "message": str(error)})
    return _build_plan(planned, refused)


def find_reachable_source(sources: Iterable[Mapping[str, Any]], hosts: Collection[str]) -> dict[str, Any]:
    """Return the first source that is read over ssh and is a host of the inventory; empty when there is none."""
    for source in sources:
        if not source.get("local") and source["name"] in hosts:
            return dict(source)
    return {}


def list_missing_passwords(users: Iterable[Mapping[str, Any]], folder: str) -> list[str]:
    """Return the names of the users that have no password file yet."""
    return [user["name"] for user in users if not (Path(folder) / user["name"]).exists()]


def locate_passwords(users: Iterable[Mapping[str, Any]], folder: str, check_mode: bool) -> list[str]:
    """Return the password file of each user. In check mode, a missing file is replaced by /dev/null."""
    paths = [Path(folder) / user["name"] for user in users]
    return ["/dev/null" if check_mode and not path.exists() else str(path) for path in paths]


def build_accounts(
    users: Iterable[Mapping[str, Any]], hashes: Mapping[str, str], root: str
) -> list[dict[str, Any]]:
    """Return the `users` option of tempoftp_ftpuser: each with its home and, where it has one, its hash."""
    return [
        {**user, "home": f"{root}/{user['name']}"}
        | ({"password_hash": hashes[user["name"]]} if user["name"] in hashes else {})
        for user in users
    ]


def list_unfit_passwords(answers: Iterable[Mapping[str, Any]], passwords: Mapping[str, str]) -> list[str]:
    """Return the names of the accounts that exist with another password than the one stored here."""
    return [
        answer["name"]
        for answer in answers
        if answer["name"] in passwords and _is_other(answer, passwords[answer["name"]])
    ]


def _is_other(answer: Mapping[str, Any], password: str) -> bool:
    stored = answer.get("password_hash")
    if stored:
        return not verify_password(password, stored)
    # What is stored is no hash, so the host does not tell it: it is none that was made here.
    return answer.get("password_matches") is False


def describe_delivery(
    plan: Mapping[str, Any],
    shares: Iterable[Mapping[str, Any]],
    users: Iterable[Mapping[str, Any]],
    unfit: Iterable[str],
    server: Mapping[str, Any],
    folder: str,
) -> dict[str, list[str]]:
    """Return `lines` for the operator and `failures`, from the plan and the answers of the two modules.

    Without a `folder` the passwords are in the variable tempoftp_passwords.
    """
    accounts = {user["name"]: user for user in users}
    unknown_passwords = set(unfit)
    lines: list[str] = []
    failures = [f"{refusal['id']}: {refusal['message']}" for refusal in plan["refused"]]
    for share in shares:
        account = accounts.get(share["ftpuser"], {})
        error = share.get("error") or account.get("error")
        if error:
            failures.append(f"{share['id']}: {error['message']}")
        elif share["state"] != "delivered":
            kept = account.get("kept_reason")
            stays = f"; account {share['ftpuser']} stays ({kept.replace('_', ' ')})" if kept else ""
            lines.append(f"{share['id']}: {share['state']}{stays}")
        elif share.get("path") is None:
            lines.append(f"{share['id']}: would be delivered to account {share['ftpuser']}")
        else:
            lines += _describe_ready(share, account, server, share["ftpuser"] in unknown_passwords, folder)
    return {"lines": lines, "failures": failures}


def _build_plan(
    shares: list[dict[str, Any]], refused: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    wanted = {share["ftpuser"]: "absent" for share in shares}
    wanted |= {share["ftpuser"]: "present" for share in shares if share["state"] != "absent"}
    adopted = {share["ftpuser"] for share in shares if share.get("adopt")}
    users = [
        {"name": name, "state": state} | ({"adopt": True} if name in adopted else {})
        for name, state in wanted.items()
    ]
    return {"shares": shares, "users": users, "refused": refused}


def _plan_share(item: Any, sources: list[Mapping[str, Any]], taken: set[str]) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise RefusedError("it must be a mapping with id, ftpuser and source")
    unknown = sorted(str(key) for key in set(item) - KEYS)
    if unknown:
        raise RefusedError(f"unknown key {', '.join(unknown)}: known are {', '.join(sorted(KEYS))}")
    share_id = parse_id(item.get("id", ""))
    if share_id in taken:
        raise RefusedError("this id stands twice in the list: say once what it should be")
    adopt = _parse_flag(item.get("adopt", False), "adopt")
    share = {
        "id": share_id,
        "ftpuser": parse_ftpuser(item.get("ftpuser", "")) if adopt else _parse_ftpuser(item.get("ftpuser")),
        "state": _parse_choice(item.get("state", "present")),
        "lifetime_days": _parse_lifetime(item.get("lifetime_days", LIFETIME_DEFAULT)),
        "writable": _parse_flag(item.get("writable", False), "writable"),
        "managed_by": OPERATOR,
        "take_over": _parse_flag(item.get("take_over", False), "take_over"),
    }
    return share | ({"adopt": True} if adopt else {}) | _resolve_source(item.get("source", ""), sources)


def _parse_ftpuser(value: Any) -> str:
    if not isinstance(value, str) or not _FTPUSER.fullmatch(value):
        raise RefusedError(f"ftpuser {value!r} is refused: it must match ^{_FTPUSER.pattern}$")
    return str(value)


def _parse_choice(value: Any) -> str:
    if value not in STATES:
        raise RefusedError(f"state {value!r} is refused: choose one of {', '.join(STATES)}")
    return str(value)


def _parse_lifetime(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LIFETIME_MAX:
        raise RefusedError(f"lifetime_days {value!r} is refused: it is a number of days, 1 to {LIFETIME_MAX}")
    return int(value)


def _parse_flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise RefusedError(f"{key} {value!r} is refused: it is true or false")
    return value


def _resolve_source(text: Any, sources: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the options of the source, from its entry in `tempoftp_sources`."""
    wanted = parse_source(text)
    source = _find_source(wanted.host, sources)
    ssh_user = source.get("ssh_user") or SSH_USER_DEFAULT
    if wanted.user not in ("", ssh_user):
        raise RefusedError(f"source {text!r} is refused: {source['name']} is read as {ssh_user}")
    root = _find_root(wanted.path, source)
    options = {
        "source": f"{ssh_user}@{source['name']}:{wanted.path}",
        "ssh_user": ssh_user,
        "size_probe": source.get("size_probe") or "rsync",
        **{key: source[key] for key in ("method", "reuse", "checksums") if source.get(key) is not None},
    }
    if source.get("local"):
        return {**options, "local": True}
    if root.get("restricted", True):
        options["source_root"] = root["path"]
    return {**options, "ssh_key_file": f"/etc/tempoftp/ssh/{source['name']}-{root['name']}"}


def _find_source(host: str, sources: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    for source in sources:
        if host.lower() in {name.lower() for name in (source["name"], *(source.get("aliases") or ()))}:
            return source
    names = ", ".join(str(source["name"]) for source in sources) or "none"
    raise RefusedError(f"source host {host!r} is not one of tempoftp_sources ({names})")


def _find_root(path: str, source: Mapping[str, Any]) -> Mapping[str, Any]:
    for root in sorted(source["roots"], key=lambda root: len(root["path"]), reverse=True):
        try:
            relativize_path(path, root["path"])
        except TempoftpError:
            continue
        chosen: Mapping[str, Any] = root
        return chosen
    allowed = ", ".join(str(root["path"]) for root in source["roots"])
    raise RefusedError(f"path {path!r} is not below a root of {source['name']} ({allowed})")


def _describe_ready(
    share: Mapping[str, Any],
    account: Mapping[str, Any],
    server: Mapping[str, Any],
    unknown_password: bool,
    folder: str,
) -> list[str]:
    times = {entry["id"]: entry["expires"] for entry in account.get("shares") or ()}
    name, host, port = share["ftpuser"], server.get("host", "?"), server.get("port", 21)
    lines = [
        f"{share['id']}: {share['files_total']} files, {share['bytes_total']} bytes, until {times.get(share['id'])}",
        *(f"  left out: {entry}" for entry in share.get("skipped") or ()),
    ]
    if unknown_password:
        return [
            *lines,
            f"  account {name} was there before: its earlier password still works, it is not known here",
        ]
    trust = "set ftp:ssl-force true; set ssl:verify-certificate no"  # the output also has the fingerprint
    place = f"{folder}/{name}" if folder else "tempoftp_passwords"
    login = f"{name},\"$(cat '{place}')\"" if folder else name
    return [
        *lines,
        f"  password of {name}: in {place}",
        f"  lftp -u {login} -e '{trust}; mirror {share['id']}; quit' ftp://{host}:{port}",
        *([f"  certificate: {server['fingerprint']}"] if server.get("fingerprint") else []),
    ]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {
            "_plan_shares": plan_shares,
            "_find_reachable_source": find_reachable_source,
            "_list_missing_passwords": list_missing_passwords,
            "_locate_passwords": locate_passwords,
            "_build_accounts": build_accounts,
            "_list_unfit_passwords": list_unfit_passwords,
            "_describe_delivery": describe_delivery,
        }
