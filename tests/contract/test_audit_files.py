"""The audit's request and outcome files against the module and the playbook between them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from ansible_collections.lanot.tempoftp.plugins.action import write_outcome
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit import run as _audit_run
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.findings import KINDS
from ansible_collections.lanot.tempoftp.plugins.module_utils._audit.world import (
    Finding as ModuleFinding,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import Manifest
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.tombstones import Tombstone
from ansible_collections.lanot.tempoftp.plugins.modules import (
    tempoftp_audit,
    tempoftp_ftpuser_info,
    tempoftp_share_info,
)

from tempoftp.audits.results import (
    AuditOutcome,
    AuditRequest,
    Finding,
    HostAccount,
    HostShare,
    HostTombstone,
)
from tempoftp.worker.ansible import parse_outcome
from tempoftp.worker.playbook import AUDIT_PLAYBOOK
from tests.contract.worker_playbooks import locate_playbook, read_tasks

PROJECT = Path(__file__).resolve().parents[2]
RETURNED = yaml.safe_load(tempoftp_audit.RETURN)


def test_the_request_has_what_the_playbook_reads() -> None:
    request = AuditRequest(run_id="r1", ftp_host="ftp1", repair=True)
    assert json.loads(request.write_json()) == {
        "schema": 1,
        "run_id": "r1",
        "ftp_host": "ftp1",
        "repair": True,
    }
    text = locate_playbook(AUDIT_PLAYBOOK).read_text()
    assert "audit_request.repair" in text and "audit_request.run_id" in text


def test_the_playbook_writes_the_outcome_that_is_read() -> None:
    arguments = read_tasks(AUDIT_PLAYBOOK)["Outcome"]["lanot.tempoftp.write_outcome"]
    assert set(arguments) <= write_outcome.ActionModule._VALID_ARGS
    assert set(arguments["content"]) == {field.alias or n for n, field in AuditOutcome.model_fields.items()}


def test_every_field_that_is_read_is_returned() -> None:
    assert set(Finding.model_fields) == set(RETURNED["findings"]["contains"]) == set(ModuleFinding._fields)
    facts = RETURNED["facts"]["contains"]
    shares = yaml.safe_load(tempoftp_share_info.RETURN)["shares"]["contains"]
    assert set(HostShare.model_fields) <= set(shares) - {"copying", "staged", "tombstone"}
    accounts = yaml.safe_load(tempoftp_ftpuser_info.RETURN)["users"]["contains"]
    assert set(HostAccount.model_fields) <= set(accounts) - {"shares"}
    assert set(HostTombstone.model_fields) <= set(facts["tombstones"]["sample"][0])


def test_every_kind_is_documented() -> None:
    documented = " ".join(RETURNED["findings"]["contains"]["kind"]["description"])
    page = (PROJECT / "docs" / "dataflow.md").read_text()
    for kind in KINDS:
        assert f"V({kind})" in documented
        assert f"`{kind}`" in page


def test_what_the_module_says_of_a_share_can_be_read() -> None:
    share = Manifest("p1", 2, "ftp_x", "source1:/srv/x", state="delivered", ready_at="2030-01-01T00:00:00Z")
    facts = {
        "time": "2030-01-02T00:00:00Z",
        "shares": [_audit_run.describe_share(share)],
        "tombstones": [_audit_run.describe_tombstone(Tombstone("p2", 1, "2030-01-01T00:00:00Z"))],
        "accounts": [_audit_run.describe_account("ftp_x", None, None, [])],
        "damaged": [],
    }
    content = {"schema": 1, "run_id": "r1", "findings": [], "failures": [], "facts": facts}
    outcome = parse_outcome(AuditOutcome, json.dumps(content).encode())
    assert outcome.facts.live["p1"].generation == 2
    assert outcome.facts.ended["p2"].generation == 1
