"""Which keys the role service writes: the host's own, unless the operator says otherwise; missing ones are made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from tests.roles.rendering import PROJECT, ROLES, read_variables

NAMES = ("TEMPOFTP_ENCRYPTION_KEY", "TEMPOFTP_SECRET_KEY")
OLD, NEW, GIVEN, SECRET, OTHER = (Fernet.generate_key().decode() for _ in range(5))
BIN = Path(sys.executable).parent
Choose = Callable[..., dict[str, str]]


@pytest.fixture
def run_role(tmp_path: Path) -> Callable[..., tuple[dict[str, str], str]]:
    """Run the role's tasks of the keys on this machine, and return the keys that it would write and what it printed."""

    def run(stored: str | None, **options: Any) -> tuple[dict[str, str], str]:
        variables = read_variables("service", "Debian") | {
            "service_env_file": str(tmp_path / "tempoftp.env"),
            "service_install_dir": str(tmp_path / "opt"),
            **options,
        }
        names = ("service_env_file", "service_install_dir", "service_key_names", "service_settings")
        used = {name: variables[name] for name in (*names, "service_replace_keys")}
        (tmp_path / "opt/venv").mkdir(parents=True, exist_ok=True)
        if not (tmp_path / "opt/venv/bin").exists():
            (tmp_path / "opt/venv/bin").symlink_to(BIN)
        if stored is not None:
            (tmp_path / "tempoftp.env").write_text(stored)
        tasks = [
            {"ansible.builtin.include_tasks": str(ROLES / "service/tasks/keys.yml")},
            {
                "ansible.builtin.copy": {
                    "content": "{{ service_keys | to_nice_yaml }}",
                    "dest": str(tmp_path / "keys.yml"),
                    "mode": "0600",
                },
                "no_log": True,
            },
        ]
        play = {"hosts": "localhost", "gather_facts": False, "vars": used, "tasks": tasks}
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", "localhost,", "-c", "local", tmp_path / "play.yml"],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        assert not [key for key in (OLD, NEW, GIVEN, SECRET, OTHER) if key in printed]
        return yaml.safe_load((tmp_path / "keys.yml").read_text()), printed

    return run


def write(**values: str) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def test_the_first_run_makes_two_keys(run_role) -> None:
    keys, _ = run_role(None)
    assert set(keys) == set(NAMES)
    assert len({Fernet(key) and key for key in keys.values()}) == 2


def test_a_later_run_keeps_them_and_makes_the_one_that_is_missing(run_role) -> None:
    keys, _ = run_role(f"TEMPOFTP_ENCRYPTION_KEY={OLD}\n#TEMPOFTP_SECRET_KEY=\n")
    assert keys["TEMPOFTP_ENCRYPTION_KEY"] == OLD
    assert Fernet(keys["TEMPOFTP_SECRET_KEY"]) and keys["TEMPOFTP_SECRET_KEY"] != OLD
    again, _ = run_role(write(**keys))
    assert again == keys


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        (f"TEMPOFTP_ENCRYPTION_KEY={NEW},{OLD}\n", f"{NEW},{OLD}"),
        (f"TEMPOFTP_ENCRYPTION_KEY={NEW}\n", NEW),
        (
            f"TEMPOFTP_ENCRYPTION_KEY={OLD}\nTEMPOFTP_PORT=1\nTEMPOFTP_ENCRYPTION_KEY={NEW}, {OLD}\n",
            f"{NEW}, {OLD}",
        ),
        (f'  TEMPOFTP_ENCRYPTION_KEY = "{NEW},{OLD}" \r\n', f"{NEW},{OLD}"),
        (f"TEMPOFTP_ENCRYPTION_KEY='{NEW}'\n# TEMPOFTP_ENCRYPTION_KEY={OLD}\n", NEW),
    ],
    ids=["both", "new only", "a line at the end", "quotes and spaces", "an older one in a comment"],
)
def test_an_older_key_of_the_inventory_does_not_undo_a_rotation(run_role, stored: str, kept: str) -> None:
    keys, printed = run_role(
        stored + f"TEMPOFTP_SECRET_KEY={SECRET}\n", service_settings={"TEMPOFTP_ENCRYPTION_KEY": OLD}
    )
    assert keys == {"TEMPOFTP_ENCRYPTION_KEY": kept, "TEMPOFTP_SECRET_KEY": SECRET}
    assert "TEMPOFTP_ENCRYPTION_KEY of service_settings is not the one in" in printed
    assert "TEMPOFTP_SECRET_KEY of service_settings" not in printed


def test_the_secret_key_of_the_inventory_does_not_undo_a_rotation_either(run_role) -> None:
    keys, printed = run_role(
        write(TEMPOFTP_ENCRYPTION_KEY=OLD, TEMPOFTP_SECRET_KEY=f"{OTHER},{SECRET}"),
        service_settings={"TEMPOFTP_SECRET_KEY": SECRET, "TEMPOFTP_ENCRYPTION_KEY": OLD},
    )
    assert keys == {"TEMPOFTP_ENCRYPTION_KEY": OLD, "TEMPOFTP_SECRET_KEY": f"{OTHER},{SECRET}"}
    assert "TEMPOFTP_SECRET_KEY of service_settings is not the one in" in printed


def test_a_fresh_host_takes_the_keys_of_the_inventory(run_role) -> None:
    given = {"TEMPOFTP_ENCRYPTION_KEY": GIVEN, "TEMPOFTP_SECRET_KEY": SECRET}
    keys, printed = run_role(None, service_settings=given)
    assert keys == given
    assert "is not the one" not in printed


def test_the_operator_can_replace_the_hosts_keys_explicitly(run_role) -> None:
    keys, printed = run_role(
        write(TEMPOFTP_ENCRYPTION_KEY=OLD, TEMPOFTP_SECRET_KEY=SECRET),
        service_settings={"TEMPOFTP_ENCRYPTION_KEY": f"{NEW},{OLD}"},
        service_replace_keys=True,
    )
    assert keys == {"TEMPOFTP_ENCRYPTION_KEY": f"{NEW},{OLD}", "TEMPOFTP_SECRET_KEY": SECRET}
    assert "is not the one" not in printed
