"""Audits of FTP hosts by the worker: before its first run on a host, on request, and every `audit_hours`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from tempoftp.audits.audits import (
    abandon_audit,
    apply_audit,
    apply_audit_failure,
    claim_audit,
    find_due_audits,
    find_waiting,
    may_repair,
    tell_waiting,
)
from tempoftp.audits.compare import Comparison, compare_host
from tempoftp.audits.repair import WANTS_ROW, find_resurrected_shares, repair_rows, wake_rows
from tempoftp.audits.restore import correct_accounts, correct_shares, find_candidates
from tempoftp.audits.results import AuditOutcome, AuditRequest, Finding, HostFacts
from tempoftp.audits.rows import SeenRows, cut, read_rows
from tempoftp.db.clock import database_now
from tempoftp.db.engine import Database
from tempoftp.db.leases import extend_leases, lock_held
from tempoftp.db.models import Account, HostAudit, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.run_totals import DONE, count_run
from tempoftp.settings import Settings
from tempoftp.worker.heartbeat import keep_lease
from tempoftp.worker.provisioner import Provisioner, RunAbandoned, RunFailed, check_run_id, new_run_id
from tempoftp.worker.request import RunRequest, ShareItem, UserItem, build_share_item

logger = logging.getLogger(__name__)

Written = TypeVar("Written")


class LeaseLostError(Exception):
    """The lease ended and another worker has taken the audit: what this one found does not count."""


@dataclass(slots=True)
class Auditor:
    """Makes the audits that are due. One per worker process."""

    settings: Settings
    database: Database
    provisioner: Provisioner
    should_stop: Callable[[], bool] = field(default=lambda: False)

    def run_due(self, ftp_host: str) -> bool:
        """Audit a host if an audit is due and no other worker makes it; returns whether it was due."""
        with self.database.read() as session:
            if ftp_host not in find_due_audits(session, self.settings):
                return False
        run_id = new_run_id()
        asked = self.database.transact(lambda session: claim_audit(session, self.settings, ftp_host, run_id))
        if asked is None:
            return False
        seconds = self.settings.lease_seconds

        def extend(session: Session) -> int:
            now = database_now(session)
            return extend_leases(session, HostAudit, holder=run_id, now=now, seconds=seconds)

        with keep_lease(self.settings, self.database, run_id, extend):
            try:
                self._make(asked, run_id)
            except LeaseLostError:
                logger.warning("another worker audits this host now", extra={"run": run_id, "host": ftp_host})
            except BaseException:
                self.database.transact(lambda session: abandon_audit(session, run_id))
                raise
        return True

    def _make(self, asked: HostAudit, run_id: str) -> None:
        """Make one audit under its lease: look at the host, compare, write."""
        ftp_host = asked.ftp_host
        with self.database.read() as session:
            started = database_now(session)
        # The rows will be corrected from the host. Until then they must not change the host.
        repair = asked.repair and not asked.restore and asked.stale_since is None
        request = AuditRequest(run_id=run_id, ftp_host=ftp_host, repair=repair)
        run = {"run": run_id, "host": ftp_host}
        logger.info("audit starts", extra=run | {"repair": repair})
        begun = time.monotonic()
        try:
            outcome = self._audit(request)
        except RunAbandoned:
            self.database.transact(lambda session: abandon_audit(session, run_id))
            return
        except RunFailed as failure:
            logger.warning("audit failed: %s", failure.error.message, extra=run)
            error = failure.error
            self._tell_waiting(ftp_host, run_id, error)
            self._write(run_id, lambda session: apply_audit_failure(session, ftp_host, error))
            self._count(ftp_host, begun, failure.error.error_class)
            return
        comparison, found = self._repair(asked, outcome, run_id, started)
        audit = self._write(
            run_id,
            lambda session: apply_audit(session, self.settings, asked, outcome, comparison, found),
        )
        self._count(ftp_host, begun, DONE)
        if audit.stale_reason is not None:
            logger.error("host is held: %s", audit.stale_reason, extra=run)
        if repair and comparison.resurrected:
            self._end_again(ftp_host, outcome.facts, comparison.resurrected)
        logger.info("audit ends", extra=run | {"findings": len(found)})

    def _tell_waiting(self, ftp_host: str, run_id: str, error: ShareError) -> None:
        """Write to the shares that wait for the audit why it failed, a few in each write transaction."""
        with self.database.read() as session:
            waiting = find_waiting(session, ftp_host, error)
        for piece in cut(waiting):
            self._write(run_id, partial(tell_waiting, ftp_host=ftp_host, share_ids=piece, error=error))

    def _repair(
        self, asked: HostAudit, outcome: AuditOutcome, run_id: str, started: datetime
    ) -> tuple[Comparison, list[Finding]]:
        """Compare the host with its rows and repair these if that was requested; returns all findings.

        The rows are read and compared in no write transaction. Each write transaction repairs a few rows, so that
        requests never wait long. An audit that is killed between two of them is made again.
        """
        ftp_host, facts, found = asked.ftp_host, outcome.facts, list(outcome.findings)
        if asked.restore:
            found += self._restore(asked, facts, run_id)
        comparison = compare_host(ftp_host, facts, self._read_rows(ftp_host, facts), started)
        if not may_repair(asked, comparison, found):
            lost = [] if comparison.lost is None or asked.restore else [comparison.lost]
            return comparison, [*lost, *found, *comparison.findings]
        by_subject: dict[str, list[Finding]] = {}
        for finding in comparison.findings:
            by_subject.setdefault(finding.subject, []).append(finding)
        repaired: list[Finding] = []
        for piece in cut(by_subject):
            findings = [finding for subject in piece for finding in by_subject[subject]]
            repaired += self._write(
                run_id, partial(repair_rows, facts=facts, rows=comparison.rows, findings=findings)
            )
        for piece in cut(finding.subject for finding in found if finding.kind in WANTS_ROW):
            self._write(run_id, partial(wake_rows, ftp_host=ftp_host, share_ids=piece))
        return comparison, [*found, *repaired]

    def _restore(self, asked: HostAudit, facts: HostFacts, run_id: str) -> list[Finding]:
        """Correct the rows from the host, a few in each write transaction. Until the last one the host stays held."""
        ftp_host, stale_since = asked.ftp_host, asked.stale_since
        rows = self._read_rows(ftp_host, facts)
        correct = partial(correct_shares, ftp_host=ftp_host, facts=facts, stale_since=stale_since)
        found = self._write(run_id, lambda session: correct_accounts(session, ftp_host, facts, stale_since))
        for piece in cut(find_candidates(rows, facts, stale_since)):
            found += self._write(run_id, partial(correct, share_ids=piece))
        return found

    def _read_rows(self, ftp_host: str, facts: HostFacts) -> SeenRows:
        with self.database.read() as session:
            return read_rows(session, self.settings, ftp_host, facts, database_now(session))

    def _write(self, run_id: str, work: Callable[[Session], Written]) -> Written:
        """Call `work` in a write transaction, if this worker still has the lease. Raises LeaseLostError."""

        def work_under_lease(session: Session) -> Written:
            if not lock_held(session, HostAudit, run_id, or_over=True):
                raise LeaseLostError
            return work(session)

        return self.database.transact(work_under_lease)

    def _count(self, ftp_host: str, begun: float, outcome: str) -> None:
        count_run(self.database, ftp_host, "audit", outcome, time.monotonic() - begun)

    def _audit(self, request: AuditRequest) -> AuditOutcome:
        outcome = self.provisioner.audit(request, self.should_stop)
        check_run_id(outcome, request.run_id)
        return outcome

    def _end_again(self, ftp_host: str, facts: HostFacts, share_ids: list[str]) -> None:
        """End shares again that live on the host but have ended in their rows: the disk came from a backup."""
        with self.database.read() as session:
            shares = [
                _build_ending(share, session.get_one(Account, share.ftpuser))
                for share in find_resurrected_shares(session, facts, share_ids)
            ]
        if not shares:
            return
        names = sorted({share.ftpuser for share in shares})
        request = RunRequest(
            run_id=self.provisioner.reserve_run_id(ftp_host),
            ftp_host=ftp_host,
            wait_timeout=0,
            shares=shares,
            users=[
                UserItem(name=name, state="absent", password_hash=None, end_sessions=True) for name in names
            ],
        )
        run = {"run": request.run_id, "host": ftp_host}
        logger.warning("shares that had ended are ended again", extra=run | {"shares": len(shares)})
        try:
            self.provisioner.run(request, self.should_stop)
        except (RunFailed, RunAbandoned) as failure:
            logger.warning("they could not be ended, the next audit tries again: %s", failure, extra=run)


def _build_ending(share: Share, account: Account) -> ShareItem:
    """Return the request that ends a share of which an older generation lives again on the host."""
    return build_share_item(share, account).model_copy(update={"state": "absent", "require_existing": False})
