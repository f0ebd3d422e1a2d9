# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the hosts → the printed lines, and the same as JSON for a file.

Private: the filters are for the playbook `preflight` of this collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Callable

SCHEMA = 1
STATUSES = ("ok", "warn", "fail")

Checks = list[dict[str, str]]


def list_preflight_checks(answer: Mapping[str, Any]) -> Checks:
    """Return the checks of one host. A host that could not be reached has a single, failed check."""
    if "checks" in answer:
        return [dict(check) for check in answer["checks"]]
    reason = "unreachable" if answer.get("unreachable") else "the module failed"
    what = f"{reason}: {answer.get('msg') or 'no message'}"
    return [{"name": "host", "status": "fail", "what": what, "todo": "ssh, Python and sudo of this host"}]


def join_preflight(ftp_hosts: Mapping[str, Any], source_hosts: Mapping[str, Any]) -> dict[str, Checks]:
    """Return the checks by host, from the answers by host. One host may be both."""
    if not ftp_hosts:
        what = "no FTP host was looked at: the group ftp_hosts is empty"
        todo = "name the FTP hosts in the inventory"
        joined: dict[str, Checks] = {
            "ftp_hosts": [{"name": "inventory", "status": "fail", "what": what, "todo": todo}]
        }
    else:
        joined = {}
    for answers in (ftp_hosts, source_hosts):
        for host, answer in answers.items():
            joined.setdefault(host, []).extend(list_preflight_checks(answer))
    return joined


def format_preflight(checks: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the lines for a person. Failed checks come last, since the end of the output is read first."""
    ordered = sorted(checks, key=lambda check: STATUSES.index(check["status"]))
    return [_format(check) for check in ordered]


def list_preflight_failures(hosts: Mapping[str, Checks]) -> list[str]:
    """Return a line for each check that failed, with its host."""
    return [
        f"{host}: {_format(check)}"
        for host, checks in hosts.items()
        for check in checks
        if check["status"] == "fail"
    ]


def build_preflight_report(hosts: Mapping[str, Checks]) -> str:
    """Return the report as JSON: `{schema, time, ok, hosts: {host: {ok, warn, fail, checks}}}`."""
    described = {
        host: {status: sum(check["status"] == status for check in checks) for status in STATUSES}
        | {"checks": checks}
        for host, checks in hosts.items()
    }
    report = {
        "schema": SCHEMA,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ok": not list_preflight_failures(hosts),
        "hosts": described,
    }
    return json.dumps(report, indent=2) + "\n"


def _format(check: Mapping[str, str]) -> str:
    todo = f" → {check['todo']}" if check.get("todo") else ""
    return f"{check['status']:4} {check['name']}: {check['what']}{todo}"


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {
            "_list_preflight_checks": list_preflight_checks,
            "_join_preflight": join_preflight,
            "_format_preflight": format_preflight,
            "_list_preflight_failures": list_preflight_failures,
            "_build_preflight_report": build_preflight_report,
        }
