"""Shares that were delivered long ago, and audits whose outcome the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tempoftp.audits.audits import request_audits
from tempoftp.audits.results import AuditOutcome
from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.phrases import Phrase
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.shares.lifecycle import transition
from tempoftp.states import State
from tempoftp.worker.auditor import Auditor
from tests.support.audits import ENDS, READY, Answering, read_audit
from tests.support.findings import list_findings


@pytest.fixture
def make_share(database: Database, accept_share: Callable[..., Share]) -> Callable[..., None]:
    """Make a share that was delivered long before any audit began."""

    def make(share_id: str = "p1", *states: State, **columns: Any) -> None:
        accept_share(share_id)
        with database.write() as session:
            share = session.get_one(Share, share_id)
            for state in states or (State.LISTO,):
                transition(session, share, state, reason=Phrase("verbatim", text="test"), author="test")
            values = {"due_at": None, "ready_at": READY, "expires": ENDS, "wished_at": READY}
            values |= {"state_changed_at": READY, "confirmed_generation": 1, "lifetime_confirmed": 3}
            for name, value in (values | columns).items():
                setattr(share, name, value)

    return make


@pytest.fixture
def audit(database: Database, settings: Settings) -> Callable[..., list[tuple[str, str, bool]]]:
    """Apply an audit with this outcome; return what it found."""

    def apply(outcome: AuditOutcome, **desired_shares: bool) -> list[tuple[str, str, bool]]:
        with database.write() as session:
            request_audits(session, settings, author="tester", **desired_shares)
        provisioner = Answering(settings.state_dir)
        provisioner.outcome = outcome
        assert Auditor(settings, database, provisioner).run_due(HOST)
        return [(found.kind, found.subject, found.repaired) for found in list_findings(read_audit(database))]

    return apply
