# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The try of the sandboxes, with a systemd that forbids what the test says. The lab's hosts have a real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import TempoftpError
from ansible_collections.lanot.tempoftp.plugins.module_utils._preflight.sandbox import (
    NAME,
    build_sandboxes,
    look_at_sandboxes,
)

JOURNAL = f"{NAME}-copy.service: Failed to set up mount namespacing: /proc: Operation not permitted"
# Like systemd-run --wait: the code of the program, or systemd's own when the unit could not start.
SYSTEMD_RUN = """#!/bin/sh
echo "$@" >> "$0.log"
for word; do
    case "$word" in
        --property=FORBIDDEN*) exit CODE ;;
        --) shift; exec "$@" ;;
    esac
    shift
done
"""


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Return a function that puts a systemd in place which forbids a property and ends its units with a code."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def install(forbidden="nothing", code=226, container="none", journal=JOURNAL):
        texts = {
            "systemd-run": SYSTEMD_RUN.replace("FORBIDDEN", forbidden).replace("CODE", str(code)),
            "systemctl": "#!/bin/sh\necho 'systemd 252 (252.1)'\n",
            "systemd-detect-virt": f"#!/bin/sh\necho {container}\n",
            "journalctl": f"#!/bin/sh\necho '{journal}'\n",
        }
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        return programs / "systemd-run.log"

    return install


def test_a_host_that_allows_every_sandbox_is_fine(systemd, tmp_path):
    log = systemd()
    checks = look_at_sandboxes(str(tmp_path), [])
    assert [(check.name, check.status) for check in checks] == [
        ("sandbox:copy", "ok"),
        ("sandbox:connection", "ok"),
        ("sandbox:measurement", "ok"),
        ("sandbox:removal", "ok"),
    ]
    started = log.read_text().splitlines()
    assert len(started) == 4, "a host on which they start is asked once for each"
    assert all("--wait" in line and "--collect" in line and line.endswith("-- /bin/true") for line in started)
    assert all("ProtectSystem=strict" in line and f"--unit={NAME}-" in line for line in started)


def test_a_container_that_forbids_namespaces_is_named_with_what_to_do(systemd, tmp_path):
    systemd("ProtectSystem", container="lxc")
    check = look_at_sandboxes(str(tmp_path), [])[0]
    assert (check.name, check.status) == ("sandbox:copy", "fail")
    assert "226 (NAMESPACE" in check.what
    assert "Operation not permitted" in check.what
    assert "not possible here: ProtectSystem=strict" in check.what
    assert "container (lxc)" in check.todo
    assert "nesting" in check.todo


def test_only_the_kind_of_unit_that_cannot_start_fails(systemd, tmp_path):
    systemd("PrivateNetwork", code=225, journal="")
    checks = {check.name: check for check in look_at_sandboxes(str(tmp_path), [])}
    assert [name for name, check in checks.items() if check.status == "fail"] == ["sandbox:removal"]
    assert "225 (NETWORK" in checks["sandbox:removal"].what
    assert "container" not in checks["sandbox:removal"].todo


def test_a_property_that_systemd_does_not_know_is_said(systemd, tmp_path):
    systemd("KeyringMode", code=1, journal="")
    check = look_at_sandboxes(str(tmp_path), [])[0]
    assert "systemd does not start the unit (1)" in check.what
    assert "KeyringMode=private" in check.what


def test_a_local_source_has_a_sandbox_of_its_own(systemd, tmp_path):
    systemd()
    names = [check.name for check in look_at_sandboxes(str(tmp_path), [{"local": True}])]
    assert {"sandbox:local_copy", "sandbox:local_measurement"} <= set(names)


def test_no_folder_is_made_for_a_try(tmp_path):
    """systemd makes the mount point of a TemporaryFileSystem that is not there."""
    missing = tmp_path / "data"
    for path, is_there in ((missing, False), (tmp_path, True)):
        kinds = build_sandboxes(252, path, [])
        assert (f"TemporaryFileSystem={path}:ro" in kinds["copy"]) is is_there
    for properties in kinds.values():
        folders = [text.partition("=")[2] for text in properties if text.startswith("TemporaryFileSystem=")]
        assert all(Path(folder.rpartition(":")[0]).exists() for folder in folders)


def test_a_host_without_systemd_run_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TempoftpError):
        look_at_sandboxes(str(tmp_path), [])
