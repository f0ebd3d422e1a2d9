"""The desired state of a share, beside what is known of it, and the one function that changes it.

Each change starts a new generation. A run with an earlier generation is late: its outcome is ignored here, and the
FTP host refuses it. A change is done when an outcome of its own generation confirms it; until then it is pending.
"""

from __future__ import annotations

import enum

from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import is_rotating
from tempoftp.db.clock import database_now
from tempoftp.db.models import Account, Share
from tempoftp.phrases import Phrase
from tempoftp.shares.lifecycle import record_change, transition
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, State


class DesiredState(enum.StrEnum):
    """The desired state of a share, in the word of the request file."""

    PRESENT = "present"
    BLOCKED = "blocked"
    ABSENT = "absent"


class Pending(enum.StrEnum):
    """A change that waits for the FTP host, as it goes over the wire (`pendiente`)."""

    BLOCK = "bloquear"
    UNBLOCK = "desbloquear"
    LIFETIME = "vigencia"
    PASSWORD = "password"  # noqa: S105 - a word of the wire
    OTHER = "cambio"


def read_desired_state(share: Share, account: Account) -> DesiredState:
    """Return the desired state of a share. A block of its account applies to each of its shares."""
    if share.state in ENDING:
        return DesiredState.ABSENT
    return DesiredState.BLOCKED if account.blocked else DesiredState(share.wanted)


def list_pending(share: Share, account: Account) -> list[Pending]:
    """Return the changes of a share that its FTP host has not confirmed yet."""
    if share.state not in ON_ITS_WAY | DELIVERED:
        return []
    pending = []
    desired = read_desired_state(share, account)
    if desired is DesiredState.BLOCKED and share.state != State.BLOQUEADO:
        pending.append(Pending.BLOCK)
    if desired is DesiredState.PRESENT and share.state == State.BLOQUEADO:
        pending.append(Pending.UNBLOCK)
    if share.state in DELIVERED and is_lifetime_pending(share):
        pending.append(Pending.LIFETIME)
    if is_rotating(account):
        pending.append(Pending.PASSWORD)
    if not pending and share.state in DELIVERED and share.confirmed_generation < share.generation:
        # It was changed and changed back. A run in between may have brought either to the host.
        pending.append(Pending.OTHER)
    return pending


def is_lifetime_pending(share: Share) -> bool:
    """Whether the FTP host still has another lifetime than the desired one."""
    return share.lifetime_confirmed is not None and share.lifetime_confirmed != share.lifetime_days


def change_desired_state(
    session: Session,
    share: Share,
    *,
    to: State | None = None,
    reason: Phrase,
    author: str,
    request_id: str | None = None,
    run_id: str | None = None,
) -> None:
    """Start a new generation of a share, due now and without a lease. The caller sets the desired state before.

    `to` is the new state of the share; None when only the FTP host can confirm the change. The caller commits, then
    wakes the host. Raises IllegalTransition.
    """
    share.generation += 1
    if request_id is not None:
        share.request_id = request_id
    if to is None:
        record_change(session, share, reason=reason, author=author, run_id=run_id)
    else:
        transition(session, share, to, reason=reason, author=author, run_id=run_id)
    share.message = ()
    share.error_class = None
    share.attempt = 0
    share.retry_until = None
    share.clear_lease()
    share.wished_at = share.due_at = database_now(session)
