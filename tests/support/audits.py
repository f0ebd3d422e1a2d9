"""FTP hosts of which an audit reports what a test says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tempoftp.audits.results import AuditOutcome, AuditRequest
from tempoftp.db.clock import utc_now
from tempoftp.db.engine import Database
from tempoftp.db.models import HostAudit
from tempoftp.settings import SIMULATED_FTP_HOST
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner

READY = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2099, 11, 4, tzinfo=UTC)


def entry(share_id: str = "p1", **changes: Any) -> dict[str, Any]:
    values = {"id": share_id, "generation": 1, "state": "delivered", "ftpuser": "ftp_alguien_dominio"}
    times = {"source": "source1:/srv/datos/a", "lifetime_days": 3, "ready_at": READY, "expires": ENDS}
    return {**values, **times, "source_root": "/srv/datos", **changes}


def build(*shares: dict[str, Any], **changes: Any) -> AuditOutcome:
    facts = {"time": utc_now(), "shares": list(shares), **changes.pop("facts", {})}
    return AuditOutcome.model_validate({"schema": 1, "run_id": "r1", "facts": facts, **changes})


class Answering(SimulatedProvisioner):
    """A host of which an audit reports what the test says; `meanwhile` is called while it looks."""

    outcome: AuditOutcome
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def audit(self, request: AuditRequest, should_stop: Callable[[], bool]) -> AuditOutcome:
        self.meanwhile()
        return self.outcome.model_copy(update={"run_id": request.run_id})


def read_audit(database: Database) -> HostAudit:
    with database.read() as session:
        return session.get_one(HostAudit, SIMULATED_FTP_HOST)
