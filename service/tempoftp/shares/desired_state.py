"""What is wanted of a share beside what is known of it, and the one way to want something else.

Every change of mind is a new generation: a run that still carries the earlier one comes late, its outcome is thrown
away here and the FTP host refuses it. A wish is done when an outcome of its own generation says so; until then it is
shown as pending.
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
    """What a share is wanted to be, in the word of the request file."""

    PRESENT = "present"
    BLOCKED = "blocked"
    ABSENT = "absent"


class Pending(enum.StrEnum):
    """A wish that waits for its FTP host, as it goes over the wire (`pendiente`)."""

    BLOCK = "bloquear"
    UNBLOCK = "desbloquear"
    LIFETIME = "vigencia"
    PASSWORD = "password"  # noqa: S105 - a word of the wire
    OTHER = "cambio"


def read_desired_state(share: Share, account: Account) -> DesiredState:
    """Return what is wanted of a share: a block of its account covers every share of it."""
    if share.state in ENDING:
        return DesiredState.ABSENT
    return DesiredState.BLOCKED if account.blocked else DesiredState(share.wanted)


def list_pending(share: Share, account: Account) -> list[Pending]:
    """Return the wishes about a share that its FTP host has not confirmed yet."""
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
        # Wanted and unwanted again before the host was asked: it may have seen either.
        pending.append(Pending.OTHER)
    return pending


def is_lifetime_pending(share: Share) -> bool:
    """Whether the FTP host still counts with another lifetime than the one that is wanted."""
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
    """Begin a new generation of a share, due now and nobody's; the caller has set what it wants. Commit, then wake.

    `to` is the state that goes with it, None when only the FTP host can confirm it. Raises IllegalTransition.
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
