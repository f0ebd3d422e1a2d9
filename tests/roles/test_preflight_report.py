"""preflight.yml: its output, its report as JSON and its exit code; the playbook runs on this machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lanot.tempoftp.plugins.filter._preflight_report import (
    build_preflight_report,
    format_preflight,
    join_preflight,
    list_preflight_checks,
    list_preflight_failures,
)

from tests.roles.programs import run_program

pytestmark = pytest.mark.processes

OK = {"name": "uid", "status": "ok", "what": "2001 is free", "todo": ""}
FAIL = {"name": "systemd", "status": "fail", "what": "does not run", "todo": "use another host"}


def test_failures_are_printed_last_with_what_to_do() -> None:
    assert format_preflight([FAIL, OK]) == [
        "ok   uid: 2001 is free",
        "fail systemd: does not run → use another host",
    ]


def test_the_report_counts_by_host() -> None:
    report = json.loads(build_preflight_report({"ftp1": [OK, FAIL], "ftp2": [OK]}))
    assert (report["schema"], report["ok"]) == (1, False)
    assert {host: (part["ok"], part["warn"], part["fail"]) for host, part in report["hosts"].items()} == {
        "ftp1": (1, 0, 1),
        "ftp2": (1, 0, 0),
    }
    assert report["hosts"]["ftp1"]["checks"] == [OK, FAIL]
    assert json.loads(build_preflight_report({"ftp2": [OK]}))["ok"] is True


def test_an_unreachable_host_is_a_failure() -> None:
    for answer in ({"unreachable": True, "msg": "no route"}, {"failed": True, "msg": "no python"}):
        (check,) = list_preflight_checks(answer)
        assert check["status"] == "fail"
        assert list_preflight_failures({"ftp1": [check]})


def test_an_inventory_without_ftp_hosts_fails() -> None:
    assert list_preflight_failures(join_preflight({}, {"source1": {"checks": [OK]}})) != []


def test_a_host_that_is_both_has_the_checks_of_both() -> None:
    joined = join_preflight({"h1": {"checks": [OK]}}, {"h1": {"checks": [FAIL]}, "h2": {"checks": [OK]}})
    assert joined == {"h1": [OK, FAIL], "h2": [OK]}


def run_playbook(tmp_path: Path, connection: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    inventory = tmp_path / "hosts.yml"
    variables = {
        "ansible_host": "192.0.2.1",
        "ansible_connection": connection,
        "ansible_become": False,
        "ansible_ssh_common_args": "-o ConnectTimeout=1",
        "ansible_python_interpreter": "/usr/bin/python3",
        "tempoftp_root": str(tmp_path),
    }
    source = {
        "name": "source1",
        "ssh_user": "nobody-here",
        "roots": [{"name": "datos", "path": str(tmp_path)}],
    }
    variables["tempoftp_sources"] = [source]
    groups = {"ftp_hosts": {"hosts": {"ftp1": variables}}, "source_hosts": {"hosts": {"source1": variables}}}
    inventory.write_text(json.dumps(groups))
    report = tmp_path / "report.json"
    done = run_program(
        tmp_path,
        "ansible-playbook",
        "-i",
        str(inventory),
        "playbooks/preflight.yml",
        "-e",
        f"preflight_report={report}",
    )
    return done, json.loads(report.read_text())


def test_the_playbook_reports_writes_the_file_and_changes_nothing(tmp_path: Path) -> None:
    done, report = run_playbook(tmp_path, "local")
    checks = {check["name"]: check["status"] for check in report["hosts"]["ftp1"]["checks"]}
    assert {"uid", "root_owner", "root_filesystem", "space", "rsync", "clock", "source:source1-datos"} <= set(
        checks
    )
    sources = {check["name"]: check["status"] for check in report["hosts"]["source1"]["checks"]}
    assert {"rsync", "rrsync", "ssh_user", "root:datos", "sshd"} <= set(sources)
    assert sources["ssh_user"] == sources["root:datos"] == "warn"
    assert (done.returncode != 0) is ("fail" in {*checks.values(), *sources.values()})
    for host in report["hosts"].values():
        for check in host["checks"]:
            assert check["what"] in done.stdout
    assert "changed=0" in done.stdout
    assert "changed=1" not in done.stdout


def test_an_unreachable_host_changes_the_report_and_the_exit_code(tmp_path: Path) -> None:
    done, report = run_playbook(tmp_path, "ssh")
    assert done.returncode != 0
    for host in ("ftp1", "source1"):
        assert [check["status"] for check in report["hosts"][host]["checks"]] == ["fail"]
    assert report["ok"] is False
