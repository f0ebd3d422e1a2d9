"""The units of API and worker are confined; systemd itself says how far (`systemd-analyze security`)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.roles.rendering import render

# An FTP host without ssh: the worker's playbooks become root in its own unit.
WITHOUT_SSH: dict[str, Any] = {"service_local_ftp_hosts": ["ftp1"]}
# Options of systemd.exec(5) that set NoNewPrivileges for a user that is not root: sudo would not work.
IMPLY_NO_SUDO = (
    "NoNewPrivileges",
    "SystemCallFilter",
    "SystemCallArchitectures",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "PrivateDevices",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectClock",
    "MemoryDenyWriteExecute",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "ProtectHostname",
)


def read_unit(template: str, **variables: Any) -> dict[str, list[str]]:
    """Return the options of the section Service; one that may be repeated has several values."""
    found: dict[str, list[str]] = {}
    section = render("service", template, "Debian", service_origin="test", **variables).split("[Service]")[1]
    for line in section.split("[Install]")[0].splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def run_analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Call systemd-analyze, which needs no running systemd for a unit's file."""
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.processes
@pytest.mark.needs_systemd
@pytest.mark.parametrize(
    ("template", "variables", "most"),
    [
        ("tempoftp.service.j2", {}, 1.5),
        ("tempoftp-worker.service.j2", {}, 1.5),
        # It becomes root on this machine by sudo, which most of the options would disable.
        ("tempoftp-worker.service.j2", WITHOUT_SSH, 7.7),
    ],
)
def test_exposure_as_systemd_measures_it(
    template: str, variables: dict[str, Any], most: float, tmp_path: Path
) -> None:
    unit = tmp_path / template.removesuffix(".j2")
    unit.write_text(render("service", template, "Debian", service_origin="test", **variables))
    done = run_analyze("security", "--offline=yes", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= most, done.stdout


@pytest.mark.processes
@pytest.mark.needs_systemd
@pytest.mark.parametrize("variables", [{}, WITHOUT_SSH])
def test_systemd_knows_every_option(variables: dict[str, Any], tmp_path: Path) -> None:
    for template in ("tempoftp.service.j2", "tempoftp-worker.service.j2"):
        unit = tmp_path / template.removesuffix(".j2")
        text = render("service", template, "Debian", service_origin="test", **variables)
        unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    done = run_analyze("verify", "--man=no", str(tmp_path / "tempoftp.service"))
    assert "tempoftp" not in done.stderr, done.stderr


def test_a_worker_that_needs_sudo_has_no_option_that_disables_it() -> None:
    here = read_unit("tempoftp-worker.service.j2", **WITHOUT_SSH)
    assert [name for name in IMPLY_NO_SUDO if name in here] == []
    # A list with ~ takes away; without it nothing else would be left to sudo.
    assert all(value.startswith("~") for value in here["CapabilityBoundingSet"])
    dropped = " ".join(here["CapabilityBoundingSet"])
    for needed in (
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "KILL",
        "SETUID",
        "SETGID",
        "SYS_ADMIN",
        "SYS_PTRACE",
        "AUDIT_WRITE",
    ):
        assert f"CAP_{needed}" not in dropped


def test_a_worker_that_needs_no_sudo_is_confined_as_the_api_is() -> None:
    api, worker = read_unit("tempoftp.service.j2"), read_unit("tempoftp-worker.service.j2")
    for name in (*IMPLY_NO_SUDO, "CapabilityBoundingSet", "ProtectSystem", "ProtectProc", "UMask"):
        assert worker[name] == api[name], name


@pytest.mark.parametrize("variables", [{}, WITHOUT_SSH])
def test_each_service_has_a_bound_and_a_plain_locale(variables: dict[str, Any]) -> None:
    for template in ("tempoftp.service.j2", "tempoftp-worker.service.j2"):
        unit = read_unit(template, **variables)
        assert unit["Environment"] == ["LANG=C.UTF-8 LC_ALL=C.UTF-8"]
        assert unit["UMask"] == ["0077"]
        assert unit["MemoryMax"] and unit["TasksMax"]
    assert read_unit("tempoftp.service.j2", service_api_memory="700M")["MemoryMax"] == ["700M"]


def test_the_api_writes_one_folder_and_does_not_see_the_worker_s() -> None:
    api = read_unit("tempoftp.service.j2")
    assert api["ReadWritePaths"] == ["/var/lib/tempoftp"]
    assert api["InaccessiblePaths"] == [
        "-/var/lib/tempoftp-worker -/etc/tempoftp/ssh -/etc/tempoftp/mysql.cnf"
    ]
    (worker,) = read_unit("tempoftp-worker.service.j2")["ReadWritePaths"]
    assert worker.split() == ["/var/lib/tempoftp", "/var/lib/tempoftp-worker", "/var/log/tempoftp"]
