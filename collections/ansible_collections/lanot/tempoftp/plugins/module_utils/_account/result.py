# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the result and the diff of one account for tempoftp_ftpuser. Shapes: docs/dataflow.md, step 7."""

from __future__ import annotations

from typing import Any, Optional

from .passwords import is_known_hash
from .plan import AccountPlan
from .run import Outcome
from .users_table import UserRow


def build_result(outcome: Outcome) -> dict[str, Any]:
    """Return the entry of ``users`` for one account."""
    plan = outcome.plan
    result: dict[str, Any] = {
        "name": outcome.desired.name,
        "changed": outcome.changed,
        "created": False,
        "state": "unknown",
        "origin": None,
        "home": None,
        "uid": None,
        "gid": None,
        "expires": None,
        "password_matches": None,
        "sessions_ended": outcome.sessions_ended,
        "skipped_reason": None,
        "kept_reason": None,
        "shares": [],
        "error": None if outcome.error is None else outcome.error.to_dict(),
    }
    if plan is None or outcome.error is not None:
        return result
    result.update(
        created=plan.before is None and plan.row is not None,
        state=plan.state,
        origin=plan.origin,
        skipped_reason=plan.skipped_reason,
        kept_reason=plan.kept_reason,
        shares=[
            {"id": t.id, "generation": t.generation, "ready_at": t.ready_at, "expires": t.expires}
            for t in plan.times
        ],
    )
    if plan.row is not None:
        result.update(home=plan.row.home, uid=plan.row.uid, gid=plan.row.gid)
        result["expires"] = plan.row.expires or max((t.expires for t in plan.times), default=None)
        result.update(_build_password(outcome, plan.row))
    return result


def build_diff(outcome: Outcome) -> Optional[dict[str, Any]]:
    """Return the diff of one account, or None when nothing is written. It never contains a hash."""
    plan = outcome.plan
    if plan is None or not plan.changed or (outcome.error is not None and not outcome.row_written):
        return None
    return {
        "before_header": f"account {outcome.desired.name}",
        "after_header": f"account {outcome.desired.name}",
        "before": _describe(plan, plan.before, planned=False),
        "after": _describe(plan, plan.row, planned=True),
    }


def _build_password(outcome: Outcome, row: UserRow) -> dict[str, Any]:
    given = outcome.desired.password_hash
    stored = row.password if is_known_hash(row.password) else None
    if given is None:
        return {"password_hash": stored, "password_matches": outcome.password_verified}
    if given == row.password:
        # Ansible would censor the hash anyway, since the caller gave it in an option with no_log.
        return {"password_matches": True}
    return {"password_hash": stored, "password_matches": False}


def _describe(plan: AccountPlan, row: Optional[UserRow], *, planned: bool) -> dict[str, Any]:
    record = plan.record if planned else plan.record_before
    described: dict[str, Any] = {
        "state": "absent",
        "origin": None if record is None else record.origin,
        "shares": {t.id: t.expires if planned or not t.fixed else None for t in plan.times},
    }
    if row is not None:
        renewed = planned and plan.before is not None and plan.before.password != row.password
        described.update(
            row._asdict(),
            state="present" if row.status == "1" else "blocked",
            password="(another one)" if renewed else "(set)",
        )
    return described
