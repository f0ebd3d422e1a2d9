"""Steps 4 to 8 for one FTP host: claim what is due, build the request, carry it out, apply the outcome."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tempoftp.accounts.accounts import (
    choose_scheme,
    ensure_password,
    hash_password,
    is_rotating,
    scheme_of,
)
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, FtpHost, Run, Share
from tempoftp.downloads.counts import TransfersRequest, plan_transfers
from tempoftp.errors import ShareError
from tempoftp.hosts.run_totals import ABANDONED, DONE, count_run
from tempoftp.settings import Settings
from tempoftp.shares.apply_result import Claim
from tempoftp.shares.claims import (
    claim_shares,
    extend_claim,
    find_stale_hosts,
    lock_accounts,
    release_claim,
)
from tempoftp.shares.log import ShareLog
from tempoftp.shares.outcomes import Applied, apply_failure, apply_outcome
from tempoftp.shares.results import Outcome
from tempoftp.states import DELIVERED, ON_ITS_WAY, State
from tempoftp.worker.provisioner import Provisioner, RunAbandoned, RunFailed
from tempoftp.worker.request import RunRequest, build_request

logger = logging.getLogger(__name__)

MANY = 50
"""Shares in one run from which on it waits longest."""

QUIET_SECONDS = 0.15
"""A request that is older than this was the last one for now."""
GATHER_SECONDS = 1.0
"""So long a run waits at most for requests that come one after the other."""

_NEEDS_ACCOUNT = ON_ITS_WAY | DELIVERED


@dataclass(slots=True)
class HostRunner:
    """Carries out runs. One per worker process; `should_stop` tells that a running run must be cut short."""

    settings: Settings
    database: Database
    provisioner: Provisioner
    should_stop: Callable[[], bool] = field(default=lambda: False)
    hashers: ThreadPoolExecutor = field(init=False)
    log: ShareLog = field(init=False)
    _hashing_ahead: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.hashers = ThreadPoolExecutor(self.settings.hash_threads, thread_name_prefix="hash")
        self.log = ShareLog(self.settings.state_dir)

    def close(self) -> None:
        """Stop what still runs and give the threads back."""
        self.hashers.shutdown(wait=True, cancel_futures=True)
        self.provisioner.close()

    def run_host(self, ftp_host: str) -> int:
        """Make one run for an FTP host; returns how many shares it carried.

        With nothing due there is no run, unless nothing has been heard of the host for a while, or its downloads were
        not counted: then an empty run fetches its facts and counts them.
        """
        self._let_them_come(ftp_host)
        run_id = self.provisioner.reserve_run_id(ftp_host)
        with self.database.write() as session:
            shares = claim_shares(
                session, ftp_host, run_id, self.settings.batch_size, self.settings.lease_seconds
            )
            transfers = plan_transfers(session, self.settings, ftp_host, busy=bool(shares))
            if not shares and not transfers and ftp_host not in find_stale_hosts(session, self.settings):
                return 0
            accounts = self._collect_accounts(session, shares)
            schemes = _read_schemes(session, ftp_host)
            if shares:
                session.add(Run(id=run_id, ftp_host=ftp_host, shares=len(shares), started_at=utc_now()))
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
        with self._keep_lease(run_id):
            try:
                self._carry_out(claim, shares, accounts, schemes, transfers)
            except BaseException:
                with self.database.write() as session:
                    release_claim(session, run_id)
                raise
        return len(shares)

    def _let_them_come(self, ftp_host: str) -> None:
        """While requests come one after the other, wait for the next one: whoever misses a run waits for all of it.

        One request alone is held up for no more than `QUIET_SECONDS`; a stream of them for `GATHER_SECONDS`.
        """
        deadline = time.monotonic() + GATHER_SECONDS
        while time.monotonic() < deadline and not self.should_stop():
            with self.database.read() as session:
                query = select(func.max(Share.created_at)).where(
                    Share.ftp_host == ftp_host, Share.state == State.RECIBIDO
                )
                newest = session.scalar(query)
            if newest is None or (utc_now() - newest).total_seconds() >= QUIET_SECONDS:
                return
            if not self.hash_ahead(ftp_host):
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
        fernet = self.settings.build_fernet()
        accounts = []
        query = select(Account).where(Account.name.in_(names)).order_by(Account.name)
        for account in session.scalars(query.execution_options(populate_existing=True)):
            if account.name in needed:
                # An account that was given up and is wanted again gets a new password.
                ensure_password(account, fernet)
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
            self._hash_passwords(claim.run_id, [account for account, wanted in accounts if wanted], schemes)
            request = build_request(
                claim.run_id,
                claim.ftp_host,
                plan_wait(shares, self.settings.run_wait_seconds),
                shares,
                accounts,
                transfers,
            )
            outcome = self._run(request)
        except RunFailed as failure:
            self._write_failure(claim, begun, failure.error)
            return
        except RunAbandoned:
            values = {"run": claim.run_id, "host": claim.ftp_host}
            logger.info("run abandoned; its shares stay due", extra=values)
            with self.database.write() as session:
                release_claim(session, claim.run_id)
                _end_run(session, claim.run_id, None)
            self._count(claim, begun, ABANDONED)
            return
        with self.database.write() as session:
            applied = apply_outcome(session, self.settings, claim, outcome)
            _end_run(session, claim.run_id, None)
        self._count(claim, begun, DONE)
        self._report(claim, applied, outcome)

    def _run(self, request: RunRequest) -> Outcome:
        outcome = self.provisioner.run(request, self.should_stop)
        if outcome.run_id != request.run_id:
            text = f"the outcome file is of run {outcome.run_id}, not of {request.run_id}"
            raise RunFailed(ShareError.of("run_failed", text))
        return outcome

    def _hash_passwords(self, run_id: str, accounts: list[Account], schemes: list[str] | None) -> None:
        """Hash what has no usable hash yet and commit it before the run: a crash after it loses no password."""
        scheme = choose_scheme(schemes)
        todo = [account for account in accounts if _needs_hash(account, schemes)]
        if not todo:
            return
        fernet = self.settings.build_fernet()
        try:
            passwords = [fernet.decrypt((account.token or "").encode()).decode() for account in todo]
        except InvalidToken:
            text = "a stored password cannot be decrypted: TEMPOFTP_ENCRYPTION_KEY lacks the key it was stored with"
            raise RunFailed(ShareError.of("run_failed", text)) from None
        hashes = self.hashers.map(lambda password: hash_password(password, scheme), passwords)
        found = {account.name: value for account, value in zip(todo, hashes, strict=True)}
        numbers = {account.name: account.password_generation for account in todo}
        with self.database.write() as session:
            for name, row in lock_accounts(session, run_id).items():
                if (
                    name in found and row.password_generation == numbers[name]
                ):  # else there is a newer one since
                    row.password_hash = found[name]
        for account in todo:
            account.password_hash = found[account.name]

    def hash_ahead(self, ftp_host: str) -> int:
        """While a run of this host is on, hash the passwords that the next one will need; returns how many.

        A run that hashes the same password at the same time does no harm: both hashes open it, and the one that the run
        commits is the one that it sends.
        """
        if not self._hashing_ahead.acquire(blocking=False):
            return 0
        try:
            with self.database.read() as session:
                schemes = _read_schemes(session, ftp_host)
                query = (
                    select(Account.name, Account.token)
                    .join(Share, Share.ftpuser == Account.name)
                    .where(Share.ftp_host == ftp_host, Share.state == State.RECIBIDO)
                    .where(Account.token.is_not(None), Account.password_hash.is_(None))
                    .where(Account.exists_since.is_(None))
                    .distinct()
                )
                waiting = [(name, str(token)) for name, token in session.execute(query)]
            scheme, fernet = choose_scheme(schemes), self.settings.build_fernet()
            passwords = [fernet.decrypt(token.encode()).decode() for _, token in waiting]
            hashes = list(self.hashers.map(lambda password: hash_password(password, scheme), passwords))
            with self.database.write() as session:
                for (name, token), value in zip(waiting, hashes, strict=True):
                    still_waiting = (
                        Account.name == name,
                        Account.token == token,
                        Account.password_hash.is_(None),
                    )
                    session.execute(update(Account).where(*still_waiting).values(password_hash=value))
            return len(waiting)
        except InvalidToken:
            return 0  # the run itself says so, for the shares that it concerns
        finally:
            self._hashing_ahead.release()

    def _write_failure(self, claim: Claim, begun: float, error: ShareError) -> None:
        values = {"run": claim.run_id, "host": claim.ftp_host, "class": error.error_class}
        logger.warning("run failed: %s", error.message, extra=values)
        with self.database.write() as session:
            applied = apply_failure(session, self.settings, claim, error)
            _end_run(session, claim.run_id, error)
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
            logger.warning("outcome came late and is thrown away", extra=run | {"share": share_id})
            self.log.write_late(share_id, claim.run_id)
        logger.info("run ends", extra=run)

    @contextmanager
    def _keep_lease(self, run_id: str) -> Iterator[None]:
        """Extend the lease from a thread of its own while the block runs."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self.settings.heartbeat_seconds):
                try:
                    with self.database.write() as session:
                        extend_claim(session, run_id, self.settings.lease_seconds)
                except Exception:  # the next beat may reach the database again; else the lease runs out
                    logger.exception("heartbeat failed", extra={"run": run_id})

        thread = threading.Thread(target=beat, name=f"heartbeat-{run_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def plan_wait(shares: list[Share], longest: float) -> float:
    """Return the seconds a run waits on the host: none when every copy it carries is known to take longer.

    One that carries many waits up to three times as long: each further run would cost all of them its start.
    """
    soon = sum(share.state != State.TRASLADO or share.eta is None or share.eta <= longest for share in shares)
    return longest * (1 + 2 * min(soon - 1, MANY) / MANY) if soon else 0.0


def _needs_hash(account: Account, schemes: list[str] | None) -> bool:
    if account.token is None:
        return False
    if account.password_hash is None:
        return True
    on_host = account.exists_since is not None and not is_rotating(account)
    return not on_host and bool(schemes and scheme_of(account.password_hash) not in schemes)


def _read_schemes(session: Session, ftp_host: str) -> list[str] | None:
    host = session.get(FtpHost, ftp_host)
    schemes = (host.database_facts or {}).get("password_schemes") if host is not None else None
    return [str(scheme) for scheme in schemes] if schemes else None


def _end_run(session: Session, run_id: str, error: ShareError | None) -> None:
    run = session.get(Run, run_id)
    if run is not None:
        run.ended_at = utc_now()
        if error is not None:
            run.error_class, run.error_message = error.error_class, error.message
