"""The real ansible-runner, as far as it goes with no FTP host to reach; the rest is tests/end_to_end."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tempoftp.audits.results import AuditRequest
from tempoftp.previews.results import PreviewItem, PreviewRequest
from tempoftp.settings import Settings
from tempoftp.shares.results import Outcome
from tempoftp.worker.ansible import AnsibleProvisioner, build_environment, parse_outcome
from tempoftp.worker.provisioner import RunAbandoned, RunFailed, new_run_id
from tempoftp.worker.request import RunRequest
from tests.support.delivery_root import record_root, write_interpreter

pytestmark = pytest.mark.processes

PROJECT = Path(__file__).parents[3]
INVENTORY = """
ftp_hosts:
  hosts:
    nobody:
      ansible_host: 127.0.0.1
      ansible_port: 1
      ansible_ssh_common_args: -F /dev/null -o ConnectTimeout=3
"""


@pytest.fixture
def ansible_settings(settings: Settings, tmp_path: Path) -> Settings:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(INVENTORY)
    return settings.model_copy(
        update={"simulacro": False, "ftp_hosts": ("nobody",), "inventory": inventory, "project_dir": PROJECT}
    )


@pytest.fixture
def provisioner(ansible_settings: Settings) -> AnsibleProvisioner:
    provisioner = AnsibleProvisioner(ansible_settings)
    provisioner.sweep()
    return provisioner


def build_request(ftp_host: str = "nobody") -> RunRequest:
    return RunRequest(run_id=new_run_id(), ftp_host=ftp_host, wait_timeout=0)


def list_processes(run_id: str) -> set[int]:
    """Ids of the processes that have a run's id on their command line."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and run_id.encode() in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found


def waits_for_request(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/wchan").read_text() == "wait_for_partner"
    return False


def read_parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def wait_until_swept(settings: Settings) -> None:
    deadline = time.monotonic() + 20
    while list((settings.worker_folder / "runs").iterdir()):
        assert time.monotonic() < deadline, "the run's folder stays"
        time.sleep(0.05)


def test_unreachable_host_is_classified(
    ansible_settings: Settings, provisioner: AnsibleProvisioner, caplog: pytest.LogCaptureFixture
) -> None:
    request = build_request().model_copy(update={"requests": ("sigue-2",)})
    with pytest.raises(RunFailed) as caught:
        provisioner.run(request, lambda: False)
    assert caught.value.error.error_class == "ftp_host_unreachable"
    assert caught.value.error.transient
    assert "nobody" in caught.value.error.message
    wait_until_swept(ansible_settings)
    # A task of the run can be followed to the request behind it.
    events = [record.__dict__ for record in caplog.records if record.message == "task ended"]
    assert [(event["run"], event["result"], event["requests"]) for event in events] == [
        (request.run_id, "unreachable", ("sigue-2",))
    ]


def test_host_that_the_inventory_lacks(ansible_settings: Settings, provisioner: AnsibleProvisioner) -> None:
    with pytest.raises(RunFailed) as caught:
        provisioner.run(build_request("unknown"), lambda: False)
    assert caught.value.error.error_class == "run_failed"
    assert "no hosts" in caught.value.error.message
    wait_until_swept(ansible_settings)


def test_killed_playbook_says_so(ansible_settings: Settings, provisioner: AnsibleProvisioner) -> None:
    provisioner._prepare("nobody")
    run_id = provisioner.reserve_run_id("nobody")
    deadline = time.monotonic() + 30
    while not (playbooks := [pid for pid in list_processes(run_id) if waits_for_request(pid)]):
        assert time.monotonic() < deadline, "the playbook never came to wait for its request"
        time.sleep(0.05)
    parents = {read_parent(pid) for pid in playbooks}
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RunFailed) as caught:
        provisioner._ready["nobody"].feed(build_request(), deadline, lambda: False)
        provisioner._ready["nobody"].read_outcome(deadline, lambda: False)
    assert caught.value.error.error_class == "run_failed"
    assert "killed" in caught.value.error.message
    wait_until_swept(ansible_settings)


def test_run_can_be_abandoned(ansible_settings: Settings, provisioner: AnsibleProvisioner) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(RunAbandoned):
        provisioner.run(build_request(), stop.is_set)
    wait_until_swept(ansible_settings)


def test_run_is_bounded(ansible_settings: Settings) -> None:
    hasty = AnsibleProvisioner(ansible_settings.model_copy(update={"run_timeout_seconds": 0.1}))
    with pytest.raises(RunFailed) as caught:
        hasty.run(build_request(), lambda: False)
    assert caught.value.error.error_class == "run_timeout"
    wait_until_swept(ansible_settings)


def test_ready_is_used_next_and_stopped_at_the_end(
    ansible_settings: Settings, provisioner: AnsibleProvisioner
) -> None:
    provisioner._prepare("nobody")
    run_id = provisioner.reserve_run_id("nobody")
    folder = ansible_settings.worker_folder / "runs" / run_id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_ISFIFO((folder / "request.json").stat().st_mode)
    assert stat.S_IMODE((folder / "request.json").stat().st_mode) == 0o600
    with pytest.raises(RunFailed) as caught:
        provisioner.run(RunRequest(run_id=run_id, ftp_host="nobody", wait_timeout=0), lambda: False)
    assert caught.value.error.error_class == "ftp_host_unreachable"
    provisioner._prepare("nobody")
    provisioner.close()
    wait_until_swept(ansible_settings)
    provisioner._prepare("nobody")
    assert not list((ansible_settings.worker_folder / "runs").iterdir())


def test_sweep_takes_what_the_dead_left_and_nothing_else(
    ansible_settings: Settings, provisioner: AnsibleProvisioner
) -> None:
    dead = ansible_settings.worker_folder / "runs" / "dead"
    dead.mkdir(parents=True)
    provisioner._prepare("nobody")
    living = provisioner.reserve_run_id("nobody")
    AnsibleProvisioner(ansible_settings).sweep()
    assert (ansible_settings.worker_folder / "runs" / living).exists()
    assert not dead.exists()
    provisioner.close()


def test_stopping_leaves_no_process(ansible_settings: Settings, provisioner: AnsibleProvisioner) -> None:
    """Killing the playbook does not reach its forks, which wait for the request."""
    provisioner._prepare("nobody")
    run_id = provisioner.reserve_run_id("nobody")

    deadline = time.monotonic() + 30
    while not any(waits_for_request(pid) for pid in list_processes(run_id)):
        assert time.monotonic() < deadline, "the playbook never came to wait for its request"
        time.sleep(0.05)
    provisioner.close()
    while list_processes(run_id):
        assert time.monotonic() < deadline + 15, "a process of the playbook is left"
        time.sleep(0.05)


def test_environment_has_no_key_and_checks_host_keys(settings: Settings) -> None:
    environment = build_environment(settings)
    for setting in (settings.encryption_key, settings.secret_key):
        key = setting.get_secret_value()
        assert not [name for name, value in environment.items() if key in value]
    assert environment["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert not [name for name in environment if name.startswith("FTP_DB_")]


@pytest.mark.parametrize(
    "locale",
    [
        {"LANG": "es_MX.UTF-8"},
        {"LANG": "C.UTF-8", "LC_ALL": "eo_XX.ISO-8859-3"},
        {"LC_CTYPE": "fr_CA.UTF-8", "LANGUAGE": "fr"},
    ],
)
def test_a_locale_that_this_host_lacks_stops_no_run(
    locale: dict[str, str], ansible_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    provisioner = AnsibleProvisioner(ansible_settings)
    provisioner.sweep()
    with pytest.raises(RunFailed) as caught:
        provisioner.run(build_request(), lambda: False)
    assert caught.value.error.error_class == "ftp_host_unreachable", caught.value.error.message
    wait_until_swept(ansible_settings)


def test_the_seeds_database_variables_reach_the_playbook(settings: Settings) -> None:
    seed = Settings(
        **(settings.model_dump() | {"ftp_db_host": "db", "ftp_db_port": 3307, "ftp_db_pass": "clave"})
    )
    environment = build_environment(seed)
    assert environment["FTP_DB_HOST"] == "db"
    assert environment["FTP_DB_PORT"] == "3307"
    assert environment["FTP_DB_PASS"] == "clave"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 2, "run_id": "x"}', b'{"schema": 1}'])
def test_outcome_that_does_not_fit_is_a_failed_run(content: bytes) -> None:
    with pytest.raises(RunFailed) as caught:
        parse_outcome(Outcome, content)
    assert caught.value.error.error_class == "run_failed"


def test_outcome_with_more_than_we_know_is_read() -> None:
    outcome = parse_outcome(
        Outcome, b'{"schema": 1, "run_id": "x", "new": 1, "shares": [{"id": "a", "state": "absent", "k": 1}]}'
    )
    assert outcome.shares[0].state == "absent"


def test_an_audit_goes_through_the_real_playbook(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine, with a delivery root of its own and no MySQL: what could not be asked is a finding."""
    root = record_root(tmp_path / "data", monkeypatch).root
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        "ftp_hosts: {hosts: {here: {ansible_connection: local, "
        f"ansible_python_interpreter: {write_interpreter(root)}, tempoftp_root: {root}, "
        f"tempoftp_login_config_file: {tmp_path / 'none.cnf'}}}}}}}\n"
    )
    update = {"simulacro": False, "ftp_hosts": ("here",), "inventory": inventory, "project_dir": PROJECT}
    provisioner = AnsibleProvisioner(settings.model_copy(update=update))
    provisioner.sweep()
    request = AuditRequest(run_id=new_run_id(), ftp_host="here", repair=True)
    outcome = provisioner.audit(request, lambda: False)
    assert outcome.run_id == request.run_id
    assert {finding.kind for finding in outcome.findings} == {"not_looked_at"}
    assert any("none.cnf" in finding.detail for finding in outcome.findings)
    assert (outcome.facts.shares, outcome.facts.accounts) == ([], None)
    wait_until_swept(settings)


def test_an_audit_of_an_unreachable_host_is_classified(
    ansible_settings: Settings, provisioner: AnsibleProvisioner
) -> None:
    with pytest.raises(RunFailed) as caught:
        provisioner.audit(AuditRequest(run_id=new_run_id(), ftp_host="nobody"), lambda: False)
    assert caught.value.error.error_class == "ftp_host_unreachable"
    wait_until_swept(ansible_settings)


def write_stand_in(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.needs_rsync
def test_a_preview_is_measured_beside_what_stands_by(
    ansible_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real playbook and module, on this machine as its own FTP host; a local source needs no ssh.

    Here is no systemd: a stand-in runs what a unit would run. The lab's hosts have the real one.
    """
    root = record_root(tmp_path / "data", monkeypatch).root
    # systemd reads $$ as $.
    run = "import os, sys; words = [word.replace('$$', '$') for word in sys.argv[1:]]; os.execvp(words[0], words)"
    write_stand_in(
        tmp_path / "bin",
        "systemd-run",
        f'while [ "$1" != -- ]; do shift; done; shift\nexec python3 -c "{run.replace("$", chr(92) + "$")}" "$@"',
    )
    write_stand_in(tmp_path / "bin", "systemctl", "echo 'systemd 252 (stand-in)'")
    before = sorted(root.rglob("*"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"12345")
    inventory = tmp_path / "here.yml"
    inventory.write_text(
        "ftp_hosts: {hosts: {here: {ansible_connection: local, ansible_become: false, "
        f"ansible_python_interpreter: {write_interpreter(root)}, tempoftp_root: {root}}}}}}}\n"
    )
    monkeypatch.setenv("TEMPOFTP_RUNTIME_DIRECTORY", str(tmp_path / "run"))
    provisioner = AnsibleProvisioner(
        ansible_settings.model_copy(update={"ftp_hosts": ("here",), "inventory": inventory})
    )
    provisioner.sweep()
    provisioner._prepare("here")
    waiting = provisioner.reserve_run_id("here")
    user = pwd.getpwuid(os.geteuid()).pw_name
    items = [
        PreviewItem(
            source=f"{user}@here:{path}",
            source_root=None,
            ssh_user=user,
            ssh_key_file=None,
            size_probe="rsync",
            local=True,
        )
        for path in (source, f"{source}/{{{{ 7 }}}}")
    ]
    request = PreviewRequest(run_id=new_run_id(), ftp_host="here", time_limit=20, sources=items)
    outcome = provisioner.preview(request, lambda: False)
    assert outcome.run_id == request.run_id
    measured, missing = outcome.sources
    assert (measured.bytes, measured.files, measured.fits, measured.error) == (5, 1, True, None), measured
    assert missing.error is not None and missing.error.error_class == "source_not_found"
    assert "{{ 7 }}" in missing.error.message, "what a client wrote is no template"
    assert outcome.host.space_available > 0
    assert provisioner.reserve_run_id("here") == waiting, "what stands by for shares still does"
    assert sorted(root.rglob("*")) == before
    provisioner.close()
