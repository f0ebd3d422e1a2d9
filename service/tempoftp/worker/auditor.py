"""Audits of FTP hosts by the worker: before its first run on a host, on request, and every `audit_hours`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from tempoftp.audits.audits import apply_audit, apply_audit_failure, find_due_audits
from tempoftp.audits.compare import find_resurrected_shares
from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.clock import database_now
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, HostAudit, Share
from tempoftp.hosts.run_totals import DONE, count_run
from tempoftp.settings import Settings
from tempoftp.worker.provisioner import Provisioner, RunAbandoned, RunFailed, check_run_id, new_run_id
from tempoftp.worker.request import RunRequest, ShareItem, UserItem, build_share_item

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Auditor:
    """Makes the audits that are due. One per worker process."""

    settings: Settings
    database: Database
    provisioner: Provisioner
    should_stop: Callable[[], bool] = field(default=lambda: False)

    def run_due(self, ftp_host: str) -> bool:
        """Audit a host if an audit is due; returns whether it was due."""
        with self.database.read() as session:
            due = ftp_host in find_due_audits(session, self.settings)
            asked = session.get(HostAudit, ftp_host)
            started = database_now(session)
        if not due or asked is None:
            return False
        # The rows will be corrected from the host. Until then they must not change the host.
        repair = asked.repair and not asked.restore and asked.stale_since is None
        request = AuditRequest(run_id=new_run_id(), ftp_host=ftp_host, repair=repair)
        run = {"run": request.run_id, "host": ftp_host}
        logger.info("audit starts", extra=run | {"repair": repair})
        begun = time.monotonic()
        try:
            outcome = self._audit(request)
        except RunAbandoned:
            return True
        except RunFailed as failure:
            logger.warning("audit failed: %s", failure.error.message, extra=run)
            error = failure.error
            self.database.transact(lambda session: apply_audit_failure(session, ftp_host, error))
            self._count(ftp_host, begun, failure.error.error_class)
            return True

        def apply(session: Session) -> tuple[HostAudit, list[ShareItem]]:
            audit = apply_audit(session, self.settings, asked, outcome, started)
            ended = find_resurrected_shares(session, ftp_host, outcome.facts) if repair else ()
            return audit, [_build_ending(share, session.get_one(Account, share.ftpuser)) for share in ended]

        audit, resurrected = self.database.transact(apply)
        stale, count = audit.stale_reason, len(audit.findings or ())
        self._count(ftp_host, begun, DONE)
        if stale is not None:
            logger.error("host is held: %s", stale, extra=run)
        if resurrected:
            self._end_again(ftp_host, resurrected)
        logger.info("audit ends", extra=run | {"findings": count})
        return True

    def _count(self, ftp_host: str, begun: float, outcome: str) -> None:
        count_run(self.database, ftp_host, "audit", outcome, time.monotonic() - begun)

    def _audit(self, request: AuditRequest) -> AuditOutcome:
        outcome = self.provisioner.audit(request, self.should_stop)
        check_run_id(outcome, request.run_id)
        return outcome

    def _end_again(self, ftp_host: str, shares: list[ShareItem]) -> None:
        """End shares again that live on the host but have ended in their rows: the disk came from a backup."""
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
