# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shares and accounts that the module ended on a host → lines for people.

Private: the filter is for the playbook `expire` of this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable


def describe_expiry(result: Mapping[str, Any], check_mode: bool = False) -> list[str]:
    """Return a line for each share and account that ended (in check mode: would end), and the next end."""
    word = "would end" if check_mode else "ended"
    lines = [
        f"share {share['id']} of {share['ftpuser'] or 'nobody known'}: {word} ({share['reason'] or 'left over'})"
        for share in result.get("shares", [])
        if not share["error"]
    ]
    lines += [
        f"account {account['name']}: {account['state']}, {account['kept_reason'] or 'its last share ended'}"
        for account in result.get("accounts", [])
        if not account["error"]
    ]
    lines += [
        f"staging of {name}: its time to be tried again {'would be' if check_mode else 'is'} over"
        for name in result.get("staging", [])
    ]
    if result.get("sessions_ended") or result.get("sessions_left"):
        lines.append(
            f"sessions: {result['sessions_ended']} ended, {result['sessions_left']} may finish a transfer"
        )
    if not lines:
        lines.append("nothing was over" if "shares" in result else "nothing was looked at")
    if result.get("next_end"):
        lines.append(f"next: {result['next_end']}")
    if result.get("clock_ahead", 0) > 60:
        lines.append(f"the clock of this host was {result['clock_ahead']} s later once: was it set back?")
    return lines


class FilterModule:
    """The class that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"_describe_expiry": describe_expiry}
