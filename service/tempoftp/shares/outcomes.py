"""Step 8 of the flow: what a run reports becomes states, progress or classified errors.

Written only for shares whose lease and generation are still those the run started with; anything else came late
and is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tempoftp.settings import Settings
from tempoftp.shares.accounts import forget_account
from tempoftp.shares.database import database_now
from tempoftp.shares.errors import ShareError
from tempoftp.shares.leases import WORKER, lock_accounts, lock_claimed, release_leases
from tempoftp.shares.messages import explain_error, explain_giving_up
from tempoftp.shares.models import Account, FtpHost, Share
from tempoftp.shares.results import Outcome, ShareResult, UserResult
from tempoftp.shares.states import ENDING, ON_ITS_WAY, State, transition

LOOK_AGAIN_MIN = 0.5
LOOK_AGAIN = 2.0
BACKOFF_MIN = 2.0
LOOK_AGAIN_MAX = 30.0
SKIPPED_KEPT = 100
"""Names of left-out files that are kept in the row; the total is exact."""

_PREPARING = frozenset({"queued", "probing", "purging"})
_ORDER = (State.RECIBIDO, State.PREPARANDO, State.TRASLADO, State.LISTO)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a run was started with: share generations, and the accounts it was to take away."""

    run_id: str
    ftp_host: str
    generations: dict[str, int]
    absent_accounts: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an outcome: the shares it was written to, and those for which it came too late."""

    written: tuple[Share, ...]
    late: tuple[str, ...]


def apply_outcome(session: Session, settings: Settings, claim: Claim, outcome: Outcome) -> Applied:
    """Write a run's outcome inside a write transaction and give its leases back."""
    now = database_now(session)
    record_facts(session, claim.ftp_host, outcome, now)
    shares = lock_claimed(session, claim.run_id, claim.generations)
    users = {user.name: user for user in outcome.users}
    results = {result.id: result for result in outcome.shares}
    for name, account in lock_accounts(session, claim.run_id).items():
        if name in users:
            _apply_user(account, users[name], now)
    for share in shares.values():
        step = _Step(session, settings, claim, share, now)
        step.apply(results.get(share.id), users.get(share.ftpuser))
    return _finish(session, claim, shares)


def apply_failure(session: Session, settings: Settings, claim: Claim, error: ShareError) -> Applied:
    """Write down that a run ended without an outcome, for every share it still holds."""
    now = database_now(session)
    host = _find_host(session, claim.ftp_host)
    host.error_class, host.error_message, host.error_at = error.error_class, error.message, now
    shares = lock_claimed(session, claim.run_id, claim.generations)
    for share in shares.values():
        _Step(session, settings, claim, share, now).apply_error(error)
    return _finish(session, claim, shares)


def record_facts(session: Session, ftp_host: str, outcome: Outcome, now: datetime) -> None:
    """Keep what the FTP host told of itself."""
    host = _find_host(session, ftp_host)
    host.error_class = host.error_message = host.error_at = None
    host.facts_at = now
    if outcome.host is not None:
        host.facts = outcome.host
    if outcome.database is not None:
        host.database_facts = outcome.database


def _find_host(session: Session, name: str) -> FtpHost:
    host = session.get(FtpHost, name)
    if host is None:
        host = FtpHost(name=name, paused=False)
        session.add(host)
    return host


def _finish(session: Session, claim: Claim, shares: dict[str, Share]) -> Applied:
    session.flush()
    release_leases(session, claim.run_id)
    late = tuple(sorted(set(claim.generations) - set(shares)))
    return Applied(written=tuple(shares.values()), late=late)


def _apply_user(account: Account, user: UserResult, now: datetime) -> None:
    if user.error is not None:
        return
    if user.state == "absent":
        if user.skipped_reason is None:
            forget_account(account)
        return
    if user.state not in ("present", "blocked"):
        return
    if account.exists_since is None:
        account.exists_since = now
    account.origin = user.origin or account.origin
    if user.password_hash is not None and user.password_hash != account.password_hash:
        # It was there before with a password that is not ours: the token would open nothing.
        account.password_hash = user.password_hash
        account.token = None


@dataclass(slots=True)
class _Step:
    """One share's step, from one result."""

    session: Session
    settings: Settings
    claim: Claim
    share: Share
    now: datetime

    def apply(self, result: ShareResult | None, user: UserResult | None) -> None:
        if result is None:
            self.apply_error(ShareError.of("run_failed", "the run did not report on this share; see its log"))
        elif result.error is not None:
            self._keep_progress(result)
            self.apply_error(result.error.to_share_error())
        elif self.share.state in ENDING:
            self._apply_absent(result, user)
        elif result.state in ("failed", "absent"):
            text = f"the FTP host reports {result.state!r} without saying why; it will be tried again"
            self.apply_error(ShareError.of("run_failed", text))
        elif result.state == "delivered":
            self._keep_progress(result)
            self._apply_delivered(result, user)
        else:
            self._advance(State.PREPARANDO if result.state in _PREPARING else State.TRASLADO)
            self._settle(grew=self._keep_progress(result))
            self._look_again(result.eta)

    def apply_error(self, error: ShareError) -> None:
        share = self.share
        share.error_class = error.error_class
        share.message = explain_error(error)
        if share.state in ENDING:  # for ever: nothing that failed may keep access or data alive
            self._back_off()
            return
        if error.transient:
            if share.retry_until is None:
                share.retry_until = self.now + timedelta(hours=self.settings.retry_until_hours)
            if self.now < share.retry_until:
                self._back_off()
                return
            share.message = explain_giving_up(error, self.settings.retry_until_hours)
        self._move(State.ERROR, f"{error.error_class}: {share.message}")
        share.due_at = None

    def _apply_absent(self, result: ShareResult, user: UserResult | None) -> None:
        account_is_settled = self.share.ftpuser not in self.claim.absent_accounts or (
            user is not None
            and user.error is None
            and (user.state == "absent" or user.kept_reason is not None)
        )
        if user is not None and user.error is not None and not account_is_settled:
            self.apply_error(user.error.to_share_error())
            return
        self._settle(grew=True)
        if result.state == "absent" and account_is_settled:
            end = State.ELIMINADO if self.share.state == State.ELIMINANDO else State.EXPIRADO
            self._move(end, "account, sessions and data are gone")
            self.share.due_at = None
        else:
            self._look_again(None)

    def _apply_delivered(self, result: ShareResult, user: UserResult | None) -> None:
        share = self.share
        if user is not None and user.error is not None:
            self._advance(State.TRASLADO)
            self.apply_error(user.error.to_share_error())
            return
        confirmed = _find_confirmation(share, user)
        if confirmed is None:
            self._advance(State.TRASLADO)
            self._settle(grew=False)
            self._look_again(0)
            return
        self._settle(grew=True)
        share.ready_at, share.expires = confirmed
        share.path = result.path
        share.eta = 0
        self._advance(State.LISTO)
        share.due_at = None

    def _keep_progress(self, result: ShareResult) -> bool:
        """Copy the progress into the row; returns whether more is done than before."""
        share = self.share
        grew = (result.bytes_done or 0, result.files_done or 0) > (
            share.bytes_done or 0,
            share.files_done or 0,
        )
        for name in ("bytes_total", "bytes_done", "files_total", "files_done", "percent", "rate", "eta"):
            setattr(share, name, getattr(result, name))
        if result.skipped_total is not None:
            share.skipped_total = result.skipped_total
            share.skipped = result.skipped[:SKIPPED_KEPT]
        return grew

    def _settle(self, *, grew: bool) -> None:
        """No error now. The deadline of earlier ones is lifted only by progress, else a flapping one never ends."""
        self.share.message = ""
        self.share.error_class = None
        if grew:
            self.share.attempt = 0
            self.share.retry_until = None

    def _advance(self, to: State) -> None:
        """Move forward to a state; a share that was further already (its host rebooted) stays where it is."""
        state = State(self.share.state)
        if state in ON_ITS_WAY and _ORDER.index(to) > _ORDER.index(state):
            self._move(to, "reported by the FTP host")

    def _move(self, to: State, reason: str) -> None:
        transition(self.session, self.share, to, reason=reason, author=WORKER, run_id=self.claim.run_id)

    def _look_again(self, eta: float | None) -> None:
        self.share.due_at = self.now + timedelta(seconds=plan_delay(eta, self._age()))

    def _age(self) -> float:
        begun = self.share.state_changed_at if self.share.state in ENDING else self.share.created_at
        return (self.now - begun).total_seconds()

    def _back_off(self) -> None:
        self.share.attempt += 1
        self.share.due_at = self.now + timedelta(seconds=plan_backoff(self.share.attempt))


def _find_confirmation(share: Share, user: UserResult | None) -> tuple[datetime, datetime | None] | None:
    """Return (ready_at, expires) once the account can log in and the host has fixed this share's times."""
    if user is None or user.state != "present":
        return None
    for entry in user.shares:
        if (entry.id, entry.generation) == (share.id, share.generation) and entry.ready_at is not None:
            return entry.ready_at, entry.expires
    return None


def plan_delay(eta: float | None, age: float) -> float:
    """Return the seconds until a share is looked at again: its eta, but at most a tenth of its age (2 to 30).

    A look costs a run, that is about a second of CPU on the machine of the service.
    """
    latest = min(max(age / 10, LOOK_AGAIN), LOOK_AGAIN_MAX)
    return latest if eta is None else min(max(eta, LOOK_AGAIN_MIN), latest)


def plan_backoff(attempt: int) -> float:
    """Return the seconds until the next try after so many transient failures in a row: 2, 4, 8, 16, 30, 30 …"""
    return min(BACKOFF_MIN * 2.0 ** min(attempt - 1, 10), LOOK_AGAIN_MAX)
