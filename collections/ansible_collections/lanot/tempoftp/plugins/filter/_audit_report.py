# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of the module on each host → a table for people and a report for programs.

Private: the filter is for the playbook `audit` of this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

COLUMNS = ("host", "kind", "subject", "what to do", "detail")
NOT_LOOKED_AT = "not_looked_at"


def describe_audit(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the `lines` of a table, a `report` by host, how many findings are still `wrong`, and a `summary`.

    `results` has what the module returned by host; a host that failed or is away is a finding itself.
    """
    report = {name: _read_result(name, result) for name, result in sorted(results.items())}
    rows = [
        (name, finding["kind"], finding["subject"], _choose_word(finding), finding["detail"])
        for name, entry in report.items()
        for finding in entry["findings"]
    ]
    wrong = sum(not finding["repaired"] for entry in report.values() for finding in entry["findings"])
    repaired = len(rows) - wrong
    summary = f"{wrong} findings, {repaired} repaired, on {len(report)} FTP hosts"
    lines = [*(_build_table(rows) if rows else []), *_list_failures(report), summary]
    return {"lines": lines, "report": report, "wrong": wrong, "summary": summary}


def _read_result(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    if result.get("unreachable") or result.get("failed") or "findings" not in result:
        said = str(result.get("msg") or "the module did not answer").strip()
        finding = {
            "kind": NOT_LOOKED_AT,
            "subject": name,
            "detail": said,
            "repair": "manual",
            "repaired": False,
        }
        return {"findings": [finding], "failures": [], "facts": None}
    return {key: result[key] for key in ("findings", "failures", "facts")}


def _choose_word(finding: Mapping[str, Any]) -> str:
    if finding["repaired"]:
        return "repaired"
    return "-e repair=true" if finding["repair"] == "safe" else "look"


def _build_table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[index]) for row in [COLUMNS, *rows]) for index in range(len(COLUMNS) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in [COLUMNS, *rows]
    ]


def _list_failures(report: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"{name}: repair failed: {said}" for name, entry in report.items() for said in entry["failures"]]


class FilterModule:
    """The class that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"_describe_audit": describe_audit}
