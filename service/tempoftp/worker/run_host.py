"""Steps 4 to 8 for one FTP host: claim what is due, build the request, carry it out, apply the outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import (
    ensure_password,
)
from tempoftp.db.clock import database_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Run, Share
from tempoftp.downloads.counts import TransfersRequest, plan_transfers
from tempoftp.errors import ShareError
from tempoftp.hosts.run_totals import ABANDONED, DONE, count_run
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim
from tempoftp.shares.claims import (
    claim_shares,
    extend_claim,
    find_stale_hosts,
    release_claim,
)
from tempoftp.shares.log import ShareLog
from tempoftp.shares.outcomes import Applied, apply_failure, apply_outcome
from tempoftp.shares.results import Outcome
from tempoftp.states import DELIVERED, ON_ITS_WAY, State
from tempoftp.worker.allow_list import find_refused
from tempoftp.worker.heartbeat import keep_lease
from tempoftp.worker.passwords import PasswordHasher, read_schemes
from tempoftp.worker.provisioner import Provisioner, RunAbandoned, RunFailed, check_run_id
from tempoftp.worker.request import RunRequest, build_request

logger = logging.getLogger(__name__)

MANY = 50
"""A run with this many shares, or more, waits longest."""

QUIET_SECONDS = 0.15
"""When the newest request is older than this, no other one is expected."""
GATHER_SECONDS = 1.0
"""A run waits at most this long for requests that come one after the other."""

_NEEDS_ACCOUNT = ON_ITS_WAY | DELIVERED


@dataclass(slots=True)
class HostRunner:
    """Carries out runs. One per worker process; `should_stop` says that a run must be stopped now."""

    settings: Settings
    database: Database
    provisioner: Provisioner
    should_stop: Callable[[], bool] = field(default=lambda: False)
    passwords: PasswordHasher = field(init=False)
    log: ShareLog = field(init=False)

    def __post_init__(self) -> None:
        self.passwords = PasswordHasher(self.settings, self.database)
        self.log = ShareLog(self.settings.log_folder)

    def close(self) -> None:
        """Stop what still runs and end the threads."""
        self.passwords.close()
        self.provisioner.close()

    def run_host(self, ftp_host: str) -> int:
        """Make one run for an FTP host; returns how many shares it carried.

        Without a due share there is no run, except when the facts about the host are old or its downloads must be
        counted: then a run without shares does that.
        """
        self._gather_requests(ftp_host)
        run_id = self.provisioner.reserve_run_id(ftp_host)
        begun = self.database.transact(lambda session: self._begin(session, ftp_host, run_id))
        if begun is None:
            return 0
        shares, accounts, schemes, transfers = begun
        claim = Claim(
            run_id=run_id,
            ftp_host=ftp_host,
            generations={share.id: share.generation for share in shares},
            absent_accounts=frozenset(account.name for account, wanted in accounts if not wanted),
            passwords={account.name: account.password_generation for account, _wanted in accounts},
        )
        requests = sorted({share.request_id for share in shares})
        logger.info(
            "run starts",
            extra={"run": run_id, "host": ftp_host, "shares": len(shares), "requests": requests},
        )
        lease = self.settings.lease_seconds
        with keep_lease(
            self.settings, self.database, run_id, lambda session: extend_claim(session, run_id, lease)
        ):
            try:
                self._carry_out(claim, shares, accounts, schemes, transfers)
            except BaseException:
                self.database.transact(lambda session: release_claim(session, run_id))
                raise
        return len(shares)

    def _begin(
        self, session: Session, ftp_host: str, run_id: str
    ) -> tuple[list[Share], list[tuple[Account, bool]], list[str] | None, TransfersRequest | None] | None:
        """Claim what is due and read what its run needs; None when there is nothing to do."""
        shares = claim_shares(
            session, ftp_host, run_id, self.settings.batch_size, self.settings.lease_seconds
        )
        transfers = plan_transfers(session, self.settings, ftp_host, busy=bool(shares))
        if not shares and not transfers and ftp_host not in find_stale_hosts(session, self.settings):
            return None
        accounts = self._collect_accounts(session, shares)
        if shares:
            now = database_now(session)
            session.add(Run(id=run_id, ftp_host=ftp_host, shares=len(shares), started_at=now))
        return shares, accounts, read_schemes(session, ftp_host), transfers

    def _gather_requests(self, ftp_host: str) -> None:
        """While requests come one after the other, wait for the next one.

        A request that arrives after the run has started waits until that run ends. A single request is delayed by at
        most `QUIET_SECONDS`, a stream of requests by at most `GATHER_SECONDS`.
        """
        deadline = time.monotonic() + GATHER_SECONDS
        while time.monotonic() < deadline and not self.should_stop():
            with self.database.read() as session:
                query = select(func.max(Share.created_at)).where(
                    Share.ftp_host == ftp_host, Share.state == State.RECIBIDO
                )
                newest, now = session.scalar(query), database_now(session)
            if newest is None or (now - newest).total_seconds() >= QUIET_SECONDS:
                return
            if not self.passwords.hash_ahead(ftp_host):
                time.sleep(QUIET_SECONDS / 2)

    def _collect_accounts(self, session: Session, shares: list[Share]) -> list[tuple[Account, bool]]:
        """Return the accounts of the claimed shares, each with whether any share still needs it."""
        names = {share.ftpuser for share in shares}
        needed = set(
            session.scalars(
                select(Share.ftpuser)
                .where(Share.ftpuser.in_(names), Share.state.in_(_NEEDS_ACCOUNT))
                .distinct()
            )
        )
        fernet, now = self.settings.build_fernet(), database_now(session)
        accounts = []
        query = select(Account).where(Account.name.in_(names)).order_by(Account.name)
        for account in session.scalars(query.execution_options(populate_existing=True)):
            if account.name in needed:
                # An account that was removed and is needed again gets a new password.
                ensure_password(account, fernet, now)
            accounts.append((account, account.name in needed))
        return accounts

    def _carry_out(
        self,
        claim: Claim,
        shares: list[Share],
        accounts: list[tuple[Account, bool]],
        schemes: list[str] | None,
        transfers: TransfersRequest | None,
    ) -> None:
        begun = time.monotonic()
        try:
            self.passwords.hash_for_run(
                claim.run_id, [account for account, wanted in accounts if wanted], schemes
            )
            refused = find_refused(self.settings, shares, {account.name: account for account, _ in accounts})
            request = build_request(
                claim.run_id,
                claim.ftp_host,
                plan_wait(shares, self.settings.run_wait_seconds),
                [share for share in shares if share.id not in refused],
                accounts,
                transfers,
            )
            outcome = self._run(request)
            outcome = outcome.model_copy(update={"shares": [*outcome.shares, *refused.values()]})
        except RunFailed as failure:
            self._write_failure(claim, begun, failure.error)
            return
        except RunAbandoned:
            values = {"run": claim.run_id, "host": claim.ftp_host}
            logger.info("run abandoned; its shares stay due", extra=values)
            self.database.transact(lambda session: self._abandon(session, claim))
            self._count(claim, begun, ABANDONED)
            return
        applied = self.database.transact(lambda session: self._apply(session, claim, outcome))
        self._count(claim, begun, DONE)
        self._report(claim, applied, outcome)

    def _abandon(self, session: Session, claim: Claim) -> None:
        release_claim(session, claim.run_id)
        _end_run(session, claim.run_id, None)

    def _apply(self, session: Session, claim: Claim, result: Outcome | ShareError) -> Applied:
        if isinstance(result, ShareError):
            applied = apply_failure(session, self.settings, claim, result)
            _end_run(session, claim.run_id, result)
        else:
            applied = apply_outcome(session, self.settings, claim, result)
            _end_run(session, claim.run_id, None)
        return applied

    def _run(self, request: RunRequest) -> Outcome:
        outcome = self.provisioner.run(request, self.should_stop)
        check_run_id(outcome, request.run_id)
        return outcome

    def _write_failure(self, claim: Claim, begun: float, error: ShareError) -> None:
        values = {"run": claim.run_id, "host": claim.ftp_host, "class": error.error_class}
        logger.warning("run failed: %s", error.message, extra=values)
        applied = self.database.transact(lambda session: self._apply(session, claim, error))
        self._count(claim, begun, error.error_class)
        self._report(claim, applied, None)

    def _count(self, claim: Claim, begun: float, outcome: str) -> None:
        seconds = time.monotonic() - begun
        count_run(self.database, claim.ftp_host, "shares", outcome, seconds, shares=len(claim.generations))

    def _report(self, claim: Claim, applied: Applied, outcome: Outcome | None) -> None:
        results = {result.id: result for result in outcome.shares} if outcome is not None else {}
        run = {"run": claim.run_id, "host": claim.ftp_host}
        problem = (
            outcome.transfers.log.problem if outcome is not None and outcome.transfers is not None else None
        )
        if problem is not None:
            logger.warning("downloads cannot be counted: %s", problem, extra=run)
        for share in applied.written:
            logger.info(
                "share moved on",
                extra=run
                | {
                    "request_id": share.request_id,
                    "share": share.id,
                    "state": str(share.state),
                    "class": share.error_class,
                },
            )
            self.log.write(share, claim.run_id, results.get(share.id))
        for share_id in applied.late:
            logger.warning("outcome came late and is ignored", extra=run | {"share": share_id})
            self.log.write_late(share_id, claim.run_id)
        logger.info("run ends", extra=run)


def plan_wait(shares: list[Share], longest: float) -> float:
    """Return the seconds that a run waits on the host: 0 when every copy in it is known to take longer.

    A run with many shares waits up to three times as long, because another run would delay all of them by its start.
    """
    soon = sum(share.state != State.TRASLADO or share.eta is None or share.eta <= longest for share in shares)
    return longest * (1 + 2 * min(soon - 1, MANY) / MANY) if soon else 0.0


def _end_run(session: Session, run_id: str, error: ShareError | None) -> None:
    run = session.get(Run, run_id)
    if run is not None:
        run.ended_at = database_now(session)
        if error is not None:
            run.error_class, run.error_message = error.error_class, error.message
