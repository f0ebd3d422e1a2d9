"""Keys of the worker on FTP hosts, which lead to root there: the one of today, and none that is of nobody any more."""

from __future__ import annotations

import getpass
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.programs import run_program
from tests.roles.rendering import ROLES, read_yaml

pytestmark = pytest.mark.processes

OLD, NEW, OTHER, OPERATOR, NOTES = ("AAAAC3NzaC1lZDI1NTE5AAAAI" + letter * 42 + "A" for letter in "ONTPQ")


def authorize(
    tmp_path: Path, file: Path, key: str, *, host: str = "service1", ftp_host: str = "service2"
) -> dict[str, Any]:
    """Run the role's tasks for a service host whose public key is `key`; return the recap of the host."""
    fixed = read_yaml(ROLES / "service/vars/main/main.yml")
    names = ("service_key_tag", "service_stale_keys", "service_other_hosts", "service_key_options")
    play = {
        "hosts": host,
        "gather_facts": False,
        "vars": {
            **{name: fixed[name] for name in names},
            "service_remote_user": getpass.getuser(),
            "service_ftp_host": ftp_host,
            "service_own_address": "127.0.0.1",
            "service_authorized_keys": str(file),
            "service_public_key": f"ssh-ed25519 {key} a comment of the key's own",
        },
        "tasks": [{"ansible.builtin.include_tasks": str(ROLES / "service/tasks/authorize_key.yml")}],
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hosts = {"service1": local, "service2": local}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"service_hosts": {"hosts": hosts}}))
    done = run_program(
        tmp_path,
        "ansible-playbook",
        f"--inventory={tmp_path / 'hosts.yml'}",
        str(tmp_path / "play.yml"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recap = done.stdout.rsplit("PLAY RECAP", 1)[1].split(":", 1)[1].split()
    return dict(pair.split("=") for pair in recap if "=" in pair)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The authorized keys on an FTP host, with an operator's own key and one of another service host."""
    path = tmp_path / "home" / ".ssh" / "authorized_keys"
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text(
        f"ssh-ed25519 {OPERATOR} ana@example.org\n"
        f"restrict ssh-ed25519 {OTHER} tempoftp worker service2\n"
        f"ssh-ed25519 {NOTES} notes about the tempoftp worker service1 machine\n"
    )
    path.chmod(0o600)
    return path


def test_the_key_is_authorized_once_and_opens_nothing_beside(tmp_path: Path, file: Path) -> None:
    before = file.read_text()
    assert authorize(tmp_path, file, NEW)["changed"] == "1"
    assert file.read_text() == before + f"restrict ssh-ed25519 {NEW} tempoftp worker service1\n"
    assert authorize(tmp_path, file, NEW)["changed"] == "0"


def test_the_key_for_its_own_machine_lets_nobody_in_from_another(tmp_path: Path, file: Path) -> None:
    before = file.read_text()
    authorize(tmp_path, file, NEW)
    for changed in ("1", "0"):
        assert authorize(tmp_path, file, NEW, ftp_host="service1")["changed"] == changed
    ours = f'restrict,from="127.0.0.1,::1" ssh-ed25519 {NEW} tempoftp worker service1\n'
    assert file.read_text() == before + ours


def test_a_rebuilt_service_host_loses_its_old_key_and_nobody_else_does(tmp_path: Path, file: Path) -> None:
    before = file.read_text()
    authorize(tmp_path, file, OLD)
    authorize(tmp_path, file, NEW)
    assert file.read_text() == before + f"restrict ssh-ed25519 {NEW} tempoftp worker service1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_key_of_a_host_that_is_no_service_host_any_more_goes(tmp_path: Path, file: Path) -> None:
    before = file.read_text()
    with file.open("a") as text:
        text.write(f"restrict ssh-ed25519 {OLD} tempoftp worker service.old.example.org\n")
        text.write(f"restrict ssh-ed25519 {OLD} tempoftp worker service22\n")
    authorize(tmp_path, file, NEW)
    assert file.read_text() == before + f"restrict ssh-ed25519 {NEW} tempoftp worker service1\n"
