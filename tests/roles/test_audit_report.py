"""playbooks/audit.yml: its table, its report, its exit code and the options that it gives the module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lanot.tempoftp.plugins.filter._audit_report import describe_audit
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_audit

from tests.roles.rendering import PLAYBOOKS, PROJECT
from tests.support.delivery_root import record_root

pytestmark = pytest.mark.processes

MODULE = "lanot.tempoftp.tempoftp_audit"
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
FINDING = {"kind": "half_deleted", "subject": "p1", "detail": "why", "repair": "safe", "repaired": False}
FOUND = {
    "findings": [FINDING, {**FINDING, "subject": "p2", "repaired": True}],
    "failures": ["oops"],
    "facts": {},
}
CLEAN: dict[str, Any] = {"findings": [], "failures": [], "facts": {}}


def test_findings_become_a_table() -> None:
    told = describe_audit({"ftp1": FOUND, "ftp2": CLEAN})
    assert [line.split() for line in told["lines"]] == [
        ["host", "kind", "subject", "what", "to", "do", "detail"],
        ["ftp1", "half_deleted", "p1", "-e", "repair=true", "why"],
        ["ftp1", "half_deleted", "p2", "repaired", "why"],
        ["ftp1:", "repair", "failed:", "oops"],
        ["1", "findings,", "1", "repaired,", "on", "2", "FTP", "hosts"],
    ]
    assert told["wrong"] == 1
    assert set(told["report"]) == {"ftp1", "ftp2"}


def test_no_finding_is_one_line() -> None:
    assert describe_audit({"ftp1": CLEAN})["lines"] == ["0 findings, 0 repaired, on 1 FTP hosts"]


@pytest.mark.parametrize(
    "result", [{"unreachable": True, "msg": "no route"}, {"failed": True, "msg": "no route"}, {}]
)
def test_a_host_that_could_not_be_audited_is_a_finding(result: dict[str, Any]) -> None:
    told = describe_audit({"ftp1": result, "ftp2": CLEAN})
    (finding,) = told["report"]["ftp1"]["findings"]
    assert (finding["kind"], finding["subject"], told["wrong"]) == ("not_looked_at", "ftp1", 1)
    assert ("no route" in finding["detail"]) == bool(result)


def list_tasks(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [inner for task in tasks for inner in (list_tasks(task["block"]) if "block" in task else [task])]


@pytest.mark.parametrize("name", ["audit.yml", "audit_request.yml"])
def test_the_playbook_gives_only_options_that_the_module_has(name: str) -> None:
    (play,) = yaml.safe_load((PLAYBOOKS / name).read_text())
    given = next(
        t["lanot.tempoftp.tempoftp_audit"]
        for t in list_tasks(play["tasks"])
        if "lanot.tempoftp.tempoftp_audit" in t
    )
    assert set(given) <= set(tempoftp_audit.build_argument_spec())


@pytest.fixture
def run_playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run audit.yml against a root in a temporary folder of this machine, on which there is no MySQL."""
    record_root(tmp_path / "data", monkeypatch)

    def run(*extra: str) -> subprocess.CompletedProcess[str]:
        variables = {
            "tempoftp_root": str(tmp_path / "data"),
            "tempoftp_login_config_file": str(tmp_path / "none.cnf"),
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
        }
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(
            yaml.safe_dump({"ftp_hosts": {"hosts": {"here": {"ansible_connection": "local", **variables}}}})
        )
        given = [word for text in extra for word in ("-e", text)]
        return subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "-i",
                str(inventory),
                "playbooks/audit.yml",
                *given,
            ],
            cwd=PROJECT,
            env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_the_playbook_reports_findings_and_fails_only_when_strict(run_playbook: Any, tmp_path: Path) -> None:
    strange = tmp_path / "data" / ".tempoftp" / "held" / "{{ 7 * 7 }}"
    strange.mkdir(parents=True)
    strange.parent.chmod(0o700)
    done = run_playbook(f"audit_report={tmp_path / 'report.json'}", "repair=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "directory_without_manifest" in done.stdout
    assert strange.is_dir()
    report = json.loads((tmp_path / "report.json").read_text())["here"]
    found = {finding["kind"]: finding["subject"] for finding in report["findings"]}
    assert found["directory_without_manifest"] == str(strange), "a name is never evaluated"
    assert "not_looked_at" in found
    assert run_playbook("audit_strict=true").returncode != 0
