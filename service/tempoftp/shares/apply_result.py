"""Applies one result of a run to one share: its next state, progress or error, and when it is due again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tempoftp.db.models import Account, Share
from tempoftp.errors import ShareError
from tempoftp.phrases import Phrase
from tempoftp.settings import Settings
from tempoftp.shares.claims import WORKER
from tempoftp.shares.desired_state import (
    DesiredState,
    Pending,
    change_desired_state,
    is_lifetime_pending,
    list_pending,
    read_desired_state,
)
from tempoftp.shares.fields import DELIVERY, PROGRESS
from tempoftp.shares.lifecycle import record_change, transition
from tempoftp.shares.messages import describe_error, describe_giving_up
from tempoftp.shares.results import ShareResult, UserResult, UserShare
from tempoftp.states import DELIVERED, ENDING, ON_ITS_WAY, State

LOOK_AGAIN_MIN = 0.5
LOOK_AGAIN = 2.0
BACKOFF_MIN = 2.0
LOOK_AGAIN_MAX = 30.0
SKIPPED_KEPT = 100
"""Names of left-out files that are kept in the row; the total is exact."""

DAY = timedelta(days=1)
LATE = timedelta(hours=1)
"""A try that comes later than this after it was due: nobody tried in between."""
_PREPARING = frozenset({"queued", "probing", "purging"})
_OUT_OF_REACH = frozenset({"purging", "absent"})
_NOT_HERE = frozenset({"not_delivered", "managed_elsewhere"})
"""Errors that say that the host does not have this share, whatever its row says."""
_ORDER = (State.RECIBIDO, State.PREPARANDO, State.TRASLADO)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run was started with: generations of shares, numbers of passwords, and the accounts to be removed."""

    run_id: str
    ftp_host: str
    generations: dict[str, int]
    absent_accounts: frozenset[str] = field(default_factory=frozenset)
    passwords: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """Applies a result to one share. Methods write to the rows; nothing is committed here."""

    session: Session
    settings: Settings
    claim: Claim
    share: Share
    account: Account
    now: datetime

    def apply(self, result: ShareResult | None, user: UserResult | None) -> None:
        """Write what a run reported of the share. `user` is the report on its account; None when it is out of date."""
        if result is None:
            self.apply_error(ShareError.of("run_failed", "the run did not report on this share; see its log"))
        elif result.error is not None:
            self._keep_progress(result)
            self._apply_refusal(result, user)
        elif self.share.state in ENDING:
            self._apply_absent(result, user)
        elif result.state in ("failed", "absent"):
            text = f"the FTP host reports {result.state!r} without saying why; it will be tried again"
            self.apply_error(ShareError.of("run_failed", text))
        elif result.state in ("delivered", "blocked"):
            self._keep_progress(result)
            self._apply_delivered(result, user)
        else:
            self._advance(State.PREPARANDO if result.state in _PREPARING else State.TRASLADO)
            self._settle(grew=self._keep_progress(result))
            self._look_again(result.eta)

    def apply_error(self, error: ShareError) -> None:
        """Write a failure.

        A transient one is retried until a deadline; without one when the share is ending, or when the class says so.
        """
        share = self.share
        share.error_class = error.error_class
        failure = describe_error(error)
        share.message = (failure,)
        if error.endless:
            # The deadline of earlier errors would be over when this one ends. It is no attempt of the share either.
            share.retry_until = None
            share.due_at = self.now + timedelta(seconds=LOOK_AGAIN_MAX)
            return
        if share.state in ENDING:  # without a deadline: a failure must not keep access or data alive
            self._back_off()
            return
        if error.transient:
            if share.retry_until is None or self._came_late():
                share.retry_until = self.now + timedelta(hours=self.settings.retry_until_hours)
            if self.now < share.retry_until:
                self._back_off()
                return
            failure = describe_giving_up(error, self.settings.retry_until_hours)
            share.message = (failure,)
        if share.state in DELIVERED and error.error_class not in _NOT_HERE:
            self._give_up_lifetime()
            return
        self._move(State.ERROR, failure)
        share.due_at = None

    def _came_late(self) -> bool:
        """Whether this try came long after it was due: a pause, a service that was off, or a clock that jumped.

        In that time nothing was tried, so it does not count towards giving up.
        """
        return self.share.due_at is not None and self.now - self.share.due_at > LATE

    def _give_up_lifetime(self) -> None:
        """Keep a delivered share as it is on the FTP host, after a change of it has failed.

        Only a lifetime is given up: the one that the host has stays valid. A block, an unblock and a new password are
        tried again, because nobody knows whether the host did them.
        """
        share = self.share
        if is_lifetime_pending(share) and share.lifetime_confirmed is not None:
            share.message = (Phrase("lifetime_kept", days=share.lifetime_confirmed), *share.message)
            share.lifetime_days = share.lifetime_confirmed
            reason = Phrase("lifetime_kept", days=share.lifetime_days, why=share.error_class)
            record_change(self.session, share, reason=reason, author=WORKER, run_id=self.claim.run_id)
        if set(list_pending(share, self.account)) - {Pending.OTHER}:
            self._back_off()
        else:
            share.due_at = None

    def _apply_refusal(self, result: ShareResult, user: UserResult | None) -> None:
        assert result.error is not None  # noqa: S101 - asked before
        error = result.error.to_share_error()
        if error.error_class == "managed_elsewhere" and self.share.state in ENDING:
            # What has this id is an operator's: of the service's own share nothing is left to end.
            self._apply_absent(result.model_copy(update={"state": "absent"}), user)
            return
        if error.error_class != "ended" or self.share.state in ENDING:
            self.apply_error(error)
            return
        # The host's timer, or an administrator there, ended it first. The service removes what is left.
        to = State.ELIMINANDO if result.reason == "deleted" else State.EXPIRANDO
        self.share.wanted = DesiredState.ABSENT
        change_desired_state(
            self.session,
            self.share,
            to=to,
            reason=Phrase("host_ended", why=result.reason or "expired"),
            author=WORKER,
            run_id=self.claim.run_id,
        )

    def _apply_absent(self, result: ShareResult, user: UserResult | None) -> None:
        if user is not None and user.error is not None:
            self.apply_error(user.error.to_share_error())
            return
        account_is_settled = user is not None and (
            self.share.ftpuser not in self.claim.absent_accounts
            or user.state == "absent"
            or user.kept_reason is not None
        )
        self._settle(grew=True)
        if account_is_settled and result.state in _OUT_OF_REACH:
            self.share.confirmed_generation = self.share.generation
        if account_is_settled and result.state == "absent":
            self.share.restorable_until = result.restorable_until
            end = State.ELIMINADO if self.share.state == State.ELIMINANDO else State.EXPIRADO
            self._move(end, Phrase("gone"))
            self.share.due_at = None
        else:
            self._look_again(None)

    def _apply_delivered(self, result: ShareResult, user: UserResult | None) -> None:
        share = self.share
        if user is not None and user.error is not None:
            self._advance(State.TRASLADO)
            self.apply_error(user.error.to_share_error())
            return
        times = _find_times(share, user)
        if not self._is_confirmed(result, user, times):
            self._advance(State.TRASLADO)
            self._settle(grew=False)
            self._look_again(0)
            return
        self._settle(grew=True)
        if times is not None:
            share.ready_at, share.expires = times.ready_at, times.expires
            share.lifetime_confirmed = _count_days(times, share.lifetime_days)
        share.path = result.path
        share.restorable_until = None
        share.eta = 0
        share.confirmed_generation = share.generation
        to = State.BLOQUEADO if result.state == "blocked" else State.LISTO
        if share.state != to:
            self._move(to, Phrase("host_reported"))
        if share.expires is not None and is_lifetime_pending(share):
            text = f"the FTP host still counts with {share.lifetime_confirmed} days; it will be told again"
            self.apply_error(ShareError.of("run_failed", text))
        elif list_pending(share, self.account):
            self._look_again(0)
        else:
            share.due_at = None

    def _is_confirmed(self, result: ShareResult, user: UserResult | None, times: UserShare | None) -> bool:
        """Whether the FTP host has the desired state of this generation of the share and of its account."""
        if user is None:
            return False
        if read_desired_state(self.share, self.account) is DesiredState.PRESENT:
            return result.state == "delivered" and user.state == "present" and times is not None
        if result.state != "blocked":
            return False
        return not self.account.blocked or user.state != "present" or user.origin == "adopted"

    def _keep_progress(self, result: ShareResult) -> bool:
        """Copy the progress into the row, and return whether more is done than before."""
        share = self.share
        if any(getattr(result, name) is not None for name in DELIVERY):
            for name in DELIVERY:
                setattr(share, name, getattr(result, name))
        if share.state not in ON_ITS_WAY:
            return False
        grew = (result.bytes_done or 0, result.files_done or 0) > (
            share.bytes_done or 0,
            share.files_done or 0,
        )
        for name in PROGRESS:
            setattr(share, name, getattr(result, name))
        if result.skipped_total is not None:
            share.skipped_total = result.skipped_total
            share.skipped = result.skipped[:SKIPPED_KEPT]
        return grew

    def _settle(self, *, grew: bool) -> None:
        """Clear the error.

        The deadline of earlier errors is cleared only after progress. Otherwise an error that comes and goes would
        never end.
        """
        self.share.message = ()
        self.share.error_class = None
        if grew:
            self.share.attempt = 0
            self.share.retry_until = None

    def _advance(self, to: State) -> None:
        """Move forward to a state. A share that was further already stays, for example after a reboot of its host."""
        state = State(self.share.state)
        if state in ON_ITS_WAY:
            if _ORDER.index(to) > _ORDER.index(state):
                self._move(to, Phrase("host_reported"))
            self.share.confirmed_generation = self.share.generation

    def _move(self, to: State, reason: Phrase) -> None:
        transition(self.session, self.share, to, reason=reason, author=WORKER, run_id=self.claim.run_id)

    def _look_again(self, eta: float | None) -> None:
        age = (self.now - self.share.wished_at).total_seconds()
        self.share.due_at = self.now + timedelta(seconds=plan_delay(eta, age))

    def _back_off(self) -> None:
        self.share.attempt += 1
        self.share.due_at = self.now + timedelta(seconds=plan_backoff(self.share.attempt))


def _find_times(share: Share, user: UserResult | None) -> UserShare | None:
    """Return the times that the FTP host set for this generation of a share; None while the account cannot log in."""
    for entry in user.shares if user is not None else ():
        if (entry.id, entry.generation) == (share.id, share.generation) and entry.ready_at is not None:
            return entry
    return None


def _count_days(times: UserShare, wanted: int) -> int:
    """Return the days between the two times."""
    if times.ready_at is None or times.expires is None:
        return wanted
    return round((times.expires - times.ready_at) / DAY)


def plan_delay(eta: float | None, age: float) -> float:
    """Return the seconds until the next look at a share: its eta, but at most a tenth of its age (2 to 30 s).

    Each look is a run, which costs about a second of CPU on the service's machine.
    """
    latest = min(max(age / 10, LOOK_AGAIN), LOOK_AGAIN_MAX)
    return latest if eta is None else min(max(eta, LOOK_AGAIN_MIN), latest)


def plan_backoff(attempt: int, *, least: float = BACKOFF_MIN, most: float = LOOK_AGAIN_MAX) -> float:
    """Return the seconds until the next try, by the number of transient failures in a row: 2, 4, 8, 16, 30, 30 …"""
    return min(least * 2.0 ** min(attempt - 1, 10), most)
